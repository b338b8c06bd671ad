"""What `predict` returned, as columns of the table: names and types are fixed at training."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from prediction.core import columns
from prediction.core.columns import Types
from prediction.core.errors import ModelError


def types(predicted: pd.DataFrame, key: Sequence[str]) -> Types:
    """Decide the Arrow type of each column of `predicted` (n_rows, n_columns).

    Raises `ModelError` for a name that the table cannot have, and for a column without values.
    """
    found = {}
    for name in predicted.columns:
        if not isinstance(name, str) or not name or name in key or name in found:
            raise ModelError(
                f"predict returned a column named {name!r}. A name is a text, and neither that of "
                "another column nor of the key."
            )
        found[name] = columns.plain(_array(name, predicted[name]).type)
        if pa.types.is_null(found[name]):
            raise ModelError(f"predict returned only nulls in column {name!r}. Leave it out.")
    if not found:
        raise ModelError("predict returned no column. Return one at least.")
    return found


def arrays(predicted: pd.DataFrame, expected: Types) -> list[pa.Array]:
    """Make columns of the types `expected`. NaN and None are null.

    Raises `ModelError` when names or types are not those of training.
    """
    if list(predicted.columns) != list(expected):
        raise ModelError(
            f"predict returned the columns {', '.join(map(str, predicted.columns))}, and at "
            f"training {', '.join(expected)}. Return the same ones for any data."
        )
    return [_cast(name, _array(name, predicted[name]), type_) for name, type_ in expected.items()]


def _array(name: str, values: pd.Series) -> pa.Array:
    # Not the series itself: pyarrow asks it for attributes, which pandas looks up in its index.
    content = values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array
    try:
        array = pa.array(content, from_pandas=True)
    except (pa.ArrowException, TypeError) as error:
        raise ModelError(
            f"predict returned a column {name!r} of mixed types: {error}. Return one type."
        ) from error
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _cast(name: str, array: pa.Array, expected: pa.DataType) -> pa.Array:
    if array.type == expected:
        return array
    given = columns.plain(array.type)
    if given == expected or columns.fits(given, expected):
        try:
            return array.cast(expected)
        except pa.ArrowInvalid as error:
            raise _other_type(name, given, expected) from error
    raise _other_type(name, given, expected)


def _other_type(name: str, given: pa.DataType, expected: pa.DataType) -> ModelError:
    return ModelError(
        f"predict returned column {name!r} as {given}, and at training as {expected}. Give it one "
        "type in predict, whatever the data."
    )
