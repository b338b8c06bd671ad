"""Evaluation: what was predicted for a date, against what has happened since.

The model's own file is not loaded: what it predicted is there, and `model.json` says how to read
it. So a model's own `evaluate`, which wants features, is left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prediction.core import columns, labels, metrics, reading, reliability, sealing, writing
from prediction.core.application import CONSTANT_TYPES
from prediction.core.columns import Types
from prediction.core.config import EvaluationConfig
from prediction.core.errors import ConfigError, DataError
from prediction.core.formats import File
from prediction.core.keys import KeyCheck
from prediction.core.progress import Progress
from prediction.core.sealing import Seal

PHASES = ("reading", "measuring", "writing")
TABLE, METRICS, RELIABILITY = "part-0.parquet", "metrics.json", "reliability.svg"
_BATCH_ROWS = 131_072


@dataclass(frozen=True)
class Met:
    """Predictions that have met their label: `label` (n_rows), `predicted` (n_rows, n_columns).

    In neither are `unlabelled` predictions, which met none, and `unscored` ones, which did, and
    have no score that could be measured: null, NaN or infinite.
    """

    label: pd.Series
    predicted: pd.DataFrame
    unlabelled: int
    unscored: int

    @property
    def counts(self) -> dict[str, int]:
        rows = len(self.label)
        return {"rows": rows, "unlabelled": self.unlabelled, "unscored": self.unscored}


def evaluate(config: EvaluationConfig, progress: Progress) -> int:
    """Measure `predictions_path` by the labels in `data_path`; returns the number of rows.

    Leaves in `evaluation_path` one row of figures, the same as JSON, and for a binary label or a
    regression a picture of how far the predictions can be taken at their word. Nothing is written
    before all is known.
    """
    _tell(progress, "reading")
    seal = sealing.describe(config.model_path)
    met = _meet(seal, config)
    _tell(progress, "measuring")
    found = _figures(seal, met)
    _tell(progress, "writing")
    _write(config, seal, met, found, progress)
    return len(met.label)


def _meet(seal: Seal, config: EvaluationConfig) -> Met:
    """Join on the key. Of the predictions only the key and what metrics read is in memory."""
    if seal.label is None or seal.score is None:
        raise DataError(
            f"The model in {config.model_path} was trained without a label (kind {seal.kind}), so"
            " there is no truth that its predictions could be compared with."
        )
    truth = _read_labels(seal, seal.label, reading.find(config.data_path))
    predicted = _read_predictions(seal, reading.find(config.predictions_path))
    names = _key_names(seal)
    # One thread: the order of the rows, and so the last digit of a sum, is the same each time.
    joined = predicted.join(truth, keys=names, join_type="inner", use_threads=False)
    if not joined.num_rows:
        raise DataError(
            f"None of the {predicted.num_rows:,} predictions has a label: no key of"
            f" {config.predictions_path[0]} is in {config.data_path[0]}. Correct the"
            " query of the labels."
        )
    scored = _scored(seal, joined)
    label = pd.Series(columns.label(_whole(scored, "label")), name=seal.label)
    scores = {name: columns.label(_whole(scored, f"of_{name}")) for name in _read_by_metrics(seal)}
    return Met(
        label,
        pd.DataFrame(scores),
        unlabelled=predicted.num_rows - joined.num_rows,
        unscored=joined.num_rows - scored.num_rows,
    )


def _scored(seal: Seal, joined: pa.Table) -> pa.Table:
    """The rows that can be measured. Raises `DataError` when none can."""
    for name in _read_by_metrics(seal):
        joined = joined.filter(_finite(joined.column(f"of_{name}")))
    if not joined.num_rows:
        raise DataError(
            f"No prediction that has a label has a finite {seal.score!r}, so there is nothing to"
            " measure. Have predict return one where the features allow it."
        )
    return joined


def _finite(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pt.is_floating(column.type):
        return column.is_valid()
    return pc.fill_null(pc.is_finite(column.cast(pa.float64())), False)


def _read_labels(seal: Seal, label: str, files: Sequence[File]) -> pa.Table:
    """The key as key_0, ..., and the label, of every row."""
    needed = [*seal.key, label]
    for file in files:
        _check_names(file, needed, "Return it from the query of the labels")
    left_out = {name for file in files for name in file.names} - set(needed)
    batch = reading.whole(files, seal.key, left_out)
    found = batch.column(label)
    labels.check_known(label, found)
    labels.check_kind(seal.kind, label, found)
    # What is only a way to store, such as a dictionary, can't be joined.
    plain = found.cast(columns.plain(found.type))
    return _keyed(seal, [batch]).append_column("label", plain)


def _read_predictions(seal: Seal, files: Sequence[File]) -> pa.Table:
    """The key as key_0, ..., and what the metrics read as of_<name>, of every row."""
    types = {name: seal.predicted[name] for name in _read_by_metrics(seal)}
    for file in files:
        _check_names(file, [*seal.key, *types], "Evaluate what this model predicted")
    batches = list(reading.batches(list(files), {**seal.key, **types}, _BATCH_ROWS))
    if not batches:
        raise DataError(f"{files[0].path} has no rows, so there is nothing to evaluate.")
    table = _keyed(seal, batches)
    for name in types:
        column = pa.chunked_array([batch.column(name) for batch in batches])
        table = table.append_column(f"of_{name}", column)
    return table


def _read_by_metrics(seal: Seal) -> list[str]:
    """The columns of the predictions that metrics read. Raises `DataError` without a score."""
    if seal.score is None or seal.score not in seal.predicted:
        raise DataError(
            f"The model predicts no column {seal.score!r}, which the metrics of kind {seal.kind}"
            " read. Return it from predict, or name another under `score`, and train anew."
        )
    chances = [name for name in seal.predicted if name.startswith("probability_")]
    return list(dict.fromkeys([seal.score, *(chances if seal.kind == "multiclass" else [])]))


def _keyed(seal: Seal, batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """The key's columns in training's types. Raises `DataError` for a null or repeated key."""
    keys = [
        pa.record_batch(
            [_cast(batch.column(name), name, type_) for name, type_ in seal.key.items()],
            names=list(seal.key),
        )
        for batch in batches
    ]
    check = KeyCheck(lambda: keys)
    for each in keys:
        check.see(each)
    check.finish()
    return pa.Table.from_batches(keys).rename_columns(_key_names(seal))


def _key_names(seal: Seal) -> list[str]:
    """Names that can clash with no column of the user's."""
    return [f"key_{number}" for number in range(len(seal.key))]


def _cast(column: pa.Array, name: str, type_: pa.DataType) -> pa.Array:
    try:
        return column.cast(type_)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"key {name!r} is {column.type}, and was {type_} at training: {error}. Cast it in the"
            " query."
        ) from error


def _check_names(file: File, names: Sequence[str], remedy: str) -> None:
    for name in names:
        if name not in file.names:
            raise DataError(
                f"{file.path}: column {name!r} is missing. There are: {', '.join(file.names)}."
                f" {remedy}."
            )


def _figures(seal: Seal, met: Met) -> dict[str, float | None]:
    """The figures of the model's kind; None where the rows can't tell."""
    measured = metrics.measure_any(seal.kind, met.label, met.predicted, str(seal.score))
    found = metrics.stable(seal.kind, measured)
    if seal.kind != "multiclass":
        found["actual"] = float(met.label.to_numpy(dtype=float).mean())
        found["predicted"] = float(met.predicted[seal.score].to_numpy(dtype=float).mean())
    return found


def _write(
    config: EvaluationConfig,
    seal: Seal,
    met: Met,
    found: Mapping[str, float | None],
    progress: Progress,
) -> None:
    folder = config.evaluation_path
    row = _row(config, met, found)
    content: dict[str, Any] = {
        **met.counts,
        "metrics": found,
        "trained": metrics.stable(seal.kind, seal.metrics),
    }
    if seal.kind != "multiclass":
        groups = reliability.group(met.label, met.predicted[seal.score])
        content["reliability"] = groups
        _put(folder / RELIABILITY, reliability.draw(groups))
    _put(folder / METRICS, json.dumps(content, indent=2) + "\n")
    with writing.writing(folder / TABLE, row.schema) as writer:
        writer.write_batch(row)
    progress.wrote({column.name: str(column.type) for column in row.schema})


def _row(config: EvaluationConfig, met: Met, found: Mapping[str, float | None]) -> pa.RecordBatch:
    """One row: the constants, how many rows were measured or not, and each figure, a double."""
    types: Types = {name: CONSTANT_TYPES[one.type] for name, one in config.constants.items()}
    counts = met.counts
    if twice := [name for name in types if name in found or name in counts]:
        raise ConfigError(f"constant {twice[0]!r} is also a figure of the evaluation. Rename it.")
    schema = pa.schema(
        {**types, **dict.fromkeys(counts, pa.int64()), **dict.fromkeys(found, pa.float64())}
    )
    values = {name: one.value for name, one in config.constants.items()}
    return pa.RecordBatch.from_pylist([{**values, **counts, **found}], schema=schema)


def _put(path: Path, text: str) -> None:
    with writing.replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _whole(table: pa.Table, name: str) -> pa.Array:
    return pa.concat_arrays(table.column(name).chunks)


def _tell(progress: Progress, phase: str) -> None:
    progress.phase(phase, PHASES.index(phase), len(PHASES))
