"""Types of columns: Arrow's words, BigQuery's, and what the Parquet that it exports has."""

import pyarrow as pa
import pytest
from google.cloud.bigquery import SchemaField

from pipeline.errors import QueryError, TableError
from pipeline.warehouse.google.dataset import label
from pipeline.warehouse.google.types import as_exported, choose_clusters, describe, to_schema
from pipeline.warehouse.types import as_bigquery, compare


@pytest.mark.parametrize(
    ("arrow", "bigquery"),
    [
        (pa.bool_(), "BOOL"),
        (pa.int8(), "INT64"),
        (pa.uint32(), "INT64"),
        (pa.null(), "INT64"),
        (pa.float16(), "FLOAT64"),
        (pa.float32(), "FLOAT64"),
        (pa.float64(), "FLOAT64"),
        (pa.string(), "STRING"),
        (pa.large_string(), "STRING"),
        (pa.string_view(), "STRING"),
        (pa.dictionary(pa.int8(), pa.large_string()), "STRING"),
        (pa.binary(), "BYTES"),
        (pa.large_binary(), "BYTES"),
        (pa.date32(), "DATE"),
        (pa.date64(), "DATE"),
        (pa.timestamp("us"), "DATETIME"),
        (pa.timestamp("ms", "Europe/Stockholm"), "TIMESTAMP"),
        (pa.time32("ms"), "TIME"),
        (pa.time64("us"), "TIME"),
        (pa.decimal128(10, 2), "NUMERIC"),
        (pa.list_(pa.float32()), "ARRAY<FLOAT64>"),
        (pa.list_(pa.field("element", pa.int64(), nullable=False)), "ARRAY<INT64>"),
        (pa.large_list(pa.timestamp("us", "UTC")), "ARRAY<TIMESTAMP>"),
    ],
    ids=str,
)
def test_a_type_of_arrow_has_one_in_bigquery(arrow, bigquery):
    assert as_bigquery({"x": str(arrow)}) == {"x": bigquery}


@pytest.mark.parametrize(
    "arrow",
    [
        pa.struct([("a", pa.int64())]),
        pa.list_(pa.list_(pa.int64())),
        pa.duration("s"),
        pa.map_(pa.string(), pa.int64()),
    ],
    ids=str,
)
def test_a_type_that_no_table_has_is_named(arrow):
    with pytest.raises(TableError, match=r"^x is .*, which is the type of no column here"):
        as_bigquery({"x": str(arrow)})


def test_tables_and_files_are_compared_by_names_in_any_case():
    table = {"ID": "INT64", "chance": "FLOAT64", "why": "STRING"}
    assert compare(table, {"id": "INT64", "CHANCE": "NUMERIC", "new": "BOOL"}) == [
        "chance is FLOAT64 in the table and NUMERIC in the files",
        "why (STRING) is not in the files",
    ]


def test_a_schema_is_described_as_it_was_made():
    columns = {"id": "INT64", "at": "TIMESTAMP", "scores": "ARRAY<FLOAT64>"}
    schema = to_schema(columns)
    assert [field.mode for field in schema] == ["NULLABLE", "NULLABLE", "REPEATED"]
    assert describe(schema) == columns


def test_the_old_names_of_types_are_understood():
    schema = [
        SchemaField(kind, kind) for kind in ("INTEGER", "FLOAT", "BOOLEAN", "RECORD", "NUMERIC")
    ]
    assert list(describe(schema).values()) == ["INT64", "FLOAT64", "BOOL", "STRUCT", "NUMERIC"]


def test_what_is_exported_is_said_in_the_words_of_arrow():
    place = SchemaField("place", "RECORD", fields=[SchemaField("town", "STRING")])
    schema = [
        SchemaField("n", "INTEGER", mode="REQUIRED"),
        SchemaField("at", "TIMESTAMP"),
        SchemaField("large", "BIGNUMERIC"),
        SchemaField("scores", "FLOAT", mode="REPEATED"),
        place,
    ]
    types = [
        pa.int64(),
        pa.timestamp("us", "UTC"),
        pa.decimal256(76, 38),
        pa.list_(pa.field("element", pa.float64())),
        pa.struct([("town", pa.string())]),
    ]
    assert list(as_exported(schema).values()) == [str(each) for each in types]


@pytest.mark.parametrize("kind", ["INTERVAL", "RANGE"])
def test_what_can_not_be_exported_is_refused(kind):
    with pytest.raises(QueryError, match=rf"returns gap as (an )?{kind}, which Parquet has no"):
        as_exported([SchemaField("gap", kind)])


def test_a_table_is_clustered_by_what_it_can_be():
    columns = {"a": "FLOAT64", "b": "STRING", "c": "ARRAY<INT64>", "d": "INT64", "e": "DATE"}
    assert choose_clusters(columns, ["a", "b", "c", "d"]) == ["b", "d"]
    assert choose_clusters(dict.fromkeys("abcdef", "INT64"), "abcdef") == ["a", "b", "c", "d"]
    assert choose_clusters(columns, ["nowhere"]) == []


def test_labels_are_of_letters_that_bigquery_takes():
    assert label({"name": "Churn für Alle", "version": 1}) == {
        "name": "churn-f-r-alle",
        "version": "1",
    }
    assert len(label({"name": "x" * 80})["name"]) == 63
