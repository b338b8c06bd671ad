"""BigQuery's jobs: ids, places, states, and errors, as the official client meets them."""
# ruff: noqa: S608 - queries of our own

from concurrent.futures import ThreadPoolExecutor

import pytest
from google.api_core.exceptions import BadRequest, Conflict, InternalServerError, NotFound
from google.cloud import bigquery
from google.cloud.bigquery import DEFAULT_RETRY, QueryJobConfig

IMPATIENT = DEFAULT_RETRY.with_delay(initial=0.01, maximum=0.05).with_timeout(5)


def start(client: bigquery.Client, query: str = "SELECT 1", **about: object) -> bigquery.QueryJob:
    return client.query(query, job_retry=None, retry=IMPATIENT, **about)


# cloud.google.com/bigquery/docs/running-jobs#generate-jobid
def test_a_job_id_is_taken_once(client):
    start(client, job_id="j").result()
    with pytest.raises(Conflict, match=r"Already Exists: Job test-project:US\.j"):
        start(client, job_id="j")


def test_a_failed_job_keeps_its_id_too(client):
    with pytest.raises(BadRequest):
        start(client, "SELEC 1", job_id="failed").result()
    with pytest.raises(Conflict):
        start(client, job_id="failed")


# cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobStatus
def test_a_job_is_running_until_it_is_asked_for(client):
    job = start(client, job_id="state")
    assert job.state == "RUNNING"
    assert client.get_job("state").state == "DONE"


def test_a_job_whose_reply_was_lost_is_found_by_its_id(client, cloud):
    cloud.faults.add(r"^POST .*/jobs", nth=1, reset=True, after=True)
    with pytest.raises(Conflict):
        start(client, job_id="lost")
    assert [tuple(row) for row in client.get_job("lost").result()] == [(1,)]


def test_of_twenty_that_take_an_id_one_gets_it(client):
    def take(_: int) -> bool:
        try:
            start(client, job_id="race")
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(take, range(20))).count(True) == 1


def test_jobs_and_reads_at_once_get_answers_of_their_own(client, dataset):
    def ask(number: int) -> list[int]:
        name = f"{dataset}.t{number}"
        query = f"SELECT x FROM UNNEST(GENERATE_ARRAY({number}, {number} + 2)) AS x ORDER BY x"
        start(client, query, job_config=QueryJobConfig(destination=name)).result()
        return sorted(row.x for row in client.list_rows(name))

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(ask, range(30))) == [[n, n + 1, n + 2] for n in range(30)]


@pytest.mark.parametrize("fault", [{"status": 429}, {"status": 500}, {"status": 503}, {"reset": 1}])
def test_the_client_asks_again_after_a_fault(client, cloud, fault):
    cloud.faults.add("", nth=[1, 3], **{name: value or True for name, value in fault.items()})
    assert [tuple(row) for row in start(client).result(retry=IMPATIENT)] == [(1,)]
    assert cloud.faults.hits == 2


# cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query (requestId)
def test_a_query_of_one_request_runs_once(client, cloud):
    cloud.faults.add(r"^POST .*/queries", nth=1, reset=True, after=True)
    rows = client.query_and_wait("SELECT RAND() AS dice", retry=IMPATIENT)
    first, second = cloud.requests.to("bigquery", "POST .*/queries$")
    assert first.json["requestId"] == second.json["requestId"]
    assert rows.total_rows == 1


# cloud.google.com/bigquery/docs/locations#specify_locations
def test_a_job_runs_where_its_datasets_are(client, cloud):
    dataset = cloud.new_dataset("europe-west1")
    client.query(f"CREATE TABLE `{dataset}.t` AS SELECT 1 AS a").result()
    job = start(client, f"SELECT * FROM `{dataset}.t`", job_id="abroad")
    assert job.location == "europe-west1"
    with pytest.raises(NotFound, match="was not found in location US"):
        start(client, f"SELECT * FROM `{dataset}.t`", location="US")


def test_a_job_abroad_is_found_only_there(client, cloud):
    dataset = cloud.new_dataset("europe-north1")
    start(client, f"CREATE TABLE `{dataset}.t` AS SELECT 1 AS a", job_id="there").result()
    with pytest.raises(NotFound):
        client.get_job("there")
    assert client.get_job("there", location="europe-north1").job_id == "there"


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ("SELEC 1", BadRequest, "Syntax error"),
        ("SELECT a FROM (SELECT 1 AS b)", BadRequest, "a"),
        ("SELECT 1 FROM `{dataset}.missing`", NotFound, "missing"),
        ("SELECT 1 FROM `{dataset}x.missing`", NotFound, "Not found: Dataset"),
    ],
)
def test_a_wrong_query_is_refused(client, dataset, query, error, message):
    with pytest.raises(error, match=message):
        start(client, query.format(dataset=dataset)).result()


# cloud.google.com/bigquery/docs/best-practices-costs#restrict-bytes-billed
def test_a_query_does_not_cost_more_than_it_may(client, dataset):
    start(client, f"CREATE TABLE `{dataset}.t` AS SELECT 1 AS a").result()
    query = f"SELECT * FROM `{dataset}.t`"
    enough = start(client, query, job_config=QueryJobConfig(maximum_bytes_billed=10 * 2**20))
    enough.result()
    assert enough.total_bytes_billed == 10 * 2**20
    # The client knows no class for this reason.
    short = start(client, query, job_config=QueryJobConfig(maximum_bytes_billed=1))
    with pytest.raises(InternalServerError, match="exceeded limit for bytes billed: 1"):
        short.result(retry=None)


# cloud.google.com/bigquery/docs/running-queries#dry-run
def test_a_dry_run_tells_bytes_and_columns_and_leaves_no_job(client, dataset):
    start(client, f"CREATE TABLE `{dataset}.t` AS SELECT 1 AS a, 'x' AS b").result()
    dry = QueryJobConfig(dry_run=True)
    job = start(client, f"SELECT b FROM `{dataset}.t`", job_config=dry, job_id="dry")
    assert job.total_bytes_processed > 0
    assert [(field.name, field.field_type) for field in job.schema] == [("b", "STRING")]
    assert [table.table_id for table in job.referenced_tables] == ["t"]
    with pytest.raises(NotFound):
        client.get_job("dry")


def test_a_dry_run_refuses_what_the_query_would_fail_of(client, dataset):
    with pytest.raises(NotFound, match="missing"):
        start(
            client,
            f"SELECT 1 FROM `{dataset}.missing`",
            job_config=QueryJobConfig(dry_run=True),
        )


def test_labels_and_parameters_of_a_job_are_kept(client):
    start(client, job_id="labelled", job_config=QueryJobConfig(labels={"name": "churn"})).result()
    assert client.get_job("labelled").labels == {"name": "churn"}
