"""BigQuery's tables and views: what is told of them, what may change, and their rows."""
# ruff: noqa: S608 - queries of our own

import datetime
import time

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.bigquery import SchemaField, Table, TimePartitioning

FIELDS = [SchemaField("date", "DATE", mode="REQUIRED"), SchemaField("id", "INT64")]


@pytest.fixture
def table(client, dataset) -> Table:
    table = Table(f"{dataset}.t", FIELDS)
    table.time_partitioning = TimePartitioning(field="date")
    table.clustering_fields = ["id"]
    table.description = "What it is for"
    table.labels = {"name": "churn", "version": "1"}
    return client.create_table(table)


def insert(client, name: object, values: str) -> None:
    client.query_and_wait(f"INSERT INTO `{name}` (date, id) VALUES {values}")


def view(name: str, query: str) -> Table:
    table = Table(name)
    table.view_query = query
    return table


def test_what_a_table_was_made_with_is_told(client, table):
    found = client.get_table(table)
    assert found.time_partitioning.field == "date"
    assert found.clustering_fields == ["id"]
    assert found.description == "What it is for"
    assert found.labels == {"name": "churn", "version": "1"}
    assert [(field.name, field.mode) for field in found.schema] == [
        ("date", "REQUIRED"),
        ("id", "NULLABLE"),
    ]
    assert (found.num_rows, found.table_type, found.location) == (0, "TABLE", "EU")


def test_a_table_is_made_once(client, table):
    with pytest.raises(Conflict, match="Already Exists: Table"):
        client.create_table(Table(table.reference, FIELDS))


def test_a_table_needs_a_dataset(client, dataset):
    with pytest.raises(NotFound, match="Not found: Dataset"):
        client.create_table(Table(f"{dataset}x.t", FIELDS))


def test_a_deleted_table_is_gone(client, table):
    client.delete_table(table)
    with pytest.raises(NotFound, match="Not found: Table"):
        client.get_table(table)
    with pytest.raises(NotFound):
        client.delete_table(table)


def test_tables_are_listed(client, dataset, table):
    assert [each.table_id for each in client.list_tables(dataset)] == ["t"]


# cloud.google.com/bigquery/docs/managing-tables#updating_a_tables_expiration_time
def test_an_expired_table_is_gone(client, dataset):
    table = Table(f"{dataset}.brief", FIELDS)
    table.expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=0.5)
    assert client.create_table(table).expires is not None
    time.sleep(0.6)
    with pytest.raises(NotFound):
        client.query_and_wait(f"SELECT * FROM `{dataset}.brief`")
    client.create_table(Table(f"{dataset}.brief", FIELDS))


# cloud.google.com/bigquery/docs/managing-table-schemas#add-empty-column
def test_a_column_is_added_and_null(client, table):
    insert(client, table, "(DATE '2024-03-01', 1)")
    table.schema = [*table.schema, SchemaField("note", "STRING", description="Why")]
    assert client.update_table(table, ["schema"]).schema[-1].description == "Why"
    assert [tuple(row) for row in client.list_rows(client.get_table(table))] == [
        (datetime.date(2024, 3, 1), 1, None)
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (FIELDS[:1], "Field id is missing in new schema"),
        ([FIELDS[0], SchemaField("id", "STRING")], "changed type from INTEGER to STRING"),
        ([*FIELDS, SchemaField("x", "STRING", mode="REQUIRED")], "Cannot add required fields"),
    ],
)
def test_columns_are_neither_dropped_nor_changed(client, table, fields, message):
    table.schema = fields
    with pytest.raises(BadRequest, match=message):
        client.update_table(table, ["schema"])


# cloud.google.com/bigquery/docs/deleting-labels
def test_labels_are_merged_and_those_that_are_none_taken_away(client, table):
    table.labels = {"version": "2", "name": None}
    client.update_table(table, ["labels"])
    assert client.get_table(table).labels == {"version": "2"}


def test_who_has_seen_an_old_table_changes_nothing(client, table):
    seen = client.get_table(table)
    table.description = "first"
    client.update_table(table, ["description"])
    seen.description = "second"
    with pytest.raises(PreconditionFailed):
        client.update_table(seen, ["description"])
    assert client.get_table(table).description == "first"


def test_a_required_column_takes_no_null(client, table):
    with pytest.raises(BadRequest):
        insert(client, table, "(NULL, 1)")


def test_a_required_column_may_become_nullable(client, table):
    table.schema = [SchemaField("date", "DATE"), FIELDS[1]]
    client.update_table(table, ["schema"])
    insert(client, table, "(NULL, 1)")
    assert client.get_table(table).num_rows == 1


class TestRows:
    @pytest.fixture(autouse=True)
    def rows(self, client, table):
        insert(client, table, "(DATE '2024-03-01', 1), (DATE '2024-03-02', 2)")

    def test_of_a_partition_are_its_own(self, client, table):
        found = client.list_rows(f"{table}$20240302", selected_fields=FIELDS)
        assert [row["id"] for row in found] == [2]

    def test_of_a_partition_go_with_it_and_no_others(self, client, table):
        client.delete_table(f"{table}$20240301")
        assert [row["id"] for row in client.list_rows(client.get_table(table))] == [2]
        client.delete_table(f"{table}$20240301", not_found_ok=True)

    def test_come_in_pages(self, client, table):
        found = client.list_rows(client.get_table(table), page_size=1)
        assert [len(list(page)) for page in found.pages] == [1, 1]
        assert found.total_rows == 2

    def test_of_a_query_come_in_pages(self, client, table):
        found = client.query(f"SELECT id FROM `{table}` ORDER BY id").result(page_size=1)
        assert [[row.id for row in page] for page in found.pages] == [[1], [2]]

    def test_may_be_chosen_by_column(self, client, table):
        found = client.list_rows(client.get_table(table), selected_fields=[FIELDS[1]])
        assert sorted(tuple(row) for row in found) == [(1,), (2,)]


# cloud.google.com/bigquery/docs/views-intro
class TestViews:
    @pytest.fixture
    def name(self, client, dataset, table) -> str:
        insert(client, table, "(DATE '2024-03-01', 1)")
        client.create_table(view(f"{dataset}.v", f"SELECT * FROM `{table}`"))
        return f"{dataset}.v"

    def rows(self, client, name: str) -> list[tuple]:
        return [tuple(row) for row in client.query_and_wait(f"SELECT * FROM `{name}`")]

    def test_show_their_table(self, client, name, table):
        found = client.get_table(name)
        assert (found.table_type, found.view_query) == ("VIEW", f"SELECT * FROM `{table}`")
        assert [field.name for field in found.schema] == ["date", "id"]
        assert self.rows(client, name) == [(datetime.date(2024, 3, 1), 1)]

    def test_show_columns_that_came_later(self, client, name, table):
        table.schema = [*table.schema, SchemaField("note", "STRING")]
        client.update_table(table, ["schema"], retry=None)
        assert self.rows(client, name) == [(datetime.date(2024, 3, 1), 1, None)]

    def test_are_led_to_another_table(self, client, name, dataset):
        client.query_and_wait(f"CREATE TABLE `{dataset}.other` AS SELECT 7 AS seven")
        changed = client.get_table(name)
        changed.view_query = f"SELECT * FROM `{dataset}.other`"
        changed.labels = {"version": "2"}
        client.update_table(changed, ["view_query", "labels"])
        assert self.rows(client, name) == [(7,)]
        assert client.get_table(name).labels == {"version": "2"}

    def test_are_replaced_by_a_statement(self, client, name):
        client.query_and_wait(f"CREATE OR REPLACE VIEW `{name}` AS SELECT 7 AS seven")
        assert self.rows(client, name) == [(7,)]

    def test_are_made_once(self, client, name):
        with pytest.raises(Conflict):
            client.create_table(view(name, "SELECT 1 AS a"))

    def test_need_their_table(self, client, dataset):
        with pytest.raises(NotFound, match="missing"):
            client.create_table(view(f"{dataset}.v", f"SELECT * FROM `{dataset}.missing`"))
        with pytest.raises(NotFound):
            client.get_table(f"{dataset}.v")

    def test_have_no_rows_of_their_own(self, client, name):
        with pytest.raises(BadRequest, match="Cannot list a table of type VIEW"):
            list(client.list_rows(client.get_table(name)))

    def test_are_counted_by_their_tables_bytes(self, client, name):
        job = client.query(f"SELECT * FROM `{name}`")
        job.result()
        assert job.total_bytes_processed > 0
