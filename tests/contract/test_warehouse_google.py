"""What only BigQuery's side does: jobs that run once, what is sent on the wire, what is told."""

import datetime
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pytest
from google.cloud import bigquery

from pipeline import queries, storage, times
from pipeline.errors import DataError, QueryError, StorageError, TableError
from pipeline.warehouse.google import GoogleWarehouse
from tests.cloud.fixtures import Cloud
from tests.cloud.remote import Recorded
from tests.contract.warehouses import (
    DAY,
    NEXT_DAY,
    ORDERS,
    Side,
    connect,
    google_side,
    predictions,
)

# Loads a day, and then two more at once, one of them in a child.
FORK = """
import datetime, os, sys
from pipeline.warehouse import Batch
from pipeline.warehouse.google import GoogleWarehouse
project, dataset, folder, *files = sys.argv[1:]
house = GoogleWarehouse(
    project, dataset, billing_project=project, source_dataset=f"{project}.{dataset}",
    maximum_bytes_billed=10**9, labels={},
)
columns = {"id": "int64", "chance": "double", "date": "date32[day]"}
def load(number):
    day = datetime.date(1998, 4, 1 + number)
    for attempt in range(5):
        batch = Batch(day, [files[number]], columns, ["id"], f"{folder}/{number}-{attempt}")
        assert house.load(batch, "p").rows == 2
load(0)
if not (child := os.fork()):
    load(1)
    os._exit(0)
load(2)
sys.exit(os.waitpid(child, 0)[1])
"""

FEATURES = "SELECT id, COUNT(*) AS n\nFROM orders\nWHERE date < @date\nGROUP BY id"
PARAMETERS = {"date": DAY}
QUERY = queries.compose_application(FEATURES, DAY).text


@pytest.fixture
def open_side(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Side]:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return partial(google_side, cloud)


@pytest.fixture
def side(open_side) -> Side:
    return open_side()


@pytest.fixture
def house(side, cloud) -> GoogleWarehouse:
    house = side.make({"orders": ORDERS})
    cloud.clear()
    return house


@pytest.fixture
def extract(side, house):
    return lambda query=QUERY: house.extract(query, PARAMETERS, ["id"], f"{side.folder}/out")


@pytest.fixture
def client(house) -> bigquery.Client:
    return connect(house.dataset.project)


def jobs_asked(cloud: Cloud) -> list[dict]:
    """What the jobs that were asked for are to do, as it was sent."""
    return [each.json["configuration"] for each in asked(cloud, "POST .*/jobs$")]


def asked(cloud: Cloud, pattern: str = "") -> list[Recorded]:
    return cloud.requests.to("bigquery", pattern)


def steps(cloud: Cloud) -> list[str]:
    """Requests but for those that only wait, without what is particular to a test."""
    waits = ("GET jobs", "GET queries")
    names = [f"{each.method} {each.path.split('/')[5]}" for each in asked(cloud)]
    return [
        "GET dataset" if name == "GET datasets" and "tables" not in each.path else name
        for name, each in zip(names, asked(cloud), strict=True)
        if name not in waits
    ]


def ids(house: GoogleWarehouse, table: str = "p") -> list[int]:
    return sorted(house.read(table, DAY)["id"].to_pylist())


def tables_of(house: GoogleWarehouse, client: bigquery.Client) -> list[str]:
    found = client.list_tables(f"{house.dataset.project}.{house.dataset.name}")
    return sorted(each.table_id for each in found)


# What is asked of BigQuery


def test_an_extraction_asks_no_more_than_it_must(house, extract, cloud):
    extract()
    assert steps(cloud) == [
        "GET dataset",
        "POST jobs",
        "POST datasets",
        *["POST jobs"] * 3,
        "DELETE datasets",
    ]
    assert [each.method for each in cloud.requests.to("storage")] == ["GET"]


def test_a_load_asks_no_more_than_it_must(side, house, cloud):
    batches = [side.batch(predictions(day), date=day) for day in (DAY, NEXT_DAY)]
    cloud.requests.clear()
    house.load(batches[0], "p")
    assert [each.method for each in asked(cloud)][:3] == ["GET", "POST", "GET"]
    assert steps(cloud) == ["GET datasets", "POST datasets", "GET dataset", "POST jobs"]
    cloud.requests.clear()
    house.load(batches[1], "p")
    assert steps(cloud) == ["GET datasets", "POST jobs"]


def test_no_data_pass_through_this_process(side, house, extract, cloud):
    batch = side.batch(predictions(id=[987_654_321, 1]))
    cloud.requests.clear()
    extract()
    house.load(batch, "p")
    moved = [each for each in cloud.requests.to("storage") if each.path.count("/o/")]
    assert not moved
    assert [each for each in cloud.requests.to("storage") if each.method != "GET"] == []
    assert all("987654321" not in each.body for each in asked(cloud))
    assert all(each.reply_size < 4000 for each in asked(cloud))


def test_a_load_replaces_one_partition_by_a_schema_that_is_told(side, house, cloud):
    house.load(side.batch(predictions(name=["a", "b"])), "p")
    (load,) = [each["load"] for each in jobs_asked(cloud)]
    assert load["destinationTable"]["tableId"] == "p$19980401"
    assert (load["writeDisposition"], load["createDisposition"]) == (
        "WRITE_TRUNCATE",
        "CREATE_NEVER",
    )
    assert load["autodetect"] is False
    assert {each["name"]: each["type"] for each in load["schema"]["fields"]} == {
        "id": "INT64",
        "chance": "FLOAT64",
        "name": "STRING",
        "date": "DATE",
    }
    assert load["timePartitioning"] == {"type": "DAY", "field": "date"}
    assert load["clustering"] == {"fields": ["id"]}


def test_every_job_and_table_is_labelled(open_side, cloud):
    side = open_side(labels={"name": "Churn Größe", "version": "1"})
    house = side.make({"orders": ORDERS})
    cloud.requests.clear()
    house.extract(QUERY, PARAMETERS, ["id"], f"{side.folder}/out")
    house.load(side.batch(predictions()), "p")
    house.publish("predictions", "p")
    house.read("p", DAY)
    common = {"name": "churn-gr--e", "version": "1"}
    dated = {**common, "date": "1998-04-01"}
    assert [each["labels"] for each in jobs_asked(cloud)] == [
        {**dated, "task": task} for task in ("plan", "extract", "check", "export", "load", "read")
    ]
    made = [each.json["labels"] for each in asked(cloud, "POST .*/tables$")]
    assert made == [{**dated, "task": "extract"}, common, common]


def test_jobs_and_tables_have_names_that_a_person_can_read(side, house, extract):
    extraction = extract()
    loaded = house.load(side.batch(predictions()), "p")
    names = {**extraction.about["bigquery"]["jobs"], **loaded.about["bigquery"]["jobs"]}
    assert list(names) == ["extract", "check", "export", "load"]
    for does, name in names.items():
        assert name.startswith(f"churn_{does}_19980401_")
        assert len(name) < 100


def test_what_a_query_is_given_has_types_and_a_limit(house, extract, cloud):
    extract()
    plan, run = [each["query"] for each in jobs_asked(cloud)][:2]
    for query in (plan, run):
        assert query["query"] == QUERY
        assert query["queryParameters"] == [
            {
                "name": "date",
                "parameterType": {"type": "DATE"},
                "parameterValue": {"value": "1998-04-01"},
            }
        ]
        assert query["useLegacySql"] is False
    limits = [each["query"].get("maximumBytesBilled") for each in jobs_asked(cloud)]
    assert limits == [None, "1000000000", "1000000000", "1000000000"]


def test_another_project_can_be_billed_and_another_be_read(open_side, cloud):
    side = open_side(billing_project="who-pays", source_dataset="their-project.shop")
    house = side.make({"their-project.shop.orders": ORDERS})
    cloud.requests.clear()
    assert house.extract(QUERY, PARAMETERS, ["id"], f"{side.folder}/out").rows == 3
    house.load(side.batch(predictions()), "p")
    assert ids(house) == [1, 2]
    jobs = asked(cloud, "/jobs|/queries")
    assert {each.path.split("/")[4] for each in jobs} == {"who-pays"}
    changed = [each.path for each in asked(cloud, "^(POST|PUT|PATCH|DELETE) .*/datasets")]
    assert all("/test-project/" in path for path in changed)


# What is left behind


def test_a_table_is_made_as_it_should_be(side, house, client):
    columns = {"shop": ["x", "y"], "weight": [0.1, 0.2]}
    columns |= {name: [1, 2] for name in ("a", "b", "c", "d")}
    batch = side.batch(predictions(**columns))
    house.load(replace(batch, key=["weight", "shop", "a", "b", "c", "d"]), "p")
    table = client.get_table(house.dataset.path("p"))
    assert (table.time_partitioning.field, table.time_partitioning.type_) == ("date", "DAY")
    assert table.clustering_fields == ["shop", "a", "b", "c"]
    assert table.labels == {"name": "churn", "version": "1"}
    assert "Each date is loaded, and replaced, whole" in table.description


def test_an_extraction_leaves_nothing_but_its_files(house, extract, cloud, client):
    extract()
    assert tables_of(house, client) == []
    (table,) = [each.json for each in asked(cloud, "POST .*/tables$")]
    assert int(table["expirationTime"]) > 0


def test_a_table_that_can_not_be_deleted_is_left_to_expire(house, extract, cloud, client):
    cloud.faults.add("^DELETE", service="bigquery", status=403, reason="accessDenied")
    assert extract().rows == 3
    (name,) = tables_of(house, client)
    assert client.get_table(house.dataset.path(name)).expires is not None


def test_a_refused_extraction_leaves_no_file_and_no_table(side, house, extract, client):
    with pytest.raises(QueryError, match="1 key comes more than once"):
        extract("SELECT id FROM orders WHERE date < @date")
    assert list(storage.open(side.folder).list(f"{side.folder}/out")) == []
    assert tables_of(house, client) == []


def test_what_it_cost_is_told(side, house, extract):
    about = extract().about["bigquery"]
    assert about["location"] == house.dataset.location
    assert about["bytes_planned"] > 0
    assert about["bytes_billed"] > 0
    assert about["slot_milliseconds"] > 0
    about = house.load(side.batch(predictions()), "p").about["bigquery"]
    assert (about["location"], about["bytes_billed"]) == (house.dataset.location, 0)


def test_lists_can_be_loaded(side, house):
    house.load(side.batch(predictions(scores=[[0.1, 0.2], [0.3]])), "p")
    assert house.differences("p", {"scores": "list<element: double>"})[0].startswith("id (INT64)")
    assert house.read("p", DAY, order=["id"])["scores"].to_pylist() == [[0.3], [0.1, 0.2]]


# What is asked twice


@pytest.mark.parametrize("fault", [{"reset": True}, {"status": 503}], ids=["reset", "503"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_lost_reply_of_an_extraction_changes_nothing(side, house, extract, cloud, nth, fault):
    cloud.faults.add(r"POST .*/jobs\b", service="bigquery", nth=nth, after=True, **fault)
    assert extract().rows == 3
    assert cloud.faults.hits == 1
    names = [each.json["jobReference"]["jobId"] for each in asked(cloud, "POST .*/jobs$")]
    assert len(set(names[-4:])) == (4 if nth == 1 else 3)


@pytest.mark.parametrize("fault", [{"reset": True}, {"status": 503}], ids=["reset", "503"])
@pytest.mark.parametrize("what", ["tables", "jobs"])
def test_a_lost_reply_of_a_load_changes_nothing(side, house, cloud, what, fault):
    batch = side.batch(predictions())
    cloud.faults.add(rf"POST .*/{what}\b", service="bigquery", nth=1, after=True, **fault)
    assert house.load(batch, "p").rows == 2
    assert cloud.faults.hits == 1
    assert 409 in {each.status for each in asked(cloud, rf"POST .*/{what}$")}
    assert ids(house) == [1, 2]


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"status": 500}])
def test_what_fails_for_a_moment_is_asked_again(side, house, extract, cloud, fault):
    batch = side.batch(predictions())
    for request in ("GET .*/datasets/", r"POST .*/tables\b", r"POST .*/jobs\b", "GET .*/jobs/"):
        cloud.faults.add(request, service="bigquery", nth=[1], **fault)
    assert extract().rows == 3
    assert house.load(batch, "p").rows == 2
    house.publish("predictions", "p")
    assert cloud.faults.hits == 4


def test_an_attempt_is_loaded_once_whatever_came_after_it(side, house):
    first, second = side.batch(predictions()), side.batch(predictions(id=[7, 8]))
    for batch in (first, second, first):
        assert house.load(batch, "p").rows == 2
    assert ids(house) == [7, 8]


def test_an_attempt_that_failed_fails_the_same_again_and_the_next_one_does_not(side, house):
    batch = side.batch(predictions(), predictions(NEXT_DAY))
    for _ in range(2):
        with pytest.raises(DataError, match="hold rows of another date"):
            house.load(batch, "p")
    assert house.load(side.batch(predictions()), "p").rows == 2


def test_two_loads_at_once_make_one_table(side, house, cloud):
    batches = [side.batch(predictions(day), date=day) for day in (DAY, NEXT_DAY)]
    # Both have seen that there is no table before either makes it.
    cloud.faults.add(r"GET .*/tables/p\b", service="bigquery", after=True, delay_seconds=1)
    with ThreadPoolExecutor(2) as pool:
        loaded = list(pool.map(lambda batch: house.load(batch, "p").rows, batches))
    assert loaded == [2, 2]
    assert sorted(each.status for each in asked(cloud, "POST .*/tables$")) == [200, 409]
    assert [house.read("p", day).num_rows for day in (DAY, NEXT_DAY)] == [2, 2]


def test_processes_that_are_forked_can_use_what_one_has_opened(side, house):
    days = [DAY + datetime.timedelta(days=number) for number in range(3)]
    files = [url for day in days for url in side.batch(predictions(day), date=day).files]
    place = (house.dataset.project, house.dataset.name, side.folder)
    subprocess.run([sys.executable, "-c", FORK, *place, *files], check=True, timeout=240)
    assert [house.read("p", day).num_rows for day in days] == [2, 2, 2]


def test_two_who_publish_at_once_make_one_view(side, house, cloud):
    house.load(side.batch(predictions()), "p")
    start = threading.Barrier(2)

    def publish(_: int) -> None:
        start.wait()
        house.publish("predictions", "p")

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(publish, range(2)))
    assert ids(house, "predictions") == [1, 2]


def test_a_lost_reply_of_a_replaced_view_changes_nothing(side, house, cloud):
    for number, table in enumerate(("p_v1", "p_v2")):
        house.load(side.batch(predictions(id=[number, 5])), table)
    house.publish("predictions", "p_v1")
    cloud.faults.add(r"^(PATCH|PUT) ", service="bigquery", nth=1, reset=True, after=True)
    house.publish("predictions", "p_v2", replace=True)
    assert ids(house, "predictions") == [1, 5]


# What is told when it can't be done


def test_what_a_query_will_read_is_told_before_it_is_run(house, extract, cloud, caplog):
    with caplog.at_level(logging.INFO, "luigi-interface.pipeline"):
        extract()
    assert "1998-04-01: the query will read " in caplog.text
    assert "bytes (at most 1,000,000,000)" in caplog.text


def test_a_query_that_would_read_too_much_is_not_run(open_side, cloud):
    side = open_side(maximum_bytes_billed=10)
    house = side.make({"orders": ORDERS})
    cloud.requests.clear()
    message = r"would read \d+ bytes, and `maximum_bytes_billed` under \[bigquery\] .* allows 10\."
    with pytest.raises(QueryError, match=message):
        house.extract(QUERY, PARAMETERS, ["id"], f"{side.folder}/out")
    assert [each["dryRun"] for each in jobs_asked(cloud)] == [True]


def test_an_estimate_is_what_the_plan_says_and_runs_nothing(house, extract, cloud):
    size = house.estimate(QUERY, PARAMETERS)
    assert [each["dryRun"] for each in jobs_asked(cloud)] == [True]
    assert size == extract().about["bigquery"]["bytes_planned"] > 0


def test_an_estimate_beyond_the_limit_is_refused(open_side):
    house = open_side(maximum_bytes_billed=10).make({"orders": ORDERS})
    with pytest.raises(QueryError, match=r"would read \d+ bytes, and `maximum_bytes_billed`"):
        house.estimate(QUERY, PARAMETERS)


def test_a_query_that_is_larger_than_it_seemed_is_told_the_same(house, extract, cloud):
    message = "Query exceeded limit for bytes billed: 10. 10485760 or higher required."
    fault = {"status": 400, "reason": "bytesBilledLimitExceeded", "message": message}
    cloud.faults.add(r"POST .*/jobs\b", service="bigquery", nth=2, **fault)
    with pytest.raises(QueryError, match="10485760 or higher required, and `maximum_bytes_billed`"):
        extract()


def test_a_mistake_in_a_composed_query_is_shown_with_its_line(side, house):
    labels = "SELECT id, MAX(ident) AS last\nFROM orders\nWHERE date < @stop GROUP BY id"
    composed = queries.compose_training(FEATURES, labels, ["id"], DAY, NEXT_DAY)
    with pytest.raises(QueryError) as refusal:
        house.extract(composed.text, composed.parameters, ["id"], f"{side.folder}/out")
    line = composed.text.splitlines().index("SELECT id, MAX(ident) AS last") + 1
    place = rf"Unrecognized name: ident in line {line}, column 16 (SELECT id, MAX(ident) AS last)"
    assert place in str(refusal.value)


def test_all_errors_of_a_load_are_told_with_their_files(side, house):
    house.load(side.batch(predictions()), "p")
    tables = [predictions(), predictions(chance=["a", "b"]), predictions(id=["a", "b"])]
    with pytest.raises(DataError) as refusal:
        house.load(side.batch(*tables), "p")
    told = str(refusal.value)
    assert "'chance'" in told.partition("part-1.parquet")[0]
    assert "'id'" in told.partition("part-1.parquet")[2].partition("part-2.parquet")[0]
    assert "the partition stays as it is" in told
    assert ids(house) == [1, 2]


def test_a_load_that_fails_adds_no_column(side, house):
    house.load(side.batch(predictions()), "p")
    with pytest.raises(DataError, match="another date"):
        house.load(side.batch(predictions(NEXT_DAY, more=[1, 2])), "p")
    assert "more" not in house.read("p", DAY).column_names


def test_nanoseconds_are_refused_before_bigquery_misreads_them(side, house):
    at = pa.array([0, 1], pa.timestamp("ns", "UTC"))
    with pytest.raises(TableError, match=r"at is timestamp\[ns, tz=UTC\].* microseconds"):
        house.load(side.batch(predictions(at=at)), "p")


def test_a_table_with_other_partitions_is_refused(side, house, client):
    client.create_table(
        bigquery.Table(house.dataset.path("p"), [bigquery.SchemaField("id", "INT64")])
    )
    with pytest.raises(TableError, match=r"\.p is not partitioned by the days of the column date"):
        house.load(side.batch(predictions()), "p")


def test_a_date_that_the_table_does_not_keep_is_refused_and_a_later_one_is_not(side, house, client):
    table = bigquery.Table(house.dataset.path("p"), [bigquery.SchemaField("date", "DATE")])
    month = 30 * 24 * 3600 * 1000
    table.time_partitioning = bigquery.TimePartitioning(field="date", expiration_ms=month)
    client.create_table(table)
    refused = r"\.p keeps a date for 30 days, so that rows of 1998-04-01 would be dropped at once"
    with pytest.raises(TableError, match=refused):
        house.load(side.batch(predictions()), "p")
    yesterday = times.today() - datetime.timedelta(days=1)
    assert house.load(side.batch(predictions(yesterday), date=yesterday), "p").rows


def test_a_dataset_that_is_not_there_is_told_with_the_command_that_makes_it(open_side):
    side = open_side()
    house = GoogleWarehouse(
        "test-project",
        "nowhere",
        billing_project="test-project",
        source_dataset="test-project.nowhere",
        maximum_bytes_billed=10**9,
        labels={},
    )
    make = r"`bq mk --location=LOCATION --dataset test-project:nowhere`"
    with pytest.raises(StorageError, match=make):
        house.extract(QUERY, PARAMETERS, ["id"], f"{side.folder}/out")
    with pytest.raises(StorageError, match=make):
        house.load(side.batch(predictions()), "p")
    with pytest.raises(StorageError, match=make):
        house.read("p", DAY)


@pytest.mark.parametrize(
    ("request_", "remedy"),
    [
        (r"GET .*/datasets/\w+\?", "GRANT `roles/bigquery.dataEditor` ON SCHEMA"),
        (r"POST .*/jobs\b", r"--member=user:ada@example\.com --role=roles/bigquery\.jobUser"),
        (r"POST .*/tables\b", "GRANT `roles/bigquery.dataEditor` ON SCHEMA"),
    ],
)
def test_who_lacks_a_permission_is_told_which_role(extract, cloud, request_, remedy):
    message = "Access Denied: user ada@example.com does not have permission."
    fault = {"status": 403, "reason": "accessDenied", "message": message}
    cloud.faults.add(request_, service="bigquery", **fault)
    with pytest.raises(StorageError, match=rf"Access Denied: user ada@example\.com .*{remedy}"):
        extract()


def test_an_export_that_is_refused_is_no_fault_of_the_query(extract, cloud):
    message = "Cannot read and write in different locations: source: EU, destination: US"
    fault = {"status": 400, "reason": "invalid", "message": message}
    cloud.faults.add(r"POST .*/jobs\b", service="bigquery", nth=4, **fault)
    with pytest.raises(StorageError, match=r"Can't run a query as test-project: .* locations"):
        extract()


def test_an_empty_partition_is_told_where_nobody_counted_the_rows(side, house):
    batch = replace(side.batch(predictions().slice(0, 0)), rows=None)
    with pytest.raises(DataError, match="held no rows, and the partition is empty now"):
        house.load(batch, "p")


def test_the_library_for_fast_reading_is_not_needed(side, house):
    house.load(side.batch(predictions()), "p")
    house.read("p", DAY)
    assert "google.cloud.bigquery_storage" not in sys.modules
