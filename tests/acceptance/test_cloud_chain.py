"""The whole chain with Cloud Storage, BigQuery and Compute Engine, against servers that speak as
they do.
"""

import re

import pytest

DATE = "2024-03-05"
LOAD = ("LoadToBigQuery", "--date", DATE)
RANGE = ("Backfill", "--start", "2024-02-25", "--stop", "2024-03-06")
ROWS = "id, share, date, model_date"
LOCAL = "SELECT id, share, date, model_date FROM predictions_v1 ORDER BY date, id"


@pytest.fixture(params=["local", "google"])
def anywhere(request, cloud_project):
    """Storage and warehouse in the cloud; jobs on this machine, and on machines of their own."""
    if request.param == "google":
        cloud_project.use_machines()
    return cloud_project


def test_two_dates_are_delivered_as_on_one_machine_value_by_value(anywhere, another_project):
    for date in (DATE, "2024-03-06"):
        ended = anywhere.luigi("LoadToBigQuery", "--date", date)
        assert ended.status == 0, ended.output
        assert another_project.luigi("LoadToBigQuery", "--date", date).status == 0
    local = another_project.table(LOCAL)
    assert len(local) == 80
    assert anywhere.table(ROWS) == local
    assert anywhere.machines() == []


def test_drift_is_loaded_beside_the_predictions(anywhere):
    anywhere.project.edit_config("application", drift={"visits": 0.4, "spent": 0.1})
    ended = anywhere.luigi(*LOAD)
    assert ended.status == 0, ended.output
    assert f"application of {DATE}: visits drifts" in ended.output
    for _ in range(2):
        drift = anywhere.table("date, model_date, feature, psi", order="feature", table="drift_v1")
        assert [(str(date), str(model), *rest) for date, model, *rest in drift] == [
            (DATE, "2024-03-01", "spent", 0.1),
            (DATE, "2024-03-01", "visits", 0.4),
        ]
        assert anywhere.table("feature", order="feature", table="drift") == [
            ("spent",),
            ("visits",),
        ]
        assert len(anywhere.table()) == 40
        assert anywhere.project.pipeline("forget", "LoadToBigQuery", DATE, "--yes").status == 0
        assert anywhere.luigi(*LOAD).status == 0
    loads = [each.json for each in anywhere.cloud.requests.to("bigquery", "^POST .*/jobs$")]
    names = [each["jobReference"]["jobId"] for each in loads if "load" in each["configuration"]]
    assert len(names) == len(set(names)) == 6
    ended = anywhere.project.pipeline("drift")
    assert "var/drift.html: 1 date from 2024-03-05 to 2024-03-05" in ended.output


def test_a_backfill_of_ten_dates_shares_machines_and_leaves_none(cloud_project, another_project):
    cloud_project.use_machines()
    ended = cloud_project.luigi(*RANGE, "--workers", "2")
    assert ended.status == 0, ended.output
    assert another_project.luigi(*RANGE).status == 0
    local = another_project.table(LOCAL)
    assert len(local) == 400
    assert cloud_project.table(ROWS) == local
    inserted = cloud_project.cloud.requests.to("compute", "^POST .*/instances$")
    # Two models, their dates in a batch each, and one more that the second worker takes away.
    assert len({each.json["name"] for each in inserted}) <= 5
    assert cloud_project.machines() == []


def test_what_is_done_costs_two_requests_and_starts_nothing(cloud_project):
    assert cloud_project.luigi(*LOAD).status == 0
    before = cloud_project.objects()
    cloud_project.cloud.requests.clear()
    ended = cloud_project.luigi(*LOAD)
    assert ended.status == 0, ended.output
    assert len(cloud_project.cloud.requests) <= 2
    assert cloud_project.objects() == before


def test_predictions_meet_their_truth_in_the_cloud(anywhere, another_project):
    evaluate = ("EvaluatePredictions", "--date", DATE)
    ended = anywhere.luigi(*evaluate)
    assert ended.status == 0, ended.output
    assert another_project.luigi(*evaluate).status == 0
    what = "date, model_date, rows, unlabelled, brier, actual, predicted"
    local = another_project.table(f"SELECT {what} FROM evaluations_v1")  # noqa: S608 - ours
    assert anywhere.table(what, "date", table="evaluations_v1") == local
    # One partition, however often it is loaded; and the view shows it.
    assert anywhere.project.pipeline("forget", "EvaluatePredictions", DATE, "--yes").status == 0
    assert anywhere.luigi(*evaluate).status == 0
    assert anywhere.table(what, "date", table="evaluations_v1") == local
    [page] = anywhere.objects("evaluations.html")[-1:]
    assert b"Brier score" in anywhere.read(page)
    assert anywhere.machines() == []


def test_a_backfill_that_is_done_costs_eight_requests(cloud_project):
    assert cloud_project.luigi(*RANGE).status == 0
    cloud_project.cloud.requests.clear()
    assert cloud_project.luigi(*RANGE).status == 0
    assert len(cloud_project.cloud.requests) <= 8


def test_the_orchestrator_sees_no_row_of_data(cloud_project):
    """What it reads and writes itself are the small files of the protocol."""
    cloud_project.use_machines()
    assert cloud_project.luigi(*LOAD).status == 0
    sent = cloud_project.cloud.requests.to("storage", "^POST /upload/")
    names = [each.json["name"] for each in sent]
    fetched = cloud_project.cloud.requests.to("storage", "^GET /download/")
    names += [each.path for each in fetched]
    assert names
    assert not [name for name in names if name.endswith((".parquet", ".joblib"))]
    assert max(each.size for each in sent) < 20_000
    asked = cloud_project.cloud.requests.to("bigquery", "queries|jobs")
    assert asked
    assert max(each.reply_size for each in asked) < 20_000


def test_what_is_written_once_is_sent_with_its_precondition(cloud_project):
    assert cloud_project.luigi(*LOAD).status == 0
    uploads = cloud_project.cloud.requests.to("storage", "^POST /upload/")
    protocol = re.compile("claim-|_SUCCESS|request|started")
    once = [each for each in uploads if protocol.search(each.json["name"])]
    assert len(once) > 10
    assert all(each.query.get("ifGenerationMatch") == "0" for each in once)


def test_everything_that_costs_money_is_labelled(cloud_project):
    cloud_project.use_machines()
    assert cloud_project.luigi(*LOAD).status == 0
    requests = cloud_project.cloud.requests
    machines = [each.json for each in requests.to("compute", "^POST .*/instances$")]
    assert len(machines) == 2
    for machine in machines:
        assert machine["labels"]["name"] == "toy"
        disk = machine["disks"][0]["initializeParams"]
        assert disk["labels"] == machine["labels"]
    jobs = [each.json for each in requests.to("bigquery", "^POST .*/jobs$")]
    assert jobs
    assert all(job["configuration"]["labels"]["name"] == "toy" for job in jobs)
