"""Tables and views: what there is, with which columns. Their rows are in rows.py."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from bqemulator.api.dependencies import AppContext
from bqemulator.catalog.etag import generate_etag
from bqemulator.catalog.models import TableFieldSchema, TableMeta, TableSchema
from bqemulator.domain.errors import (
    AlreadyExistsError,
    DomainError,
    NotFoundError,
)
from bqemulator.jobs.executor import execute_query_job
from bqemulator.storage.type_map import bq_schema_to_duckdb_columns

from tests.cloud.bigquery.database import Database
from tests.cloud.bigquery.names import Name
from tests.cloud.bigquery.schemas import Field, normal

_TOLD = {"name", "type", "mode", "description"}


class Tables:
    def __init__(self, context: AppContext, database: Database) -> None:
        self._context = context
        self._catalog = context.catalog
        self._database = database

    def location(self, project: str, dataset: str) -> str:
        """Where a dataset lies; raises `NotFoundError`."""
        found = self._catalog.get_dataset(project, dataset)
        if found is None:
            raise NotFoundError(f"Not found: Dataset {project}:{dataset}")
        return found.location

    def get(self, name: Name) -> TableMeta:
        """Raises `NotFoundError` when there is no table, or it has expired."""
        self.sweep()
        self.location(name.project, name.dataset)
        found = self._catalog.get_table(name.project, name.dataset, name.table)
        if found is None:
            raise NotFoundError(f"Not found: Table {name.whole}")
        return found

    def names(self, project: str, dataset: str) -> list[Name]:
        self.location(project, dataset)
        found = self._catalog.list_tables(project, dataset)
        return [Name(project, dataset, each.table_id) for each in found]

    def refuse_existing(self, name: Name) -> None:
        """Raise `AlreadyExistsError` when there is such a table."""
        if self.exists(name):
            raise AlreadyExistsError(f"Already Exists: Table {name}")

    def exists(self, name: Name) -> bool:
        try:
            self.get(name)
        except NotFoundError:
            return False
        return True

    def sweep(self) -> None:
        """Drop what has expired: cloud.google.com/bigquery/docs/managing-tables (expiration)."""
        now = self._context.clock.now()
        for dataset in self._catalog.list_all_datasets():
            for table in self._catalog.list_tables(dataset.project_id, dataset.dataset_id):
                if table.expiration_time is not None and table.expiration_time <= now:
                    self.drop(Name(table.project_id, table.dataset_id, table.table_id))

    def create(self, name: Name, fields: Sequence[Field], **about: Any) -> TableMeta:
        """An empty table. Raises `AlreadyExistsError`, and `NotFoundError` without a dataset."""
        self.location(name.project, name.dataset)
        self.refuse_existing(name)
        self._database.run(f"CREATE TABLE {name.in_duckdb} ({_definitions(fields)})")
        now = self._context.clock.now()
        meta = TableMeta(
            project_id=name.project,
            dataset_id=name.dataset,
            table_id=name.table,
            schema=make_schema(fields),
            creation_time=now,
            last_modified_time=now,
            etag="",
            **about,
        )
        self._catalog.create_table(meta)
        return self.change(name)

    async def create_view(self, name: Name, query: str) -> TableMeta:
        """Make the view, or make it anew; raises as BigQuery does when the query is wrong."""
        self.location(name.project, name.dataset)
        known = self._catalog.get_table(name.project, name.dataset, name.table)
        if known is not None and known.table_type != "VIEW":
            raise AlreadyExistsError(f"Already Exists: Table {name}")
        quoted = f"`{name.project}`.`{name.dataset}`.`{name.table}`"
        statement = f"CREATE OR REPLACE VIEW {quoted} AS {query}"
        await execute_query_job(name.project, "view", statement, None, self._context)
        # Making it forgets what else is known of it.
        kept = {} if known is None else {"labels": known.labels, "description": known.description}
        return self.change(name, view_query=query, **kept)

    def drop(self, name: Name) -> None:
        """Raises `NotFoundError`."""
        found = self._catalog.get_table(name.project, name.dataset, name.table)
        if found is None:
            raise NotFoundError(f"Not found: Table {name}")
        kind = "VIEW" if found.table_type == "VIEW" else "TABLE"
        self._database.run(f"DROP {kind} IF EXISTS {name.in_duckdb}")
        self._catalog.delete_table(name.project, name.dataset, name.table)

    def change(self, name: Name, **values: Any) -> TableMeta:
        """Note new values of a table's `TableMeta`, and that it has changed."""
        meta = self._catalog.get_table(name.project, name.dataset, name.table)
        assert meta is not None
        now = self._context.clock.now()
        etag = generate_etag(str(name.whole), now.isoformat(), repr(values))
        update = {"last_modified_time": now, "etag": etag, **values}
        return self._catalog.update_table(meta.model_copy(update=update))

    def replace_fields(self, name: Name, fields: Sequence[Field]) -> None:
        """Give a table other columns, and no rows.

        Source: cloud.google.com/bigquery/docs/reference/rest/v2/Job (writeDisposition)
        """
        self._database.run(f"DROP TABLE {name.in_duckdb}")
        self._database.run(f"CREATE TABLE {name.in_duckdb} ({_definitions(fields)})")
        self.change(name, schema_=make_schema(fields))

    async def set_fields(self, name: Name, fields: Sequence[Field]) -> None:
        """Give a table these columns, of which it has some already, in this order."""
        with self._database.transaction():
            self.alter(name, fields)
        self.change(name, schema_=make_schema(fields))
        await self.renew_views()

    def alter(self, name: Name, fields: Sequence[Field]) -> None:
        """Add the columns that are new, and let those be null that were not.

        For use in a transaction; `change` and `renew_views` come after it.
        """
        known = {field.name: field.mode for field in self.get(name).schema_.fields}
        for field, (column, kind) in zip(normal(fields), _columns(fields), strict=True):
            table = f"ALTER TABLE {name.in_duckdb}"
            if column not in known:
                self._database.run(f'{table} ADD COLUMN "{column}" {kind}')
            elif known[column] == "REQUIRED" and field["mode"] != "REQUIRED":
                self._database.run(f'{table} ALTER COLUMN "{column}" DROP NOT NULL')

    async def renew_views(self) -> None:
        """Let views see their tables' new columns, as they do.

        Source: cloud.google.com/bigquery/docs/views-intro (limitations: schemas)
        """
        for dataset in self._catalog.list_all_datasets():
            for view in self._catalog.list_views(dataset.project_id, dataset.dataset_id):
                name = Name(view.project_id, view.dataset_id, view.table_id)
                with suppress(DomainError):  # a view whose table is gone stays as it is
                    await self.create_view(name, view.view_query or "")


def make_schema(fields: Sequence[Field]) -> TableSchema:
    made = [
        TableFieldSchema(
            name=each["name"],
            type=each["type"],
            mode=each["mode"],
            description=each.get("description"),
        )
        for each in normal(fields)
    ]
    return TableSchema(fields=tuple(made))


def fields_of(meta: TableMeta) -> list[dict[str, Any]]:
    """The columns of a table, as the REST API writes them."""
    told = [field.model_dump(include=_TOLD, exclude_none=True) for field in meta.schema_.fields]
    return normal(told)


def _columns(fields: Sequence[Field]) -> list[tuple[str, str]]:
    """Names and DuckDB's types; what is REQUIRED is not null, in DuckDB too."""
    columns = bq_schema_to_duckdb_columns(normal(fields))
    required = {each["name"] for each in normal(fields) if each["mode"] == "REQUIRED"}
    return [(name, f"{kind} NOT NULL" if name in required else kind) for name, kind in columns]


def _definitions(fields: Sequence[Field]) -> str:
    return ", ".join(f'"{column}" {kind}' for column, kind in _columns(fields))
