"""Where rows are kept: a connection to bqemulator's DuckDB, for us alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from bqemulator.storage.engine import DuckDBEngine

STAGE = "staged_rows"


class Database:
    def __init__(self, engine: DuckDBEngine) -> None:
        # bqemulator leaves results half read, and a connection does nothing else until then.
        self._connection = engine.connection.cursor()

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement).fetchall()

    def read(self, query: str) -> pa.Table:
        return self._connection.execute(query).to_arrow_table()

    @contextmanager
    def staged(self, rows: pa.Table) -> Iterator[None]:
        """Let statements read these rows from `STAGE`."""
        self._connection.register(STAGE, rows)
        try:
            yield
        finally:
            self._connection.unregister(STAGE)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.run("BEGIN TRANSACTION")
        try:
            yield
        except duckdb.Error:
            self.run("ROLLBACK")
            raise
        self.run("COMMIT")
