"""Types of columns: what BigQuery calls those that Parquet files hold, on every side.

Source: cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#type_conversions
"""

import re
from collections.abc import Mapping

from pipeline.errors import TableError

_BY_NAME = {
    "null": "INT64",
    "bool": "BOOL",
    "halffloat": "FLOAT64",
    "float": "FLOAT64",
    "double": "FLOAT64",
    "string": "STRING",
    "large_string": "STRING",
    "string_view": "STRING",
    "binary": "BYTES",
    "large_binary": "BYTES",
    "binary_view": "BYTES",
    "date32[day]": "DATE",
    "date64[ms]": "DATE",
}
_BY_PATTERN = (
    (re.compile(r"u?int(8|16|32|64)"), "INT64"),
    (re.compile(r"timestamp\[\w+, tz=.+\]"), "TIMESTAMP"),
    (re.compile(r"timestamp\[\w+\]"), "DATETIME"),
    (re.compile(r"time(32|64)\[\w+\]"), "TIME"),
    (re.compile(r"decimal(32|64|128|256)\(\d+, \d+\)"), "NUMERIC"),
)
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=\w+, ordered=\d>")
_LIST = re.compile(r"(?:large_)?list<\w+: (.+?)(?: not null)?>")


def as_bigquery(columns: Mapping[str, str]) -> dict[str, str]:
    """Name -> BigQuery's type of `columns`, whose types are Arrow's words; a list is ARRAY<...>.

    Raises `TableError` for a type that no table has.
    """
    return {name: _translate(name, words) for name, words in columns.items()}


def compare(table: Mapping[str, str], files: Mapping[str, str]) -> list[str]:
    """What keeps `files` from going into `table`, a sentence each. A new column is no obstacle.

    Both are name -> BigQuery's type. Names differ in more than case, as in BigQuery.
    """
    given = {name.lower(): kind for name, kind in files.items()}
    differences = []
    for name, kind in table.items():
        other = given.get(name.lower())
        if other is None:
            differences.append(f"{name} ({kind}) is not in the files")
        elif other != kind:
            differences.append(f"{name} is {kind} in the table and {other} in the files")
    return differences


def find_differences(table: Mapping[str, str], columns: Mapping[str, str]) -> list[str]:
    """The same for `columns` whose types are Arrow's words."""
    try:
        return compare(table, as_bigquery(columns))
    except TableError as error:
        return [str(error)]


def _translate(name: str, words: str) -> str:
    packed = _DICTIONARY.fullmatch(words)
    if packed:
        return _translate(name, packed[1])
    many = _LIST.fullmatch(words)
    if many and not _LIST.fullmatch(many[1]):
        return f"ARRAY<{_translate(name, many[1])}>"
    if words in _BY_NAME:
        return _BY_NAME[words]
    for pattern, kind in _BY_PATTERN:
        if pattern.fullmatch(words):
            return kind
    raise TableError(
        f"{name} is {words}, which is the type of no column here. Predict numbers, texts, dates,"
        " times, or lists of one of them."
    )
