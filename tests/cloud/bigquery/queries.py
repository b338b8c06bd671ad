"""Query jobs: into a destination table, into files by EXPORT DATA, or just for their rows.

bqemulator 1.4.0 runs the SQL; it writes no destination table, exports to its own disk, and counts
no bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import duckdb
import pyarrow as pa
from bqemulator.api.dependencies import AppContext
from bqemulator.domain.errors import DomainError, InvalidQueryError, NotFoundError, ValidationError
from bqemulator.jobs.executor import JOB_RESULTS, JOB_SCHEMAS, execute_query_job

from tests.cloud.bigquery.errors import JobError
from tests.cloud.bigquery.messages import BadValueError, explain
from tests.cloud.bigquery.names import Name
from tests.cloud.bigquery.objects import Objects
from tests.cloud.bigquery.rows import Rows
from tests.cloud.bigquery.schemas import absent, arrow_schema, changes, normal
from tests.cloud.bigquery.statements import Statement, repeated
from tests.cloud.bigquery.tables import Tables, fields_of

# cloud.google.com/bigquery/pricing#on_demand_pricing: each table is billed as this at least
_LEAST_BYTES_BILLED = 10 * 2**20
_MEGABYTE = 2**20
_KEPT = ("statementType", "numDmlAffectedRows", "ddlOperationPerformed")


@dataclass
class Query:
    """A query job; `settings` is the REST API's JobConfigurationQuery."""

    project: str
    job: str
    settings: Mapping[str, Any]
    context: AppContext
    tables: Tables
    rows: Rows
    objects: Objects

    @cached_property
    def statement(self) -> Statement:
        default = self.settings.get("defaultDataset")
        pair = default and (default.get("projectId", self.project), default["datasetId"])
        return Statement(str(self.settings["query"]), self.project, pair)

    def datasets(self) -> list[tuple[str, str]]:
        """The datasets that the query names, as (project, dataset)."""
        try:
            named = [*self.statement.names]
        except InvalidQueryError:
            return []  # the job says what is wrong with it
        if "destinationTable" in self.settings:
            named.append(Name.of(self.settings["destinationTable"]))
        return list(dict.fromkeys((each.project, each.dataset) for each in named))

    async def dry_run(self) -> dict[str, Any]:
        """The statistics that the job would have; raises what is wrong but not with the rows.

        Source: cloud.google.com/bigquery/docs/running-queries#dry-run
        """
        sources, kind = self._sources(), self.statement.kind
        size = str(sum(self.rows.bytes(name) for name in sources))
        told = {
            "totalBytesProcessed": size,
            "statementType": kind,
            "referencedTables": [name.reference for name in sources],
        }
        if select := self._select:
            told["schema"] = {"fields": await self._fields(select)}
        return {"totalBytesProcessed": size, "query": told}

    async def run(self) -> dict[str, Any]:
        """Do what the query says; returns the job's statistics."""
        sources = self._sources()
        size = sum(self.rows.bytes(name) for name in sources)
        billed = len(sources) * _LEAST_BYTES_BILLED + size // _MEGABYTE * _MEGABYTE
        self._check_bill(billed)
        did = await self._do()
        return {
            "totalBytesProcessed": str(size),
            "totalSlotMs": str(1 + size // 1000),
            "query": {
                "totalBytesProcessed": str(size),
                "totalBytesBilled": str(billed),
                "totalSlotMs": str(1 + size // 1000),
                "cacheHit": False,
                "referencedTables": [name.reference for name in sources],
                **did,
            },
        }

    @property
    def _select(self) -> str | None:
        """The query whose rows are wanted, if any."""
        if self.statement.export:
            return self.statement.export[0]
        return self.statement.sql if self.statement.kind == "SELECT" else None

    async def _do(self) -> dict[str, Any]:
        select = self._select
        if select is None:
            meta = await self._execute(self.job, self.statement.sql)
            found = (meta.statistics or {}).get("query", {})
            return {name: found[name] for name in _KEPT if name in found}
        rows, fields = await self._result(select)
        if self.statement.export:
            return self._export(rows)
        if "destinationTable" in self.settings:
            await self._fill(Name.of(self.settings["destinationTable"]), rows, fields)
        JOB_RESULTS[self.job], JOB_SCHEMAS[self.job] = rows, fields
        return {"statementType": "SELECT"}

    def _export(self, rows: pa.Table) -> dict[str, Any]:
        """Source: cloud.google.com/bigquery/docs/reference/standard-sql/export-statements."""
        assert self.statement.export is not None
        options: Any = self.statement.export[1]
        if options.format != "PARQUET":
            raise ValidationError("EXPORT DATA writes only Parquet here.")
        files = self.objects.write(options.uri, rows, overwrite=options.overwrite)
        JOB_RESULTS[self.job], JOB_SCHEMAS[self.job] = pa.table({}), []
        return {
            "statementType": "EXPORT_DATA",
            "exportDataStatistics": {"fileCount": str(files), "rowCount": str(rows.num_rows)},
        }

    async def _fill(self, name: Name, rows: pa.Table, fields: list[dict[str, Any]]) -> None:
        """Source: cloud.google.com/bigquery/docs/writing-results#permanent-table."""
        disposition = self.settings.get("writeDisposition", "WRITE_EMPTY")
        if not self.tables.exists(name.whole):
            if self.settings.get("createDisposition") == "CREATE_NEVER":
                raise NotFoundError(f"Not found: Table {name.whole}")
            self.tables.create(name.whole, fields)
        elif disposition == "WRITE_TRUNCATE" and not name.partition:
            self.tables.replace_fields(name, fields)
        else:
            self._check_fields(name, fields)
        await self.rows.write(name, rows, disposition)

    def _check_fields(self, name: Name, fields: list[dict[str, Any]]) -> None:
        old = fields_of(self.tables.get(name))
        needed = [each["name"] for each in absent(old, fields) if each["mode"] == "REQUIRED"]
        gone = [f"Field {column} is missing in new schema" for column in needed]
        for why in (*gone, *changes(old, fields, add=False, relax=True)):
            raise ValidationError(f"Provided Schema does not match Table {name}. {why}")

    async def _fields(self, select: str) -> list[dict[str, Any]]:
        """The columns of a query's result, whatever is wrong with its rows."""
        try:
            return (await self._result(select))[1]
        except BadValueError:
            return (await self._result(f"SELECT * FROM ({select}) LIMIT 0"))[1]  # noqa: S608

    async def _result(self, select: str) -> tuple[pa.Table, list[dict[str, Any]]]:
        """The rows of a query, with the types that BigQuery gives them, and its fields."""
        job = f"{self.job} rows"
        await self._execute(job, select)
        rows, fields = JOB_RESULTS.pop(job), normal(JOB_SCHEMAS.pop(job))
        for field, column in zip(fields, rows.schema, strict=True):
            # cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals: NULL is INT64
            if (column.metadata or {}).get(b"bqemu.duckdb_type") == b'"NULL"':
                field["type"] = "INTEGER"
        if twice := repeated(rows.column_names):
            raise InvalidQueryError(
                "Duplicate column names in the result are not supported. Found duplicate(s):"
                f" {', '.join(twice)}",
                location="query",
            )
        return rows.cast(arrow_schema(fields)), fields

    async def _execute(self, job: str, sql: str) -> Any:
        parameters = self.settings.get("queryParameters")
        try:
            return await execute_query_job(self.project, job, sql, parameters, self.context)
        except (DomainError, duckdb.Error) as error:
            raise explain(error, self.statement.text) from error

    def _check_bill(self, billed: int) -> None:
        """Source: cloud.google.com/bigquery/docs/best-practices-costs#restrict-bytes-billed."""
        limit = self.settings.get("maximumBytesBilled")
        if limit is not None and billed > int(limit):
            why = f"Query exceeded limit for bytes billed: {limit}. {billed} or higher required."
            raise JobError("bytesBilledLimitExceeded", [(why, "")])

    def _sources(self) -> list[Name]:
        """The tables that the query reads, through views too.

        Raises `NotFoundError` when one of a query's is not there.
        """
        found: dict[Name, None] = {}
        for name in self.statement.names:
            if self.tables.exists(name):
                query = self.tables.get(name).view_query
                inner = Statement(query, name.project).names if query else [name]
                found.update(dict.fromkeys(filter(self.tables.exists, inner)))
            elif self._select:
                place = self.tables.location(name.project, name.dataset)
                raise NotFoundError(f"Not found: Table {name} was not found in location {place}")
        return list(found)
