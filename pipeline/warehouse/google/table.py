"""Tables and views of the dataset: looked at, made, and compared with what is to be loaded."""

import datetime
from collections.abc import Mapping

from google.api_core.exceptions import NotFound
from google.cloud import bigquery

from pipeline.errors import TableError
from pipeline.google_cloud import REQUEST_SECONDS
from pipeline.times import today
from pipeline.warehouse import Batch, refusals
from pipeline.warehouse.google.dataset import RETRY, Dataset, label
from pipeline.warehouse.google.types import choose_clusters, describe, to_schema
from pipeline.warehouse.types import compare

_DATE = "date"


def find(dataset: Dataset, name: str) -> bigquery.Table | None:
    """The table or view called `name`; None when there is none."""
    with dataset.naming(f"look at {dataset.path(name)}"):
        try:
            return dataset.client.get_table(
                dataset.path(name), retry=RETRY, timeout=REQUEST_SECONDS
            )
        except NotFound as error:
            if "Not found: Dataset" in str(error.message):
                raise
            return None


def ready(
    dataset: Dataset, name: str, batch: Batch, columns: Mapping[str, str], labels: Mapping[str, str]
) -> bigquery.Table:
    """The table, made when it is not there. Raise `TableError` when `columns` don't go into it.

    `columns` are name -> BigQuery's type. Those that the table lacks are added by the load itself.
    """
    found = find(dataset, name) or _make(dataset, name, batch, columns, labels)
    refuse_foreign(dataset, name, found, labels)
    partitioning = found.time_partitioning
    if partitioning is None or (partitioning.field, partitioning.type_) != (_DATE, "DAY"):
        raise TableError(
            f"{dataset.path(name)} is not partitioned by the days of the column {_DATE}. Rename it,"
            " or raise `version` under [pipeline] in luigi.cfg: a new version has a table of its"
            " own."
        )
    _check_expiration(dataset.path(name), partitioning, batch.date)
    differences = compare(describe(found.schema), columns)
    if differences:
        raise refusals.misfit(name, batch.date, differences)
    return found


def by_days() -> bigquery.TimePartitioning:
    """How each of our tables is partitioned."""
    return bigquery.TimePartitioning(type_=bigquery.TimePartitioningType.DAY, field=_DATE)


def _check_expiration(
    table: str, partitioning: bigquery.TimePartitioning, date: datetime.date
) -> None:
    """Raise `TableError` when BigQuery would take the rows and drop them at once.

    A table has the limit of its dataset, unless it has its own. Source:
    cloud.google.com/bigquery/docs/managing-partitioned-tables#partition-expiration
    """
    if not partitioning.expiration_ms:
        return
    kept = datetime.timedelta(milliseconds=int(partitioning.expiration_ms))
    if today() - date < kept:
        return
    raise TableError(
        f"{table} keeps a date for {kept.days} days, so that rows of {date} would be dropped at"
        f" once. Ask for later dates, or type `ALTER TABLE {table} SET OPTIONS"
        " (partition_expiration_days = NULL)` in BigQuery."
    )


def refuse_foreign(
    dataset: Dataset, name: str, found: bigquery.Table, labels: Mapping[str, str]
) -> None:
    """Raise `TableError` when what was found is not ours to change: a view, another model's."""
    if found.table_type == "VIEW":
        raise refusals.is_view(name)
    owner, ours = found.labels.get("name"), label(labels).get("name")
    if owner and ours and owner != ours:
        raise refusals.foreign(dataset.path(name), owner, ours, "its labels say", "dataset")


def find_view(dataset: Dataset, name: str) -> bigquery.Table | None:
    """The view called `name`; None when there is none. Raises `TableError` when it is a table."""
    found = find(dataset, name)
    if found is not None and found.table_type != "VIEW":
        raise refusals.is_table(name)
    return found


def publish(
    dataset: Dataset,
    name: str,
    table: str,
    labels: Mapping[str, str],
    *,
    found: bigquery.Table | None,
    replace: bool,
) -> None:
    """Make the view `name`; one that was found stays, or shows `table` from now on (`replace`)."""
    if found is not None and not replace:
        return
    view = bigquery.Table(dataset.path(name))
    view.view_query = f"SELECT * FROM `{dataset.path(table)}`"  # noqa: S608 - quoted
    view.description = f"Shows {table}, all of it."
    view.labels = label(labels)
    with dataset.naming(f"make the view {dataset.path(name)}"):
        try:
            _put_view(dataset, view, found, replace=replace)
        except NotFound as error:
            if "Not found: Table" not in str(error.message):
                raise
            raise refusals.missing_table(table) from None


def _put_view(
    dataset: Dataset, view: bigquery.Table, found: bigquery.Table | None, *, replace: bool
) -> None:
    """Make `view`, or change the one that was found."""
    if found is None:
        made = dataset.client.create_table(
            view, exists_ok=True, retry=RETRY, timeout=REQUEST_SECONDS
        )
        if made.table_type != "VIEW":
            raise refusals.is_table(view.table_id)
        # Another made it at the same moment, for another table.
        found = made if replace and made.view_query != view.view_query else None
    if found is not None:
        # Without what was read before: whoever asks last is heard.
        dataset.client.update_table(
            view, ["view_query", "description", "labels"], retry=RETRY, timeout=REQUEST_SECONDS
        )


def _make(
    dataset: Dataset,
    name: str,
    batch: Batch,
    columns: Mapping[str, str],
    labels: Mapping[str, str],
) -> bigquery.Table:
    """The new table, or the one that another made at the same moment."""
    table = bigquery.Table(dataset.path(name), schema=to_schema(columns))
    table.time_partitioning = by_days()
    table.clustering_fields = choose_clusters(columns, batch.key) or None
    table.description = f"{batch.holds} Each date is loaded, and replaced, whole."
    table.labels = label(labels)
    with dataset.naming(f"make the table {dataset.path(name)}"):
        return dataset.client.create_table(
            table, exists_ok=True, retry=RETRY, timeout=REQUEST_SECONDS
        )
