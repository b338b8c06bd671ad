"""BigQuery's load jobs: Parquet into a table or a partition, all of it or nothing."""

import datetime

import pyarrow as pa
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import LoadJobConfig, SchemaField, TimePartitioning

DAY, NEXT_DAY = datetime.date(2024, 3, 1), datetime.date(2024, 3, 2)
FIELDS = [
    SchemaField("date", "DATE", mode="REQUIRED"),
    SchemaField("id", "INT64", mode="REQUIRED"),
    SchemaField("chance", "FLOAT64"),
]
NOTE = SchemaField("note", "STRING")
ADD = {"schema_update_options": ["ALLOW_FIELD_ADDITION"]}


def predictions(date: datetime.date = DAY, **columns: object) -> pa.Table:
    columns = {"id": [1, 2], "chance": [0.25, 0.5], **columns}
    dates = pa.array([date] * len(columns["id"]), pa.date32())
    return pa.table({"date": dates, **columns})


@pytest.fixture
def table(client, dataset) -> str:
    table = bigquery.Table(f"{dataset}.predictions", FIELDS)
    table.time_partitioning = TimePartitioning(field="date")
    table.clustering_fields = ["id"]
    client.create_table(table)
    return f"{dataset}.predictions"


@pytest.fixture
def load(client, put):
    """Load files, given as tables: `load(destination, *files, **config)` returns the job, done."""

    def load(destination: str, *files: pa.Table, **config: object) -> bigquery.LoadJob:
        uris = [put(f"{number}.parquet", file) for number, file in enumerate(files)]
        chosen = {
            "source_format": "PARQUET",
            "write_disposition": "WRITE_TRUNCATE",
            "create_disposition": "CREATE_NEVER",
            "schema": FIELDS,
            **config,
        }
        job = client.load_table_from_uri(uris, destination, job_config=LoadJobConfig(**chosen))
        return job.result()

    return load


def rows(client: bigquery.Client, table: str) -> list[tuple]:
    found = client.list_rows(table)
    return sorted(tuple(row) for row in found)


def test_a_partition_is_replaced_and_no_other(load, client, table):
    load(f"{table}$20240301", predictions())
    load(f"{table}$20240302", predictions(NEXT_DAY))
    load(f"{table}$20240301", predictions(id=[7], chance=[0.75]))
    assert rows(client, f"{table}$20240301") == [(DAY, 7, 0.75)]
    assert rows(client, f"{table}$20240302") == [(NEXT_DAY, 1, 0.25), (NEXT_DAY, 2, 0.5)]
    assert client.get_table(table).num_rows == 3
    assert client.get_table(f"{table}$20240301").num_rows == 1


def test_a_load_tells_what_it_read_and_wrote(load, table):
    job = load(f"{table}$20240301", predictions(), predictions(id=[3], chance=[1.0]))
    assert (job.output_rows, job.input_files, job.errors) == (3, 2, None)
    assert job.input_file_bytes > 0


def test_all_files_that_a_pattern_finds_are_loaded(load, client, table, put):
    uris = [put(f"run/part-{number}.parquet", predictions(id=[number, 9])) for number in range(3)]
    pattern = uris[0].replace("part-0", "part-*")
    config = LoadJobConfig(source_format="PARQUET", schema=FIELDS)
    job = client.load_table_from_uri(pattern, table, job_config=config).result()
    assert (job.input_files, job.output_rows) == (3, 6)


def test_columns_go_by_name(load, client, table):
    file = predictions().select(["chance", "id", "date"])
    load(f"{table}$20240301", file)
    assert rows(client, table) == [(DAY, 1, 0.25), (DAY, 2, 0.5)]


def test_a_column_that_is_missing_is_null(load, client, table):
    load(f"{table}$20240301", predictions().drop_columns(["chance"]))
    assert rows(client, table) == [(DAY, 1, None), (DAY, 2, None)]


# cloud.google.com/bigquery/docs/managing-partitioned-table-data#write-to-partition
@pytest.mark.parametrize("date", [NEXT_DAY, None])
def test_rows_of_another_partition_are_refused(load, client, table, date):
    load(f"{table}$20240301", predictions())
    fields = [SchemaField("date", "DATE"), *FIELDS[1:]] if date is None else FIELDS
    with pytest.raises(BadRequest):
        load(f"{table}$20240301", predictions(), predictions(date), schema=fields)
    assert client.get_table(table).num_rows == 2


def test_a_table_without_partitions_has_no_decorator(load, client, dataset):
    client.create_table(bigquery.Table(f"{dataset}.plain", FIELDS))
    with pytest.raises(BadRequest, match="not partitioned"):
        load(f"{dataset}.plain$20240301", predictions())


@pytest.mark.parametrize("partition", ["2024", "20240301x", "", "2024-03-01"])
def test_a_decorator_is_a_day(client, table, partition):
    with pytest.raises(BadRequest, match="Invalid date partition"):
        client.get_table(f"{table}${partition}")


class TestNothingIsChanged:
    @pytest.fixture(autouse=True)
    def before(self, load, client, table):
        load(f"{table}$20240301", predictions())
        yield
        assert rows(client, table) == [(DAY, 1, 0.25), (DAY, 2, 0.5)]

    def test_by_a_file_of_another_type(self, load, table):
        with pytest.raises(BadRequest, match=r"column 'chance' has type STRING.*1\.parquet"):
            load(f"{table}$20240301", predictions(), predictions(chance=["a", "b"]))

    def test_by_a_null_in_a_required_column(self, load, table):
        with pytest.raises(BadRequest, match="Required field id cannot be null"):
            load(f"{table}$20240301", predictions(id=[1, None]))

    def test_by_a_file_without_a_required_column(self, load, table):
        with pytest.raises(BadRequest, match="Required field id is missing"):
            load(f"{table}$20240301", predictions().drop_columns(["id"]))

    def test_by_a_column_that_nobody_announced(self, load, table):
        with pytest.raises(BadRequest, match="'extra' is not in the schema"):
            load(f"{table}$20240301", predictions(extra=[1, 2]))

    def test_by_what_is_not_parquet(self, client, bucket, table):
        bucket.blob("bad.parquet").upload_from_string(b"no Parquet")
        config = LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
        uri = f"gs://{bucket.name}/bad.parquet"
        job = client.load_table_from_uri(uri, f"{table}$20240301", job_config=config)
        with pytest.raises(BadRequest, match=r"not in Parquet format.*bad\.parquet"):
            job.result()

    @pytest.mark.parametrize("name", ["missing.parquet", "missing-*.parquet"])
    def test_by_a_file_that_is_not_there(self, client, bucket, table, name):
        config = LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
        uri = f"gs://{bucket.name}/{name}"
        job = client.load_table_from_uri(uri, f"{table}$20240301", job_config=config)
        with pytest.raises(NotFound, match="Not found: URI gs://"):
            job.result()


def test_every_file_and_column_that_does_not_fit_is_told(client, put, table):
    bad = put("a.parquet", predictions(id=["x"], chance=["y"]))
    worse = put("b.parquet", predictions(z=[1, 2]))
    config = LoadJobConfig(source_format="PARQUET", schema=FIELDS)
    job = client.load_table_from_uri([bad, worse], table, job_config=config)
    with pytest.raises(BadRequest):
        job.result()
    assert [error["location"] for error in job.errors] == [bad, bad, worse]


# cloud.google.com/bigquery/docs/managing-table-schemas#adding_columns_in_a_load_append_job
class TestFieldAddition:
    def test_a_new_column_is_null_in_the_rows_that_were_there(self, load, client, table):
        load(f"{table}$20240302", predictions(NEXT_DAY))
        file = predictions(note=["a", "b"])
        load(f"{table}$20240301", file, schema=[*FIELDS, NOTE], **ADD)
        assert client.get_table(table).schema[-1].name == "note"
        notes = [row[-1] for row in rows(client, table)]
        assert notes == ["a", "b", None, None]

    def test_it_must_be_asked_for(self, load, table):
        with pytest.raises(BadRequest, match=r"Cannot add fields \(field: note\)"):
            load(f"{table}$20240301", predictions(note=["a", "b"]), schema=[*FIELDS, NOTE])

    def test_it_must_be_nullable(self, load, table):
        fields = [*FIELDS, SchemaField("note", "STRING", mode="REQUIRED")]
        with pytest.raises(BadRequest, match="Cannot add required fields"):
            load(f"{table}$20240301", predictions(note=["a", "b"]), schema=fields, **ADD)

    def test_it_is_not_for_a_whole_table_that_is_replaced(self, load, table):
        with pytest.raises(BadRequest, match="WRITE_TRUNCATE disposition on a table partition"):
            load(table, predictions(), **ADD)

    def test_it_may_be_asked_for_when_nothing_is_new(self, load, client, table):
        load(f"{table}$20240301", predictions(), **ADD)
        assert client.get_table(table).schema == client.get_table(table).schema
        assert len(client.get_table(table).schema) == len(FIELDS)

    def test_a_column_that_the_job_does_not_name_stays(self, load, client, table):
        load(f"{table}$20240301", predictions(note=["a", "b"]), schema=[*FIELDS, NOTE], **ADD)
        load(f"{table}$20240301", predictions(), **ADD)
        assert [row[-1] for row in rows(client, table)] == [None, None]

    def test_it_does_not_come_when_the_rows_are_refused(self, load, client, table):
        file = predictions(NEXT_DAY, note=["a", "b"])
        with pytest.raises(BadRequest, match="different partitions"):
            load(f"{table}$20240301", file, schema=[*FIELDS, NOTE], **ADD)
        assert len(client.get_table(table).schema) == len(FIELDS)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (SchemaField("chance", "STRING"), "Field chance has changed type from FLOAT to STRING"),
        (SchemaField("chance", "FLOAT", "REQUIRED"), "mode from NULLABLE to REQUIRED"),
        (SchemaField("id", "INTEGER"), "Field id has changed mode from REQUIRED to NULLABLE"),
    ],
)
def test_a_schema_that_is_not_the_tables_is_refused(load, table, field, message):
    file = predictions(chance=["a", "b"]) if field.field_type == "STRING" else predictions()
    others = [each for each in FIELDS if each.name != field.name]
    with pytest.raises(BadRequest, match=f"Provided Schema does not match Table .*{message}"):
        load(f"{table}$20240301", file, schema=[*others, field])


def test_a_table_is_made_only_when_it_may_be(load, client, dataset):
    with pytest.raises(NotFound, match="Not found: Table"):
        load(f"{dataset}.new", predictions())
    load(
        f"{dataset}.new",
        predictions(),
        create_disposition="CREATE_IF_NEEDED",
        time_partitioning=TimePartitioning(field="date"),
    )
    assert client.get_table(f"{dataset}.new").time_partitioning.field == "date"


def test_a_table_with_rows_is_left_alone_when_it_must_be_empty(load, table):
    load(table, predictions())
    with pytest.raises(Conflict):
        load(table, predictions(), write_disposition="WRITE_EMPTY")


def test_a_load_whose_reply_was_lost_has_loaded_once(client, cloud, put, table):
    cloud.faults.add(r"^POST .*/jobs", nth=1, status=503, after=True)
    config = LoadJobConfig(source_format="PARQUET", schema=FIELDS)
    uri = put("a.parquet", predictions())
    with pytest.raises(Conflict):
        client.load_table_from_uri(uri, table, job_id="lost-load", job_config=config)
    assert client.get_job("lost-load").result().output_rows == 2
    assert client.get_table(table).num_rows == 2


# cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet#parquet_conversions
@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (pa.array([1], pa.int32()), "INTEGER", 1),
        (pa.array([0.5], pa.float32()), "FLOAT", 0.5),
        (pa.array(["a"]).dictionary_encode(), "STRING", "a"),
        (pa.array([b"a"]), "BYTES", b"a"),
        (pa.array([True]), "BOOLEAN", True),
        (pa.array([DAY]), "DATE", DAY),
        (pa.array([0], pa.timestamp("us")), "DATETIME", datetime.datetime(1970, 1, 1)),
        (
            pa.array([0], pa.timestamp("ms", "UTC")),
            "TIMESTAMP",
            datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC),
        ),
    ],
)
def test_types_of_parquet_are_bigquerys(load, client, dataset, values, kind, expected):
    file = pa.table({"value": values})
    load(f"{dataset}.new", file, schema=[], create_disposition="CREATE_IF_NEEDED")
    assert client.get_table(f"{dataset}.new").schema[0].field_type == kind
    assert rows(client, f"{dataset}.new") == [(expected,)]


def test_lists_are_repeated_when_that_was_asked_for(load, client, dataset):
    client.create_table(
        bigquery.Table(f"{dataset}.lists", [SchemaField("value", "FLOAT64", mode="REPEATED")])
    )
    options = bigquery.ParquetOptions()
    options.enable_list_inference = True
    file = pa.table({"value": [[0.5, 1.0], []]})
    load(f"{dataset}.lists", file, schema=[], parquet_options=options)
    assert rows(client, f"{dataset}.lists") == [([],), ([0.5, 1.0],)]
    with pytest.raises(BadRequest, match="does not match REPEATED FLOAT"):
        load(f"{dataset}.lists", file, schema=[])
