"""One date of a table: replaced whole by a load job, or not at all."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from google.cloud import bigquery
from google.cloud.bigquery import LoadJob, LoadJobConfig

from pipeline.errors import DataError, TableError
from pipeline.google_cloud import REQUEST_SECONDS
from pipeline.warehouse import Batch, Loaded, refusals
from pipeline.warehouse.google import table as tables
from pipeline.warehouse.google.dataset import RETRY
from pipeline.warehouse.google.failures import read_failure
from pipeline.warehouse.google.jobs import Jobs
from pipeline.warehouse.google.types import to_schema
from pipeline.warehouse.types import as_bigquery

_DATE = "date"


def replace(jobs: Jobs, batch: Batch, table: str) -> Loaded:
    """Put the rows of the batch in place of those of its date, in one step of BigQuery's."""
    _check(batch, table)
    columns = as_bigquery(batch.columns)
    if columns.get(_DATE) != "DATE":
        raise refusals.no_date_column(table, batch.date)
    found = tables.ready(jobs.dataset, table, batch, columns, jobs.labels)
    job = jobs.load(
        batch.files,
        f"{jobs.dataset.path(table)}${batch.date:%Y%m%d}",
        _configure(columns, found, jobs.label("load", batch.date)),
        jobs.name("load", batch.date, batch.attempt, table),
    )
    if job.error_result:
        raise read_failure(job, batch, table)
    if not job.output_rows:
        raise DataError(
            f"The files for {table} of {batch.date} held no rows, and the partition is empty now."
            " Find out why nothing was predicted."
        )
    return Loaded(int(job.output_rows), _tell(job))


def clear(jobs: Jobs, table: str, date: datetime.date) -> None:
    """Delete the partition of `date`, which costs nothing. No-op when it is not there.

    Source: cloud.google.com/bigquery/docs/managing-partitioned-tables#delete_a_partition
    """
    dataset = jobs.dataset
    found = tables.find(dataset, table)
    if found is None:
        return
    tables.refuse_foreign(dataset, table, found, jobs.labels)
    partition = f"{dataset.path(table)}${date:%Y%m%d}"
    with dataset.naming(f"delete the partition {partition}"):
        dataset.client.delete_table(
            partition, retry=RETRY, timeout=REQUEST_SECONDS, not_found_ok=True
        )


def _check(batch: Batch, table: str) -> None:
    """Refuse what BigQuery would take: it would empty the partition, or misread a time."""
    if not batch.files:
        raise refusals.no_files(table, batch.date)
    if batch.rows == 0:
        raise refusals.no_rows(table, batch.date)
    for name, kind in batch.columns.items():
        # Source: cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet
        if re.match(r"time(stamp|64)\[ns", kind):
            raise TableError(
                f"{name} is {kind}, and BigQuery reads no nanoseconds from Parquet. Round it to"
                " microseconds."
            )


def _configure(
    columns: Mapping[str, str], table: bigquery.Table, labels: Mapping[str, str]
) -> LoadJobConfig:
    lists = bigquery.ParquetOptions()  # type: ignore[no-untyped-call]
    lists.enable_list_inference = True
    config = LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        schema=to_schema(columns),
        autodetect=False,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        schema_update_options=[bigquery.SchemaUpdateOption.ALLOW_FIELD_ADDITION],
        # As the table has them, since a job without them can be taken for one of another table.
        time_partitioning=tables.by_days(),
        clustering_fields=table.clustering_fields,
        labels=dict(labels),
    )
    config.parquet_options = lists
    return config


def _tell(job: LoadJob) -> dict[str, Any]:
    return {
        "bigquery": {
            "location": job.location,
            "jobs": {"load": job.job_id},
            # Nothing is billed for a load: cloud.google.com/bigquery/pricing#data_ingestion_pricing
            "bytes_billed": 0,
            "bytes_loaded": job.output_bytes,
        }
    }
