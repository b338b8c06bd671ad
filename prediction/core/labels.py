"""What a label must be before anything learns from it, or is measured by it."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prediction.core import columns
from prediction.core.errors import DataError


def check_known(name: str, label: pa.Array, rows: pd.Index | None = None) -> None:
    """Raise `DataError` when `label` (n_rows) is null or NaN, or of a type that nothing learns.

    With `rows` the first such key is named.
    """
    if columns.kind(label.type) is None:
        raise DataError(
            f"label {name!r} is {label.type}, which no model here can learn. Cast it in the query."
        )
    missing = label.is_null(nan_is_null=True)
    if not (count := missing.true_count):
        return
    what = {0: "NaN", count: "null"}.get(label.null_count, "null or NaN")
    first = "" if rows is None else f", the first with key {rows[pc.index(missing, True).as_py()]}"
    raise DataError(
        f"label {name!r} is {what} in {count:,} rows{first}. Leave such rows out in the query."
    )


def check_kind(kind: str, name: str, label: pa.Array) -> None:
    """Raise `DataError` when `label` (n_rows), all known, is none for a model of `kind`."""
    if kind == "regression":
        _check_numbers(name, label)
    elif kind == "binary":
        _check_truths(name, label)
    else:
        _check_classes(name, label)


def _check_numbers(name: str, label: pa.Array) -> None:
    if columns.kind(label.type) != "number" or not np.isfinite(columns.numbers(name, label)).all():
        raise DataError(f"label {name!r} is {label.type}. Regression needs finite numbers.")


def _check_truths(name: str, label: pa.Array) -> None:
    kind, found = columns.kind(label.type), label.unique().to_pylist()
    if not (kind == "truth" or (kind == "number" and set(found) <= {0, 1})):
        some = ", ".join(map(str, found[:5]))
        raise DataError(
            f"label {name!r} has the values {some}. A binary label is BOOL, or 0 and 1; "
            "else let `kind` be multiclass or regression."
        )


def _check_classes(name: str, label: pa.Array) -> None:
    if columns.kind(label.type) != "number" or pt.is_integer(label.type):
        return
    found = columns.numbers(name, label.unique())
    broken = found[~(np.isfinite(found) & (found == np.floor(found)))]
    if len(broken):
        raise DataError(
            f"label {name!r} has the value {broken[0]:g}, and a class that is a number is a whole "
            "one. Cast it to STRING in the query, or let `kind` be regression."
        )
