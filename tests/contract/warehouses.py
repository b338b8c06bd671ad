"""The sides of the warehouse port that suites run over, and tables to put into them."""

import datetime
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from google.cloud import bigquery

from pipeline import storage, warehouse
from pipeline.google_cloud import credentials
from pipeline.warehouse import Batch, Warehouse
from pipeline.warehouse.google import GoogleWarehouse
from tests.cloud.fixtures import Cloud

DAY, NEXT_DAY = datetime.date(1998, 4, 1), datetime.date(1998, 4, 2)


ORDERS = pa.table(
    {
        "id": [3, 1, 2, 1],
        "date": [datetime.date(1998, 3, day) for day in (1, 2, 3, 4)],
        "amount": [0.1, 0.2, 0.3, 0.7],
        "placed_at": pa.array(
            [datetime.datetime(1998, 3, day, 23, 30, tzinfo=datetime.UTC) for day in (1, 2, 3, 4)],
            pa.timestamp("us", "UTC"),
        ),
    }
)


@dataclass
class Side:
    """A folder in storage, and a warehouse made of tables, for the model "churn" or another.

    `other_dates` is what it calls the dates of rows that should be of 1998-04-01 and are not.
    """

    folder: str
    make: Callable[..., Warehouse]
    other_dates: str
    attempts: Iterator[int] = field(default_factory=itertools.count)

    def put(self, name: str, table: pa.Table) -> str:
        url = f"{self.folder}/{name}"
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        storage.open(url).write(url, buffer.getvalue())
        return url

    def batch(self, *tables: pa.Table, date: datetime.date = DAY) -> Batch:
        """The tables as files of an attempt of its own, which are said to be as the first is."""
        attempt = f"{self.folder}/attempt-{next(self.attempts)}"
        name = attempt.removeprefix(f"{self.folder}/")
        return Batch(
            date=date,
            files=[self.put(f"{name}/part-{n}.parquet", each) for n, each in enumerate(tables)],
            columns={column.name: str(column.type) for column in tables[0].schema},
            key=["id"],
            attempt=attempt,
            rows=sum(table.num_rows for table in tables),
        )

    def get(self, url: str) -> pa.Table:
        return pq.read_table(io.BytesIO(storage.open(url).read(url)))


def local_side(tmp_path: Path) -> Side:
    # DuckDB takes a column from a folder named so, and brackets for a pattern, unless told not to.
    folder = tmp_path / "date=2001-01-01" / "a [b]"

    def make(tables: dict[str, pa.Table], owner: str = "churn") -> Warehouse:
        urls = {name: side.put(f"tables/{name}.parquet", table) for name, table in tables.items()}
        return warehouse.open(str(tmp_path / "warehouse.duckdb"), urls, owner)

    side = Side(str(folder), make, other_dates="1998-04-02")
    return side


def google_side(cloud: Cloud, **options: Any) -> Side:
    """`options` take the place of the warehouse's own; the environment leads to the servers."""
    folder, predictions, source = cloud.new_bucket(), cloud.new_dataset(), cloud.new_dataset()
    project, dataset = predictions.split(".")

    def make(tables: dict[str, pa.Table], owner: str = "churn") -> Warehouse:
        for name, table in tables.items():
            home, _, table_name = name.rpartition(".")
            home = make_dataset(project, home) if home else source
            put_table(f"{home}.{table_name}", side.put("table", table))
        values = {
            "billing_project": project,
            "source_dataset": source,
            "maximum_bytes_billed": 10**9,
            "labels": {"name": owner, "version": "1"},
            **options,
        }
        return GoogleWarehouse(project, dataset, **values)

    side = Side(f"{folder}/a [b]", make, other_dates="another date")
    return side


def make_dataset(project: str, name: str) -> str:
    """Make a dataset of one or two parts where it is not there, and return it with its project."""
    home = name if "." in name else f"{project}.{name}"
    dataset = bigquery.Dataset(home)
    dataset.location = "EU"
    connect(project).create_dataset(dataset, exists_ok=True)
    return home


def put_table(name: str, url: str) -> None:
    """Make project.dataset.table of the rows of the Parquet file at `url`."""
    project, dataset, _ = name.split(".")
    client = connect(project)
    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
    where = client.get_dataset(f"{project}.{dataset}").location
    client.load_table_from_uri(url, name, job_config=config, location=where).result()


def connect(project: str) -> bigquery.Client:
    return bigquery.Client(project=project, credentials=credentials("BIGQUERY_EMULATOR_HOST"))


def predictions(date: datetime.date = DAY, **columns: object) -> pa.Table:
    columns = {"id": [2, 1], "chance": [0.25, 0.5], **columns}
    rows = len(columns["id"])
    return pa.table({**columns, "date": pa.array([date] * rows, pa.date32())})
