"""One date of a table: replaced whole by the rows of Parquet files, or not at all."""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import TableError
from pipeline.warehouse import Batch, refusals
from pipeline.warehouse.local import ownership
from pipeline.warehouse.local.columns import (
    as_duckdb,
    find_kind,
    literal,
    quote,
    table_types,
)
from pipeline.warehouse.local.sources import as_pattern
from pipeline.warehouse.types import as_bigquery, compare

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

    def replace(self, batch: Batch, paths: Mapping[str, Path], owner: str) -> int:
        """Put the rows of the batch, which the model `owner` made, in; return how many there are.

        `paths` has the copy on this machine of each of the batch's files, by URL.
        """
        columns = as_bigquery(batch.columns)
        if columns.get(_DATE) != "DATE":
            raise refusals.no_date_column(self.table, self.date)
        for url, path in paths.items():
            self._check_columns(url, path, columns)
        files = _reader(paths.values())
        self._check_dates(files)
        self._fit(columns, batch.holds, owner)
        self._delete()
        table, casts = quote(self.table), _casts(columns)
        self.connection.execute(f"INSERT INTO {table} BY NAME SELECT {casts} FROM {files}")
        return self.count()

    def clear(self, owner: str) -> None:
        """Take the rows out for the model `owner`. No-op when there is no table."""
        kind = find_kind(self.connection, self.table)
        if kind == "VIEW":
            raise refusals.is_view(self.table)
        if kind:
            ownership.refuse_foreign(self.connection, self.table, owner)
            self._delete()

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

    def _delete(self) -> None:
        self.connection.execute(
            f"DELETE FROM {quote(self.table)} WHERE {_DATE} = $date", {"date": self.date}
        )

    def _check_columns(self, url: str, path: Path, columns: Mapping[str, str]) -> None:
        words = {column.name: str(column.type) for column in _schema(url, path)}
        if as_bigquery(words) != columns:
            raise TableError(
                f"The files for {self.table} of {self.date} differ: {url} has other columns or"
                " types than are said of all. Make all files of a date alike."
            )

    def _check_dates(self, files: str) -> None:
        found = self.connection.execute(
            f"SELECT {_DATE}, count(*) FROM {files} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        if not found:
            raise refusals.no_rows(self.table, self.date)
        others = [str(date) for date, _ in found if date != self.date]
        if others:
            shown = ", ".join(others[:_SHOWN_DATES]) + (", ..." if others[_SHOWN_DATES:] else "")
            raise refusals.other_dates(self.table, self.date, shown)

    def _fit(self, columns: Mapping[str, str], holds: str, owner: str) -> None:
        """Make the table, or the columns that it lacks. Raise `TableError` when that won't do."""
        table = quote(self.table)
        kind = find_kind(self.connection, self.table)
        if kind is None:
            body = ", ".join(f"{quote(name)} {as_duckdb(kind)}" for name, kind in columns.items())
            self.connection.execute(f"CREATE TABLE {table} ({body})")
            ownership.sign(self.connection, self.table, holds, owner)
            return
        if kind == "VIEW":
            raise refusals.is_view(self.table)
        ownership.refuse_foreign(self.connection, self.table, owner)
        existing = table_types(self.connection, self.table)
        differences = compare(existing, columns)
        if differences:
            raise refusals.misfit(self.table, self.date, differences)
        known = {name.lower() for name in existing}
        for name, kind in columns.items():
            if name.lower() not in known:
                column = f"{quote(name)} {as_duckdb(kind)}"
                self.connection.execute(f"ALTER TABLE {table} ADD COLUMN {column}")


def _schema(url: str, path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except FileNotFoundError:
        raise refusals.missing_file(url) from None
    except (pa.ArrowInvalid, OSError) as error:
        raise refusals.broken_file(url, error) from error


def _casts(columns: Mapping[str, str]) -> str:
    return ", ".join(
        f"CAST({quote(name)} AS {as_duckdb(kind)}) AS {quote(name)}"
        for name, kind in columns.items()
    )


def _reader(paths: Iterable[Path]) -> str:
    """The call of DuckDB that reads just these files, and takes no column from a folder's name."""
    patterns = ", ".join(literal(as_pattern(str(path))) for path in paths)
    return f"read_parquet([{patterns}], hive_partitioning = false)"
