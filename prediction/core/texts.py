"""What the text of a CSV file tells that the types of its columns do not.

A whole number may be one that float64 rounds, and a column may be text only because of a slip.
"""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prediction.core.errors import DataError

EXACT = 2**53  # float64 has every whole number up to here
WHOLE = re.compile(r"\s*[+-]?\d+\s*")
PLAIN = (  # numbers, truth values, dates and moments, in the words of RE2
    r"^\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:true|false)|\d{4}-\d\d-\d\d([ T].*)?)\s*$"
)


def check_rounding(
    path: Path,
    rows: pa.Table | pa.RecordBatch,
    seen: set[str],
    read: Callable[[str], Iterable[str]],
) -> None:
    """Raise `DataError` for a whole number in `rows` that became another one as float64.

    Only the text tells: once a column has so large a number, `read` gives its text, and the whole
    of it is looked at. `seen` has the columns for which that was done.
    """
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if not pt.is_floating(column.type) or name in seen:
            continue
        ends = pc.min_max(column).as_py()
        if ends["max"] is None or max(ends["max"], -ends["min"]) < EXACT:
            continue
        seen.add(name)
        if rounded := next(filter(is_rounded, read(name)), None):
            raise DataError(
                f"{path}: column {name!r} has the whole number {rounded}, which is beyond 2**53 "
                "and would be rounded. Write it as a text, or take it out."
            )


def is_rounded(text: str) -> bool:
    """Whether `text` is a whole number, and not the one that float64 makes of it."""
    return WHOLE.fullmatch(text) is not None and int(text) != int(float(text))


def check_mixed(path: Path, rows: pa.Table) -> None:
    """Raise `DataError` for a column that is text only because of the lesser part of its values."""
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if not pt.is_string(column.type):
            continue
        odd = column.filter(pc.invert(pc.match_substring_regex(column, PLAIN)))
        filled = len(column) - column.null_count
        if 0 < len(odd) < filled / 2:
            raise DataError(
                f"{path}: column {name!r} has a text in {len(odd):,} of {filled:,} rows, the first "
                f"is {odd[0].as_py()!r}; all others could be numbers, dates, true or false. "
                f"Correct it. If it is to be text, say so in the config: "
                f'"types": {{"{name}": "string"}}.'
            )
