"""A warehouse in BigQuery: queries run there, data and predictions never pass through here.

What is asked for is a job that this process only starts and waits for. Its name is derived from
the attempt, so that it runs once, however often it is asked for.
"""

import datetime
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from google.cloud.bigquery import QueryJobConfig, Table

from pipeline.warehouse import Batch, Extraction, Loaded, refusals
from pipeline.warehouse.google import partition
from pipeline.warehouse.google import table as tables
from pipeline.warehouse.google.dataset import Dataset
from pipeline.warehouse.google.extraction import Extractor
from pipeline.warehouse.google.jobs import Jobs, date_parameters
from pipeline.warehouse.google.types import describe
from pipeline.warehouse.types import find_differences

if TYPE_CHECKING:
    import pyarrow as pa


class GoogleWarehouse:
    """`Warehouse` in a dataset of BigQuery.

    Parameters
    ----------
    project, dataset : str
        Where predictions go. All jobs run in this dataset's location.
    billing_project : str
        Who pays for queries.
    source_dataset : str
        The project.dataset that queries read from when a table has no dataset. It is only read.
    maximum_bytes_billed : int
        No query may be billed more.
    labels : name -> value
        Set on every table and job.
    """

    def __init__(
        self,
        project: str,
        dataset: str,
        *,
        billing_project: str,
        source_dataset: str,
        maximum_bytes_billed: int,
        labels: Mapping[str, str],
    ) -> None:
        self.dataset = Dataset(project, dataset, billing_project, source_dataset)
        self.jobs = Jobs(self.dataset, maximum_bytes_billed, labels)
        # Views that were looked for, until they are published: nobody looks twice.
        self._looked_for: dict[str, Table | None] = {}

    def extract(
        self,
        query: str,
        parameters: Mapping[str, datetime.date],
        key: Sequence[str],
        folder: str,
    ) -> Extraction:
        return Extractor(self.jobs, query, parameters, key, folder).run()

    def ask(self, query: str, parameters: Mapping[str, datetime.date]) -> object:
        date = max(parameters.values(), default=None)
        config = QueryJobConfig(
            query_parameters=date_parameters(parameters), labels=self.jobs.label("ask", date)
        )
        config.default_dataset = self.dataset.source
        rows = self.jobs.query(query, config, by_user=True).rows
        with self.dataset.naming("read what a query returned"):
            return refusals.one_value([row.values() for row in islice(rows, 2)])

    def estimate(self, query: str, parameters: Mapping[str, datetime.date]) -> int | None:
        return Extractor(self.jobs, query, parameters, (), "").estimate()

    def load(self, batch: Batch, table: str) -> Loaded:
        return partition.replace(self.jobs, batch, table)

    def clear(self, table: str, date: datetime.date) -> None:
        partition.clear(self.jobs, table, date)

    def differences(self, table: str, columns: Mapping[str, str]) -> list[str]:
        found = tables.find(self.dataset, table)
        return find_differences(describe(found.schema) if found else {}, columns)

    def read(
        self,
        table: str,
        date: datetime.date,
        *,
        order: Sequence[str] = (),
        rows: int | None = None,
    ) -> "pa.Table":
        if tables.find(self.dataset, table) is None:
            raise refusals.missing_table(table)
        query = f"SELECT * FROM `{self.dataset.path(table)}` WHERE date = @date"  # noqa: S608
        if order:
            query += f" ORDER BY {', '.join(f'`{name}`' for name in order)}"
        if rows is not None:
            query += f" LIMIT {rows:d}"
        config = QueryJobConfig(
            query_parameters=date_parameters({"date": date}), labels=self.jobs.label("read", date)
        )
        found = self.jobs.query(query, config).rows
        with self.dataset.naming(f"read {self.dataset.path(table)}"):
            return found.to_arrow(create_bqstorage_client=False)

    def examine(self) -> str:
        self.jobs.plan("SELECT 1", QueryJobConfig())
        place, payer = f"{self.dataset.project}.{self.dataset.name}", self.dataset.billing_project
        return f"{place} lies in {self.dataset.location}; {payer} may run queries"

    def check_view(self, view: str) -> None:
        if view not in self._looked_for:
            self._looked_for[view] = tables.find_view(self.dataset, view)

    def publish(self, view: str, table: str, *, replace: bool = False) -> None:
        self.check_view(view)
        found = self._looked_for.pop(view)
        tables.publish(self.dataset, view, table, self.jobs.labels, found=found, replace=replace)
