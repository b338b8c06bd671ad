"""One date of a table: replaced whole by the rows of Parquet files, or not at all."""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

import datetime
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import DataError, ObjectMissingError, TableError
from pipeline.warehouse.local.columns import (
    as_bigquery,
    casts,
    compare,
    describe,
    find_kind,
    literal,
    quote,
)
from pipeline.warehouse.local.sources import as_pattern

_DATE = "date"
_SHOWN_DATES = 5


class Partition:
    """The rows of `table` whose `date` is `date`, in the transaction of `connection`."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, table: str, date: datetime.date
    ) -> None:
        self.connection = connection
        self.table = table
        self.date = date

    def replace(self, paths: Sequence[Path]) -> int:
        """Put the rows of the files in; return how many rows there are now."""
        columns = self._describe(paths)
        files = _reader(paths)
        self._check_dates(files)
        self._fit(columns)
        table = quote(self.table)
        self.connection.execute(f"DELETE FROM {table} WHERE {_DATE} = $date", {"date": self.date})
        self.connection.execute(f"INSERT INTO {table} BY NAME SELECT {casts(columns)} FROM {files}")
        return self.count()

    def count(self) -> int:
        rows = self.connection.execute(
            f"SELECT count(*) FROM {quote(self.table)} WHERE {_DATE} = $date", {"date": self.date}
        ).fetchall()
        return int(rows[0][0])

    def head(self, order: Sequence[str], rows: int | None) -> pa.Table:
        """The first `rows`, or all, ordered by the columns `order`."""
        query = f"SELECT * FROM {quote(self.table)} WHERE {_DATE} = {literal(str(self.date))}"
        if order:
            query += f" ORDER BY {', '.join(map(quote, order))}"
        if rows is not None:
            query += f" LIMIT {rows:d}"
        return self.connection.sql(query).to_arrow_table()

    def _describe(self, paths: Sequence[Path]) -> list[tuple[str, str]]:
        """The columns that all the files have, with DuckDB's types."""
        first = _schema(paths[0])
        for path in paths[1:]:
            if not _schema(path).equals(first):
                raise TableError(
                    f"The files for {self.table} of {self.date} differ: {path} has other columns"
                    f" or types than {paths[0]}. Make all files of a date alike."
                )
        columns = describe(self.connection, f"SELECT * FROM {_reader(paths)}")
        if (_DATE, "DATE") not in columns:
            raise TableError(
                f"The files for {self.table} of {self.date} have no column {_DATE} of type DATE."
                " Write it to every row."
            )
        return columns

    def _check_dates(self, files: str) -> None:
        found = self.connection.execute(
            f"SELECT {_DATE}, count(*) FROM {files} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        if not found:
            raise DataError(
                f"The files for {self.table} of {self.date} hold no rows, so the partition stays"
                " as it is. Find out why nothing was predicted."
            )
        others = [str(date) for date, _ in found if date != self.date]
        if others:
            shown = ", ".join(others[:_SHOWN_DATES]) + (", ..." if others[_SHOWN_DATES:] else "")
            raise DataError(
                f"The files for {self.table} of {self.date} hold rows of {shown}, so the partition"
                " stays as it is. Load each date from files of its own."
            )

    def _fit(self, columns: list[tuple[str, str]]) -> None:
        """Make the table, or the columns that it lacks. Raise `TableError` when that won't do."""
        files = {name: as_bigquery(kind) for name, kind in columns}
        table = quote(self.table)
        kind = find_kind(self.connection, self.table)
        if kind is None:
            body = ", ".join(f"{quote(name)} {kind}" for name, kind in files.items())
            self.connection.execute(f"CREATE TABLE {table} ({body})")
            return
        if kind == "VIEW":
            raise TableError(f"{self.table} is a view. Load into the table that it shows.")
        existing = dict(describe(self.connection, table))
        differences = compare(existing, files)
        if differences:
            raise TableError(
                f"The files of {self.date} do not fit the table {self.table}:"
                f" {'; '.join(differences)}. Raise `version` under [pipeline] in luigi.cfg: a new"
                " version has a table of its own."
            )
        known = {name.lower() for name in existing}
        for name, kind in files.items():
            if name.lower() not in known:
                self.connection.execute(f"ALTER TABLE {table} ADD COLUMN {quote(name)} {kind}")


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except FileNotFoundError:
        raise ObjectMissingError(
            f"{path} does not exist, so it can't be loaded. Run the task that writes it."
        ) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"{path} can't be read as Parquet: {error}. Run the task that writes it again."
        ) from error


def _reader(paths: Sequence[Path]) -> str:
    """The call of DuckDB that reads just these files, and takes no column from a folder's name."""
    patterns = ", ".join(literal(as_pattern(str(path))) for path in paths)
    return f"read_parquet([{patterns}], hive_partitioning = false)"
