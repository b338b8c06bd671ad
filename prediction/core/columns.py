"""Types of columns: which are known, which go together, and what each is in pandas.

A column's type in pandas is decided from its Arrow type alone, never from the values of a batch,
so that a batch with nulls and one without are the same to the model:

| Arrow                              | feature in pandas           | label in pandas          |
|------------------------------------|-----------------------------|--------------------------|
| integers (up to 2**53), decimals, floats | float64, null is NaN  | int64, float64, float64  |
| bool                               | float64: 1, 0, null is NaN  | bool                     |
| strings                            | str, null is NaN            | str                      |
| dates, timestamps                  | datetime64[us] in UTC, null is NaT | datetime64[us]    |
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt

from prediction.core.errors import DataError

Types = Mapping[str, pa.DataType]

TEXT: Any = pd.StringDtype("pyarrow", na_value=np.nan)
MOMENT = pa.timestamp("us")


def plain(type_: pa.DataType) -> pa.DataType:
    """Undo what is only a way to store: dictionaries, large strings and views of strings."""
    if pt.is_dictionary(type_):
        return plain(type_.value_type)
    if pt.is_large_string(type_) or pt.is_string_view(type_):
        return pa.string()
    return type_


def kind(type_: pa.DataType) -> str | None:
    """Which types go together: number, truth, text, moment, null; None when no model can use it."""
    type_ = plain(type_)
    if pt.is_integer(type_) or pt.is_floating(type_) or pt.is_decimal(type_):
        return "number"
    if pt.is_date(type_) or pt.is_timestamp(type_):
        return "moment"
    if pt.is_null(type_):
        return "null"
    return {pa.bool_(): "truth", pa.string(): "text"}.get(type_)


def fits(given: pa.DataType, trained: pa.DataType) -> bool:
    """Whether a column of type `given` can stand for one of type `trained`. All null fits all."""
    return kind(given) in (kind(trained), "null")


def parse(name: str) -> pa.DataType:
    """Turn what `str` makes of an Arrow type back into the type.

    Raises `ValueError` when there is no such type.
    """
    if match := re.fullmatch(r"timestamp\[(s|ms|us|ns), tz=(.+)\]", name):
        return pa.timestamp(*match.groups())
    if match := re.fullmatch(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)", name):
        make = getattr(pa, f"decimal{match[1]}")
        return make(int(match[2]), int(match[3]))
    return pa.type_for_alias("float16" if name == "halffloat" else name)


def frame(batch: pa.RecordBatch, key: Sequence[str], features: Types) -> pd.DataFrame:
    """Make the features (n_rows, n_features), indexed by the key, that the model sees.

    Raises `DataError` for infinite numbers and for whole numbers beyond 2**53.
    """
    rows = index(batch, key)
    names = list(features)
    if all(kind(type_) in ("number", "truth") for type_ in features.values()):
        matrix = np.empty((len(names), batch.num_rows))
        for row, name in zip(matrix, names, strict=True):
            row[:] = numbers(name, batch.column(name))
        _check_finite(matrix, names, rows)
        # Columns lie one after the other in memory, as pandas keeps them: nothing is copied.
        return pd.DataFrame(matrix.T, index=rows, columns=names, copy=False)
    data = {name: feature(name, batch.column(name), features[name]) for name in names}
    for name, values in data.items():
        if kind(features[name]) in ("number", "truth"):
            _check_finite(np.asarray(values)[np.newaxis], [name], rows)
    return pd.DataFrame(data, index=rows, copy=False)


def feature(name: str, column: pa.Array, trained: pa.DataType) -> Any:
    """Make of `column` (n_rows) what the model sees of a feature whose type was `trained`."""
    if kind(trained) == "text":
        return TEXT.__from_arrow__(column.cast(pa.string()))
    if kind(trained) == "moment":
        return column.cast(MOMENT, safe=False).to_numpy(zero_copy_only=False)
    return numbers(name, column)


def numbers(name: str, column: pa.Array) -> np.ndarray:
    """Make float64 (n_rows) of numbers or truth values. A null is NaN."""
    try:
        values: np.ndarray = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"column {name!r} holds whole numbers beyond 2**53, which float64 cannot keep apart. "
            "Cast it to STRING or FLOAT64 in the query, or list it under `ignore`."
        ) from error
    return values


def label(column: pa.Array) -> Any:
    """Make of a label (n_rows), without nulls, what the model sees of it."""
    if kind(column.type) == "number" and not pt.is_integer(column.type):
        return column.cast(pa.float64()).to_numpy()
    if kind(column.type) in ("number", "truth"):
        return column.to_numpy(zero_copy_only=False)
    return feature("", column, column.type)


def index(batch: pa.RecordBatch, key: Sequence[str]) -> pd.Index:
    """Make the index (n_rows) of the columns of the key, which hold no nulls."""
    parts = [_key_values(batch.column(name)) for name in key]
    if len(parts) == 1:
        found: pd.Index = pd.Index(parts[0], name=key[0], copy=False)
        return found
    return pd.MultiIndex.from_arrays(parts, names=list(key))


def _key_values(column: pa.Array) -> Any:
    if kind(column.type) == "number":
        return column.to_numpy()
    return feature("", column, column.type)


def _check_finite(matrix: np.ndarray, names: Sequence[str], rows: pd.Index) -> None:
    infinite = np.isinf(matrix)
    if infinite.any():
        at, row = np.argwhere(infinite)[0]
        raise DataError(
            f"column {names[at]!r} is infinite in {infinite[at].sum():,} rows, the first with key "
            f"{rows[row]}. Make it null or a number in the query."
        )
