"""A query's rows, left as Parquet in Cloud Storage without passing through this process.

BigQuery tells what the query would return and read, runs it into a table of its own, which is
checked there, and exports that.
"""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

import datetime
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.cloud import bigquery
from google.cloud.bigquery import QueryJob, QueryJobConfig
from requests.exceptions import RequestException

from pipeline import storage
from pipeline.errors import QueryError, StorageError
from pipeline.google_cloud import REQUEST_SECONDS
from pipeline.storage import Stat
from pipeline.warehouse import Extraction, refusals
from pipeline.warehouse.google.dataset import RETRY
from pipeline.warehouse.google.failures import over_limit
from pipeline.warehouse.google.jobs import Answer, Jobs, cost, date_parameters, logger
from pipeline.warehouse.google.types import as_exported
from pipeline.warehouse.parsing import find_origins, parse

_SHOWN_KEYS = 5
_KEEP = datetime.timedelta(days=1)
_DELETE_SECONDS = 10


@dataclass
class Extractor:
    """One query for one folder. All its names come from both, so that each job is run once."""

    jobs: Jobs
    query: str
    parameters: Mapping[str, datetime.date]
    key: Sequence[str]
    folder: str
    done: dict[str, QueryJob] = field(default_factory=dict)

    def run(self) -> Extraction:
        plan = self._plan()
        columns = as_exported(plan.schema or ())
        self._check_columns(columns)
        table = self._make_table(plan)
        try:
            rows = self._fill(table)
            self._check_key(table)
            self._export(table)
        finally:
            self._delete(table)
        return Extraction(self._find_files(), rows, columns, self._tell(plan))

    def estimate(self) -> int:
        """Bytes that the query would read."""
        return self._plan().total_bytes_processed or 0

    @property
    def _date(self) -> datetime.date | None:
        """The run's: no query is told of a later one."""
        return max(self.parameters.values(), default=None)

    def _name(self, does: str) -> str:
        return self.jobs.name(does, self._date, self.folder, self.query, self.parameters)

    def _config(self, does: str) -> QueryJobConfig:
        return QueryJobConfig(labels=self.jobs.label(does, self._date))

    def _reading(self, does: str) -> QueryJobConfig:
        """For a query in the user's words."""
        config = self._config(does)
        config.query_parameters = date_parameters(self.parameters)
        config.default_dataset = self.jobs.dataset.source
        return config

    def _run(
        self, does: str, query: str, config: QueryJobConfig, *, by_user: bool = False
    ) -> Answer:
        answer = self.jobs.query(query, config, self._name(does), by_user=by_user)
        self.done[does] = answer.job
        return answer

    def _plan(self) -> QueryJob:
        plan = self.jobs.plan(self.query, self._reading("plan"))
        if plan.statement_type != "SELECT":
            raise refusals.no_select()
        would, limit = plan.total_bytes_processed or 0, self.jobs.maximum_bytes_billed
        date = f"{self._date}: " if self._date else ""
        logger.info("%sthe query will read %s bytes (at most %s)", date, f"{would:,}", f"{limit:,}")
        if would > limit:
            raise over_limit(f"The query would read {would:,} bytes", limit)
        return plan

    def _check_columns(self, columns: Mapping[str, str]) -> None:
        known = {name.lower() for name in columns}
        for name in self.key:
            if name.lower() not in known:
                raise refusals.no_key_column(name)

    def _make_table(self, plan: QueryJob) -> str:
        """An empty table for the rows, which goes away by itself when we can't delete it."""
        dataset = self.jobs.dataset
        path = dataset.path(self._name("extract"))
        table = bigquery.Table(path, schema=plan.schema)
        table.expires = datetime.datetime.now(datetime.UTC) + _KEEP
        table.description = f"On its way to {self.folder}. Can be deleted."
        table.labels = self.jobs.label("extract", self._date)
        with dataset.naming(f"make the table {path}"):
            dataset.client.create_table(table, exists_ok=True, retry=RETRY, timeout=REQUEST_SECONDS)
        return path

    def _fill(self, table: str) -> int:
        config = self._reading("extract")
        config.destination = bigquery.TableReference.from_string(table)
        config.create_disposition = bigquery.CreateDisposition.CREATE_NEVER
        config.write_disposition = bigquery.WriteDisposition.WRITE_TRUNCATE
        rows = self._run("extract", self.query, config, by_user=True).rows.total_rows
        if not rows:
            raise refusals.no_rows_returned(self.parameters)
        return int(rows)

    def _check_key(self, table: str) -> None:
        nulls = ", ".join(
            f"COUNTIF({_quote(name)} IS NULL) AS null_{number}"
            for number, name in enumerate(self.key)
        )
        query = (
            f"SELECT (SELECT COUNT(*) FROM ({self._repeated(_quote(table), '1')})) AS repeated,"
            f" {nulls} FROM {_quote(table)}"
        )
        (row,) = self._run("check", query, self._config("check")).rows
        for number, name in enumerate(self.key):
            if row[f"null_{number}"]:
                raise refusals.bad_key("The query", refusals.null_key(name, row[f"null_{number}"]))
        if row["repeated"]:
            problem = refusals.repeated_keys(row["repeated"], self._first_repeated(table))
            raise refusals.bad_key(self._blame(), problem)

    def _first_repeated(self, table: str) -> list[tuple[object, ...]]:
        query = self._repeated(_quote(table), self._keys)
        query += f" ORDER BY {self._keys} LIMIT {_SHOWN_KEYS}"
        return [row.values() for row in self._run("name", query, self._config("name")).rows]

    def _blame(self) -> str:
        """Which of the queries that were joined repeats a key: the first, as on every side."""
        with suppress(QueryError):
            for number, (name, tree) in enumerate(find_origins(parse(self.query))):
                query = self._repeated(f"({tree.sql('bigquery')})", "1") + " LIMIT 1"
                config = self._reading("blame")
                if self._run(f"blame{number}", query, config, by_user=True).rows.total_rows:
                    return f"The query of the {name}"
        return "The query"

    @property
    def _keys(self) -> str:
        return ", ".join(map(_quote, self.key))

    def _repeated(self, source: str, chosen: str) -> str:
        return f"SELECT {chosen} FROM {source} GROUP BY {self._keys} HAVING COUNT(*) > 1"

    def _export(self, table: str) -> None:
        """Rows in order go to files in order.

        Source: cloud.google.com/bigquery/docs/reference/standard-sql/export-statements
        """
        options = (
            f"uri = {_literal(f'{self.folder}/part-*.parquet')}, format = 'PARQUET',"
            " compression = 'SNAPPY', overwrite = true"
        )
        query = (
            f"EXPORT DATA OPTIONS ({options})"
            f" AS SELECT * FROM {_quote(table)} ORDER BY {self._keys}"
        )
        self._run("export", query, self._config("export"))

    def _delete(self, table: str) -> None:
        """As well as can be: nobody waits long for it, and tomorrow the table is gone anyway."""
        with suppress(GoogleAPIError, RequestException):
            self.jobs.dataset.client.delete_table(
                table,
                not_found_ok=True,
                retry=RETRY.with_timeout(_DELETE_SECONDS),
                timeout=_DELETE_SECONDS,
            )

    def _find_files(self) -> dict[str, Stat]:
        found = storage.open(self.folder).stats(self.folder)
        start = f"{self.folder}/part-"
        files = {url: stat for url, stat in found.items() if url.startswith(start)}
        if not files:
            raise StorageError(
                f"BigQuery exported to {self.folder}, but no file is there. Run the command again."
            )
        return files

    def _tell(self, plan: QueryJob) -> dict[str, Any]:
        return {
            "bigquery": {
                "location": self.jobs.dataset.location,
                "jobs": {does: job.job_id for does, job in self.done.items()},
                "bytes_planned": plan.total_bytes_processed,
                **cost(self.done.values()),
            }
        }


def _quote(name: str) -> str:
    return f"`{name}`"


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
