"""BigQuery's queries: their words for what is wrong, destination tables, and exports."""

import datetime
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter, SchemaField

DAY = datetime.date(2024, 3, 1)
ORDERS = """
CREATE TABLE {name} AS
SELECT 3 AS id, DATE '2024-02-03' AS date, NUMERIC '1.5' AS amount, 'c' AS `order`
UNION ALL SELECT 1, DATE '2024-02-01', NUMERIC '0.5', 'a'
UNION ALL SELECT 2, NULL, NULL, ''
"""
DATE = ScalarQueryParameter("date", "DATE", DAY)


@pytest.fixture
def orders(client, dataset) -> str:
    """A table of three orders, named without its dataset."""
    client.query_and_wait(ORDERS.format(name=f"`{dataset}.orders`"))
    return "orders"


@pytest.fixture
def ask(client, dataset):
    """Run a query, whose tables need no dataset; `ask(query, **config)` returns its job, done."""

    def ask(query: str, **config: object) -> bigquery.QueryJob:
        chosen = {"default_dataset": dataset, "query_parameters": [DATE], **config}
        job = client.query(query, QueryJobConfig(**chosen), job_retry=None)
        if not config.get("dry_run"):
            job.result()
        return job

    return ask


def rows(job: bigquery.QueryJob) -> list[tuple]:
    return [tuple(row) for row in job.result()]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT ident FROM orders", r"Unrecognized name: ident at \[1:8\]"),
        ("SELECT o.ident FROM orders AS o", r"ident"),
        ("SELECT\n  (1 FROM orders", r'Expected "\)" but got keyword FROM at \[2:6\]'),
        ("SELECT 'abc FROM orders", r"Syntax error: Unclosed string literal at \[1:8\]"),
        ("SELEC 1", r'Syntax error: Unexpected identifier "SELEC" at \[1:1\]'),
        ("SELECT id FROM orders WHERE id > 1 AND", r"Unexpected end of script at \[1:39\]"),
        ("SELECT NO_SUCH_THING(id) FROM orders", r"Function not found: NO_SUCH_THING at \[1:8\]"),
        ("SELECT @later", r"Query parameter 'later' not found at \[1:8\]"),
        ("SELECT 1 AS id, 2 AS ID", r"Duplicate column names .* Found duplicate\(s\): id"),
        ("SELECT id FROM orders a, orders b", r"Column name id is ambiguous at \[1:8\]"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_is_wrong_is_said_in_bigquerys_words(ask, orders, query, message, dry_run):
    with pytest.raises(BadRequest, match=message):
        ask(query, dry_run=dry_run)


def test_a_missing_table_is_named_with_its_place(ask, dataset):
    name = dataset.replace(".", ":")
    with pytest.raises(NotFound, match=f"Not found: Table {name}.no was not found in location EU"):
        ask("SELECT 1 FROM no")


def test_a_bad_value_is_found_by_the_query_and_not_by_a_dry_run(ask, orders):
    query = "SELECT CAST(`order` AS INT64) AS number FROM orders"
    assert [field.field_type for field in ask(query, dry_run=True).schema] == ["INTEGER"]
    with pytest.raises(BadRequest, match="Bad int64 value: c"):
        ask(query)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("SELECT id FROM orders", "SELECT"),
        ("SELECT id FROM orders; -- done", "SELECT"),
        ("WITH late AS (SELECT id FROM orders) SELECT id FROM Late", "SELECT"),
        ("SELECT 1; SELECT 2", "SCRIPT"),
        ("DROP TABLE orders", "DROP_TABLE"),
        ("DELETE FROM orders WHERE TRUE", "DELETE"),
    ],
)
def test_a_dry_run_tells_the_kind_and_does_nothing(ask, orders, query, kind):
    assert ask(query, dry_run=True).statement_type == kind
    assert rows(ask("SELECT COUNT(*) FROM orders")) == [(3,)]


def test_results_have_bigquerys_types(ask, orders):
    query = (
        "SELECT NULL AS nothing, SUM(id) AS total, SUM(amount) AS money, COUNT(*) AS rows,"
        " AVG(id) AS mean, MAX(date) AS last, DATE_DIFF(@date, MAX(date), DAY) AS days,"
        " TIMESTAMP(@date) AS time, 1 > 0 AS yes FROM orders"
    )
    types = ["INTEGER", "INTEGER", "NUMERIC", "INTEGER", "FLOAT", "DATE", "INTEGER"]
    types += ["TIMESTAMP", "BOOLEAN"]
    assert [field.field_type for field in ask(query).result().schema] == types
    assert [field.field_type for field in ask(query, dry_run=True).schema] == types


@pytest.mark.parametrize(
    "query",
    [
        "WITH orders AS (SELECT * FROM orders WHERE id > 1) SELECT id FROM Orders",
        "WITH a AS (SELECT * FROM orders), orders AS (SELECT 1 AS id) SELECT id FROM a",
        "SELECT id FROM (WITH orders AS (SELECT id FROM orders) SELECT * FROM Orders)",
        "WITH b AS (WITH a AS (SELECT id FROM orders) SELECT * FROM A) SELECT id FROM B",
        "SELECT id FROM orders AS o WHERE id > (SELECT MIN(p.id) FROM orders AS p)",
    ],
)
def test_a_name_of_with_hides_the_table_where_it_is_seen(ask, orders, query):
    assert {(2,), (3,)} <= set(rows(ask(query)))


@pytest.mark.parametrize("source", ["", " FROM orders LIMIT 1"])
def test_a_numeric_has_nine_decimals(ask, orders, source):
    query = f"SELECT NUMERIC '1.123456789' AS a, CAST('2.123456789' AS NUMERIC) AS b{source}"
    (row,) = rows(ask(query))
    assert row == (Decimal("1.123456789"), Decimal("2.123456789"))


def test_arrow_has_bigquerys_types_too(ask, orders):
    table = ask("SELECT id, date, amount FROM orders ORDER BY id").to_arrow(
        create_bqstorage_client=False
    )
    assert table.schema.types == [pa.int64(), pa.date32(), pa.decimal128(38, 9)]


# cloud.google.com/bigquery/docs/writing-results#permanent-table
class TestDestination:
    def test_it_is_made_and_holds_the_rows(self, ask, client, dataset, orders):
        job = ask("SELECT id FROM orders WHERE date < @date", destination=f"{dataset}.out")
        assert sorted(rows(job)) == [(1,), (3,)]
        assert client.get_table(f"{dataset}.out").num_rows == 2

    def test_truncated_it_takes_the_new_columns_and_keeps_its_expiration(
        self, ask, client, dataset, orders
    ):
        table = bigquery.Table(f"{dataset}.out", [SchemaField("old", "STRING")])
        table.expires = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
        client.create_table(table)
        ask(
            "SELECT id FROM orders",
            destination=f"{dataset}.out",
            write_disposition="WRITE_TRUNCATE",
            create_disposition="CREATE_NEVER",
        )
        found = client.get_table(f"{dataset}.out")
        assert [field.name for field in found.schema] == ["id"]
        assert (found.num_rows, found.expires) == (3, table.expires)

    def test_appended_it_keeps_its_rows(self, ask, client, dataset, orders):
        for _ in range(2):
            ask(
                "SELECT id FROM orders",
                destination=f"{dataset}.out",
                write_disposition="WRITE_APPEND",
            )
        assert client.get_table(f"{dataset}.out").num_rows == 6

    def test_one_with_rows_is_left_alone_when_it_must_be_empty(self, ask, dataset, orders):
        ask("SELECT id FROM orders", destination=f"{dataset}.out")
        with pytest.raises(Conflict, match="Already Exists"):
            ask("SELECT id FROM orders", destination=f"{dataset}.out")

    def test_it_is_not_made_when_it_must_be_there(self, ask, dataset, orders):
        with pytest.raises(NotFound):
            ask("SELECT 1 AS a", destination=f"{dataset}.no", create_disposition="CREATE_NEVER")


# cloud.google.com/bigquery/docs/reference/standard-sql/export-statements
class TestExport:
    @staticmethod
    def export(folder: str, query: str, more: str = "") -> str:
        return (
            f"EXPORT DATA OPTIONS(uri='{folder}/part-*.parquet', format='PARQUET',"
            f" compression='SNAPPY'{more}) AS {query}"
        )

    def test_it_leaves_parquet_in_the_order_of_the_query(self, ask, bucket, orders):
        query = "SELECT id, date, amount, TIMESTAMP(date) AS time FROM orders ORDER BY id"
        job = ask(self.export(f"gs://{bucket.name}/out", query))
        (blob,) = bucket.list_blobs()
        assert blob.name == "out/part-000000000000.parquet"
        table = pq.read_table(io.BytesIO(blob.download_as_bytes()))
        types = [pa.int64(), pa.date32(), pa.decimal128(38, 9), pa.timestamp("us", "UTC")]
        assert table.schema.types == types
        assert table.column("id").to_pylist() == [1, 2, 3]
        assert job.statement_type == "EXPORT_DATA"
        assert job.total_bytes_billed > 0

    def test_many_rows_fill_several_files(self, ask, bucket):
        query = "SELECT id FROM UNNEST(GENERATE_ARRAY(1, 12000)) AS id ORDER BY id"
        ask(self.export(f"gs://{bucket.name}/out", query))
        found = [
            pq.read_table(io.BytesIO(blob.download_as_bytes())).column("id").to_pylist()
            for blob in bucket.list_blobs()
        ]
        assert len(found) == 3
        assert [row for file in found for row in file] == list(range(1, 12001))

    def test_no_row_leaves_a_file_with_the_columns(self, ask, bucket, orders):
        ask(self.export(f"gs://{bucket.name}/out", "SELECT id FROM orders WHERE FALSE"))
        (blob,) = bucket.list_blobs()
        assert pq.read_table(io.BytesIO(blob.download_as_bytes())).column_names == ["id"]

    def test_files_are_overwritten_only_when_that_was_asked_for(self, ask, bucket):
        folder = f"gs://{bucket.name}/out"
        ask(self.export(folder, "SELECT 1 AS a"))
        with pytest.raises(BadRequest, match="exists already"):
            ask(self.export(folder, "SELECT 2 AS a"))
        ask(self.export(folder, "SELECT 2 AS a", ", overwrite=true"))
        (blob,) = bucket.list_blobs()
        assert pq.read_table(io.BytesIO(blob.download_as_bytes())).to_pylist() == [{"a": 2}]

    def test_a_missing_bucket_is_named(self, ask):
        with pytest.raises(NotFound, match="no-such-bucket"):
            ask(self.export("gs://no-such-bucket/out", "SELECT 1 AS a"))

    def test_a_table_is_extracted_too(self, client, dataset, bucket, orders):
        config = bigquery.ExtractJobConfig(destination_format="PARQUET")
        uri = f"gs://{bucket.name}/part-*.parquet"
        job = client.extract_table(f"{dataset}.orders", uri, job_config=config)
        job.result()
        assert job.destination_uri_file_counts == [1]
        assert len(list(bucket.list_blobs())) == 1
