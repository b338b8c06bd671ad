"""The types of columns: those that BigQuery knows, in DuckDB's words and back.

DuckDB has more of them (a sum of integers is 128 bits wide, a literal 32), and Parquet would keep
some of them as something else. All that leaves or enters the warehouse has one of BigQuery's.
"""

import re

import duckdb

_INTEGERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_BIGQUERY = {
    '"NULL"': "BIGINT",
    "FLOAT": "DOUBLE",
    "JSON": "VARCHAR",
    "UUID": "VARCHAR",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMP_NS": "TIMESTAMP",
    "TIMESTAMPTZ_NS": "TIMESTAMP WITH TIME ZONE",
}
_DUCKDB = {
    "INT64": "BIGINT",
    "FLOAT64": "DOUBLE",
    "NUMERIC": "DECIMAL(38,9)",
    "STRING": "VARCHAR",
    "BOOL": "BOOLEAN",
    "BYTES": "BLOB",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP": "TIMESTAMP WITH TIME ZONE",
}
_NAMES = {words: name for name, words in _DUCKDB.items()}
_ARRAY = re.compile(r"ARRAY<(.+)>")


def as_bigquery(kind: str) -> str:
    """The type among BigQuery's that holds values of DuckDB's `kind`; others are as they are."""
    if kind.endswith("[]"):
        return f"{as_bigquery(kind.removesuffix('[]'))}[]"
    if _INTEGERS.fullmatch(kind):
        return "BIGINT"
    if kind.startswith("DECIMAL"):
        return "DECIMAL(38,9)"
    if kind.startswith("ENUM"):
        return "VARCHAR"
    return _BIGQUERY.get(kind, kind)


def as_duckdb(kind: str) -> str:
    """DuckDB's words for a type that is called `kind` in BigQuery."""
    many = _ARRAY.fullmatch(kind)
    return f"{as_duckdb(many[1])}[]" if many else _DUCKDB.get(kind, kind)


def name_type(kind: str) -> str:
    """What BigQuery calls the type that is `kind` in DuckDB."""
    if kind.endswith("[]"):
        return f"ARRAY<{name_type(kind.removesuffix('[]'))}>"
    return _NAMES.get(kind, kind)


def describe(connection: duckdb.DuckDBPyConnection, source: str) -> list[tuple[str, str]]:
    """Name and type of each column of `source`, a query or the name of a table."""
    rows = connection.execute(f"DESCRIBE {source}").fetchall()
    return [(name, kind) for name, kind, *_ in rows]


def table_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Name -> BigQuery's type of each column of a table; empty when it is not there."""
    if find_kind(connection, table) is None:
        return {}
    return {name: name_type(kind) for name, kind in describe(connection, quote(table))}


def find_kind(connection: duckdb.DuckDBPyConnection, name: str) -> str | None:
    """BASE TABLE, VIEW, or None when nothing of this name is there."""
    rows = connection.execute(
        "SELECT table_type FROM information_schema.tables"
        " WHERE table_schema = 'main' AND lower(table_name) = lower($name)",
        {"name": name},
    ).fetchall()
    return str(rows[0][0]) if rows else None


def casts(columns: list[tuple[str, str]]) -> str:
    """What to select for `columns` to become of BigQuery's types."""
    return ", ".join(
        f"CAST({quote(name)} AS {as_bigquery(kind)}) AS {quote(name)}" for name, kind in columns
    )


def quote(name: str) -> str:
    """`name` as an identifier."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """`text` as a string."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
