"""The rows of tables and of their partitions."""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

import datetime
from collections.abc import Sequence

import pyarrow as pa
from bqemulator.catalog.models import TimePartitioning
from bqemulator.domain.errors import AlreadyExistsError, NotFoundError, ValidationError

from tests.cloud.bigquery.database import STAGE, Database
from tests.cloud.bigquery.names import Name
from tests.cloud.bigquery.schemas import Field, arrow_schema
from tests.cloud.bigquery.tables import Tables, fields_of, make_schema

# How much a value weighs is not modelled; what has rows has bytes.
_BYTES_OF_A_VALUE = 8


class Rows:
    """Rows by the name of their table, which may have a partition's decorator."""

    def __init__(self, database: Database, tables: Tables) -> None:
        self._database = database
        self._tables = tables

    def count(self, name: Name) -> int:
        query = f"SELECT count(*) FROM {name.in_duckdb}{self._where(name)}"
        return int(self._database.run(query)[0][0])

    def bytes(self, name: Name) -> int:
        columns = self._tables.get(name).schema_.fields
        return self.count(name) * len(columns) * _BYTES_OF_A_VALUE

    def read(self, name: Name, columns: Sequence[str], start: int, limit: int) -> pa.Table:
        """Some of the rows, with the types that BigQuery exports; all columns without names."""
        told = fields_of(self._tables.get(name))
        fields = [field for field in told if field["name"] in columns or not columns]
        chosen = ", ".join(f'"{field["name"]}"' for field in fields)
        query = f"SELECT {chosen} FROM {name.in_duckdb}{self._where(name)}"
        found = self._database.read(f"{query} LIMIT {limit} OFFSET {start}")
        return found.cast(arrow_schema(fields))

    async def write(
        self, name: Name, rows: pa.Table, disposition: str, fields: Sequence[Field] = ()
    ) -> None:
        """Put rows into the table, or into the partition, and give it `fields`; all or nothing.

        Raises `AlreadyExistsError` for WRITE_EMPTY when there are rows, and `ValidationError` when
        a row belongs to another partition. Sources:
        cloud.google.com/bigquery/docs/reference/rest/v2/Job (writeDisposition: atomic) and
        cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition
        """
        where = self._where(name)
        if disposition == "WRITE_EMPTY" and self.count(name):
            raise AlreadyExistsError(f"Already Exists: Table {name}")
        columns = ", ".join(f'"{column}"' for column in rows.column_names)
        with self._database.staged(rows):
            self._check_partition(name)
            with self._database.transaction():
                self._tables.alter(name, fields)
                if disposition == "WRITE_TRUNCATE":
                    self._database.run(f"DELETE FROM {name.in_duckdb}{where}")
                into = f"{name.in_duckdb} ({columns})"
                self._database.run(f"INSERT INTO {into} SELECT {columns} FROM {STAGE}")
        self._tables.change(name, **({"schema_": make_schema(fields)} if fields else {}))
        if fields:
            await self._tables.renew_views()

    def empty(self, name: Name) -> None:
        """Take the rows of a partition out. Raises `NotFoundError` when there are none.

        Source: cloud.google.com/bigquery/docs/managing-partitioned-tables#delete_a_partition
        """
        self._tables.get(name)
        if not self.count(name):
            raise NotFoundError(f"Not found: Partition {name}")
        self._database.run(f"DELETE FROM {name.in_duckdb}{self._where(name)}")
        self._tables.change(name.whole)

    def _check_partition(self, name: Name) -> None:
        if not name.partition:
            return
        inside = f'"{self._partitioning(name).field}" IS NOT DISTINCT FROM {_literal(name)}'
        if self._database.run(f"SELECT 1 FROM {STAGE} WHERE NOT ({inside}) LIMIT 1"):
            raise ValidationError(
                "Some rows belong to different partitions rather than destination partition"
                f" {name.partition}"
            )

    def _where(self, name: Name) -> str:
        if not name.partition:
            return ""
        return f' WHERE "{self._partitioning(name).field}" = {_literal(name)}'

    def _partitioning(self, name: Name) -> TimePartitioning:
        found = self._tables.get(name).time_partitioning
        if found is None or found.field is None or found.type != "DAY":
            raise ValidationError(
                f"Table {name.whole} is not partitioned by the days of a column; it has no"
                f" partition {name.partition}."
            )
        return found


def _literal(name: Name) -> str:
    return f"DATE '{datetime.datetime.strptime(name.partition, '%Y%m%d'):%Y-%m-%d}'"
