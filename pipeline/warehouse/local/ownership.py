"""Which model's a table is: its comment says so, as DuckDB has no labels."""

import re

import duckdb

from pipeline.warehouse import refusals
from pipeline.warehouse.local.columns import literal, quote

_OWNER = re.compile(r"Of the model (\S+)\.$")


def sign(connection: duckdb.DuckDBPyConnection, table: str, holds: str, owner: str) -> None:
    """Say what a new table holds, and of which model."""
    words = f"{holds} Each date is loaded, and replaced, whole."
    if owner:
        words += f" Of the model {owner}."
    connection.execute(f"COMMENT ON TABLE {quote(table)} IS {literal(words)}")


def refuse_foreign(connection: duckdb.DuckDBPyConnection, table: str, ours: str) -> None:
    """Raise `TableError` when a table is another model's. One that does not say is anybody's."""
    rows = connection.execute(
        "SELECT comment FROM duckdb_tables()"
        " WHERE schema_name = 'main' AND lower(table_name) = lower($table)",
        {"table": table},
    ).fetchall()
    signed = _OWNER.search(rows[0][0] or "") if rows else None
    if signed and ours and signed[1] != ours:
        raise refusals.foreign(table, signed[1], ours, "its comment says", "file")
