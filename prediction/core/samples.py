"""What a model learns from: the training data, read and checked."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from prediction.core import columns, keys, labels, reading
from prediction.core.columns import Types
from prediction.core.config import TrainingConfig
from prediction.core.errors import ConfigError, DataError


@dataclass(frozen=True)
class Sample:
    """What a model learns from: `data` (n_rows, n_features + label), indexed by the key."""

    data: pd.DataFrame
    dates: pd.Series | None
    key: Types
    features: Types


def read(config: TrainingConfig) -> Sample:
    """Read and check the data. Raises `DataError` for all that a model cannot learn from."""
    files = reading.find(config.data_path)
    named = [*config.key, *filter(None, [config.label, config.date_column])]
    for name in [*named, *config.types]:
        if name not in files[0].names:
            raise DataError(
                f"{files[0].path}: column {name!r}, which the config names, is missing. There "
                f"are: {', '.join(files[0].names)}."
            )
    batch = reading.whole(files, _given_types(config), set(config.ignore) - set(named))
    types = {name: columns.plain(batch.schema.field(name).type) for name in batch.schema.names}
    key = {name: types[name] for name in config.key}
    left_out = {*named, *config.ignore}
    features = {name: type_ for name, type_ in types.items() if name not in left_out}
    _check_types(key, features)
    batch = _cast(batch, key)
    keys.check_nulls(batch.select(list(key)))
    data = columns.frame(batch, config.key, features)
    dates = None
    if config.date_column:
        dates = pd.Series(batch.column(config.date_column).to_pandas(), name=config.date_column)
    _check_unique(data.index, dates)
    if config.label:
        _check_label(config, batch.column(config.label), data.index)
        data[config.label] = columns.label(batch.column(config.label))
    return Sample(data, dates, key, features)


def _given_types(config: TrainingConfig) -> Types:
    try:
        return {name: columns.parse(type_) for name, type_ in config.types.items()}
    except ValueError as error:
        raise ConfigError(
            f"`types` has {', '.join(config.types.values())}: {error}. Use Arrow's names, such as "
            "string, int64, double, bool, date32, timestamp[us, tz=UTC]."
        ) from error


def _check_types(key: Types, features: Types) -> None:
    for name, type_ in key.items():
        if not (pt.is_integer(type_) or columns.kind(type_) in ("text", "moment")):
            raise DataError(
                f"key {name!r} is {type_}. Cast it to INT64, STRING, DATE or TIMESTAMP in the "
                "query."
            )
    for name, type_ in features.items():
        if columns.kind(type_) is None:
            raise DataError(
                f"column {name!r} is {type_}, which no model here can use. Cast it in the query, "
                "or list it under `ignore`."
            )
        if columns.kind(type_) == "null":
            raise DataError(
                f"column {name!r} is empty in every row, so its type cannot be known. Give it "
                "under `types`, or list it under `ignore`."
            )
    if not features:
        raise DataError("no column is left for features. Add some to the query.")


def _cast(batch: pa.RecordBatch, types: Types) -> pa.RecordBatch:
    """Give the columns that `types` names these types: only ways to store differ."""
    found = [
        column.cast(types[name]) if name in types else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.record_batch(found, names=batch.schema.names)


def _check_unique(rows: pd.Index, dates: pd.Series | None) -> None:
    """Refuse a key that is there twice; twice for one date, where there are dates."""
    every = rows.to_frame(index=False)
    if dates is not None:
        every = pd.concat([every, dates], axis="columns")
    keys.refuse_duplicates(list(rows[every.duplicated()][:100]))


def _check_label(config: TrainingConfig, label: pa.Array, rows: pd.Index) -> None:
    name = str(config.label)
    labels.check_known(name, label, rows)
    if config.kind != "regression" and len(found := label.unique()) == 1:
        raise DataError(
            f"label {name!r} has one class only, {found[0]}: there is nothing to learn. "
            "Correct the query of the labels."
        )
    labels.check_kind(config.kind, name, label)
