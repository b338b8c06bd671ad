"""The types of the columns that queries return: which a model takes, and where answers differ.

Types are Arrow's, in the words of `str(pyarrow.DataType)`.
"""

import re
from collections.abc import Collection, Iterator, Mapping

from pipeline.warehouse import Extraction

# Numbers, truth values, texts, days and moments: what prediction/core/columns.py knows. Not lists,
# structures, bytes and times of the day.
_USABLE = re.compile(
    r"u?int\d+|halffloat|float|double|decimal\d+\(.*\)|bool|(large_)?string(_view)?"
    r"|date(32|64)\[.*\]|timestamp\[.*\]"
)


def find_unusable(columns: Mapping[str, str], ignored: Collection[str]) -> dict[str, str]:
    """The columns that no model takes, but for those that it does not read: name -> type."""
    return {
        name: kind
        for name, kind in columns.items()
        if name not in ignored and not _USABLE.fullmatch(kind)
    }


def find_changes(
    one: Mapping[str, str], other: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Each column whose type is another, with both types; None where the column is not there."""
    for name in {**one, **other}:
        if one.get(name) != other.get(name):
            yield name, one.get(name), other.get(name)


def tell_unusable(name: str, answer: Extraction, ignored: Collection[str]) -> bool:
    """Print which columns of the query `name` no model takes. Returns whether there are any."""
    found = find_unusable(answer.columns, ignored)
    for column, kind in found.items():
        print(
            f"error: {name} returns {column} as {kind}, which no model can take. Return a number, a"
            " text, a truth value, a day or a moment, or list it under `ignore` in"
            " configs/training.json."
        )
    return bool(found)


def tell_changes(asked: str, one: Extraction, other: Extraction, otherwise: str) -> bool:
    """Print which columns are of another type in the `other` answer. Returns whether any are.

    `asked` says which query was asked when, `otherwise` what was different the other time.
    """
    found = list(find_changes(one.columns, other.columns))
    for column, before, then in found:
        print(
            f"error: {asked} returns {column} as {before or 'no column'}, and {otherwise} as"
            f" {then or 'no column'}. Select it by its name, and CAST it."
        )
    return bool(found)
