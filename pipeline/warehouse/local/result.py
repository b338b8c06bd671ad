"""The rows that a query returns: of honest types, one per key, written as Parquet in key order."""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import QueryError
from pipeline.warehouse import refusals
from pipeline.warehouse.local.columns import casts, describe, quote

_SHOWN_KEYS = 5
_ROWS_PER_GROUP = 131_072  # batches of 50,000 to 200,000 rows are the fastest to apply a model to
_GROUPS_PER_PART = 16


class Result:
    """The rows of `query` (DuckDB's dialect), kept in a table of `connection`.

    Raises `QueryError` when two columns have one name, or a column has no type in Parquet.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, query: str) -> None:
        self.connection = connection
        columns = describe(connection, query)
        _check_names([name for name, _ in columns])
        _check_types(columns)
        connection.execute(f"CREATE TEMP TABLE result AS SELECT {casts(columns)} FROM ({query})")
        self.columns = tuple(name for name, _ in columns)

    def count(self) -> int:
        return _number(self.connection, "SELECT count(*) FROM result")

    def types(self) -> dict[str, str]:
        """Name -> Arrow's type of each column."""
        schema = self.connection.sql("SELECT * FROM result LIMIT 0").to_arrow_table().schema
        return {field.name: str(field.type) for field in schema}

    def check_key(self, key: Sequence[str], origins: Sequence[tuple[str, str]] = ()) -> None:
        """Raise `QueryError` when a column of `key` is missing or null, or a key comes twice.

        `origins` are the name and text of the queries that were joined: the first that returns
        such a key is named.
        """
        known = {name.lower() for name in self.columns}
        for name in key:
            if name.lower() not in known:
                raise refusals.no_key_column(name)
        problem = _find_null(self.connection, "result", key)
        problem = problem or _find_repeated(self.connection, "result", key)
        if problem:
            raise refusals.bad_key(self._blame(key, origins), problem)

    def _blame(self, key: Sequence[str], origins: Sequence[tuple[str, str]]) -> str:
        for name, query in origins:
            if _find_repeated(self.connection, f"({query})", key):
                return f"The query of the {name}"
        return "The query"

    def write(self, key: Sequence[str], folder: Path) -> Iterator[Path]:
        """Write part-0.parquet, part-1.parquet, ... ordered by `key`; yield each once it is whole.

        The bytes depend on the rows only, not on how many threads made them.
        """
        order = ", ".join(quote(name) for name in key)
        reader = self.connection.sql(f"SELECT * FROM result ORDER BY {order}").to_arrow_reader(
            _ROWS_PER_GROUP
        )
        groups = _regroup(reader)
        group = next(groups, None)
        number = 0
        while group is not None:
            path = folder / f"part-{number}.parquet"
            with pq.ParquetWriter(path, reader.schema, compression="zstd") as writer:
                for _ in range(_GROUPS_PER_PART):
                    writer.write_table(group, row_group_size=_ROWS_PER_GROUP)
                    group = next(groups, None)
                    if group is None:
                        break
            yield path
            number += 1


def _regroup(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Tables of one length, whatever the batches' lengths; only the last is shorter."""
    pending = reader.schema.empty_table()
    for batch in reader:
        pending = pa.concat_tables([pending, pa.Table.from_batches([batch])])
        while pending.num_rows >= _ROWS_PER_GROUP:
            yield pending.slice(0, _ROWS_PER_GROUP).combine_chunks()
            pending = pending.slice(_ROWS_PER_GROUP)
    if pending.num_rows:
        yield pending.combine_chunks()


def _check_names(names: Sequence[str]) -> None:
    small = [name.lower() for name in names]
    for name in names:
        if small.count(name.lower()) > 1:
            raise QueryError(f"The query returns {name} twice. Rename one of them with AS.")


def _check_types(columns: Sequence[tuple[str, str]]) -> None:
    for name, kind in columns:
        if kind == "INTERVAL":
            raise refusals.interval(name)


def _find_null(
    connection: duckdb.DuckDBPyConnection, source: str, key: Sequence[str]
) -> str | None:
    for name in key:
        count = _number(connection, f"SELECT count(*) FROM {source} WHERE {quote(name)} IS NULL")
        if count:
            return refusals.null_key(name, count)
    return None


def _find_repeated(
    connection: duckdb.DuckDBPyConnection, source: str, key: Sequence[str]
) -> str | None:
    columns = ", ".join(quote(name) for name in key)
    rows = connection.execute(
        f"SELECT {columns}, count(*) OVER () FROM {source} GROUP BY {columns}"
        f" HAVING count(*) > 1 ORDER BY {columns} LIMIT {_SHOWN_KEYS}"
    ).fetchall()
    if not rows:
        return None
    return refusals.repeated_keys(rows[0][-1], [row[:-1] for row in rows])


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    # All of a result must be fetched before DuckDB takes the next statement.
    return int(connection.execute(query).fetchall()[0][0])
