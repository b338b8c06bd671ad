"""The verbs of `python -m pipeline` against storage, warehouse and machines of the cloud."""

import json
import re

import pytest

from tests.acceptance.cloud_project import CloudProject
from tests.cloud.servers import Cloud
from tests.waiting import wait_until

LOAD = ("LoadToBigQuery", "--date", "2024-03-05")
RANGE = ("--start", "2024-03-05", "--stop", "2024-03-06")
TRAIN = ("TrainModel", "--date", "2024-03-01")


@pytest.fixture
def place(cloud_project: CloudProject) -> CloudProject:
    cloud_project.use_machines()
    return cloud_project


def conditions(place: CloudProject) -> set[str]:
    """Of all runs but those of evaluations, which are another command's."""
    told = json.loads(place.project.pipeline("status", *RANGE, "--json").output)
    return {each["condition"] for each in told if "evaluation" not in each["family"]}


def sleep_in_training(cloud: Cloud, seconds: float) -> None:
    """Let the machines' model take its time with the model of March."""
    mischief = {"2024-03-01": {"sleep": seconds}}
    cloud.compute_engine.change(environment={"MISCHIEF": json.dumps(mischief)})


def test_a_date_is_shown_forgotten_made_again_and_promoted(place):
    assert conditions(place) == {"missing"}
    assert place.luigi(*LOAD).status == 0
    assert conditions(place) == {"done"}
    assert place.project.pipeline("forget", "ApplyModel", "2024-03-05", "--yes").status == 0
    assert conditions(place) == {"done", "missing"}
    assert place.luigi(*LOAD).status == 0
    assert conditions(place) == {"done"}
    assert len(place.table()) == 40
    ended = place.project.pipeline("promote", "1")
    assert ended.output == "The view predictions shows predictions_v1.\n"
    assert place.project.pipeline("sweep").output == "There is no machine.\n"
    assert place.project.pipeline("clean", "--older-than", "30").status == 0
    assert not [name for name in place.objects("/application/") if name.endswith(".parquet")]
    assert conditions(place) == {"done"}


def test_a_machine_that_works_is_shown_and_kept_and_one_whose_job_ended_is_deleted(place, cloud):
    sleep_in_training(cloud, 20)
    command = place.project.start(*TRAIN)
    try:
        wait_until(lambda: place.objects("/started.json")[1:], 60)
        shown = place.project.pipeline("status", *RANGE)
        [machine] = place.machines()
        assert re.search(
            rf"TrainModel 2024-03-01: step \d, on {machine}$", shown.output, re.MULTILINE
        )
        kept = place.project.pipeline("sweep", "--delete")
        assert "works" in kept.output
        assert "e2-standard-4 (RUNNING)" in kept.output
        assert place.machines() == [machine]
    finally:
        command.kill()
        place.project.end(command)
    # As a waiter leaves it that is killed between the reason and the deletion.
    folder = place.objects("/jobs/toy-training-")[0].rpartition("/")[0]
    failure = {"format": 1, "kind": "silent", "by": "waiter", "reason": "silent"}
    place.write(f"{folder}/failure.json", json.dumps(failure).encode())
    assert place.project.pipeline("sweep").status == 1
    assert place.machines() == [machine]
    assert place.project.pipeline("sweep", "--delete").status == 0
    assert place.machines() == []


def test_queries_are_proven_to_be_honest_in_bigquery_or_named(cloud_project):
    project = cloud_project.project
    project.set(sources="visits = day")
    ended = project.pipeline("check", "--date", "2024-04-01")
    assert ended.status == 0, ended.output
    assert ended.output.count(" is honest: what came about on ") == 2
    told = r"(features|labels)\.sql will read [\d,]+ bytes in [34] queries; maximum_bytes_billed"
    assert re.findall(told, ended.output) == ["features", "labels"]
    query = project.folder / "prediction" / "queries" / "features.sql"
    query.write_text(query.read_text().replace("day < @date", "day <= @date"))
    ended = project.pipeline("check", "--date", "2024-04-01")
    assert ended.status == 1
    assert "error: features.sql sees what came about on 2024-03-02 or later: id = " in ended.output
    assert not cloud_project.objects("/check/")


def test_a_check_that_would_read_too_much_asks_nothing(cloud_project):
    project = cloud_project.project
    project.set(sources="visits = day", bigquery="maximum_bytes_billed = 1")
    ended = project.pipeline("check", "--date", "2024-04-01")
    assert ended.status == 1
    assert re.search(
        r"error: features\.sql: The query would read [\d,]+ bytes, and `maximum_bytes_billed`",
        ended.output,
    )
    assert not cloud_project.objects("/check/")


def test_two_names_and_two_environments_never_see_each_other(place, another_project, cloud):
    """In one bucket and one project: neither runs, nor machines, nor tables."""
    other = CloudProject(another_project, cloud, place.bucket, cloud.new_dataset())
    other.use_machines()
    other.project.replace_setting("name = toy", "name = sales")
    assert place.luigi(*LOAD).status == 0
    assert conditions(other) == {"missing"}
    sleep_in_training(cloud, 15)
    command = other.project.start(*LOAD)
    wait_until(lambda: [each for each in place.machines() if "/sales-" in each], 60)
    assert place.project.pipeline("sweep", "--delete").output == "There is no machine.\n"
    # The same name in another folder of the bucket is another environment.
    place.project.replace_setting(f"{place.bucket}/models", f"{place.bucket}/test")
    assert place.project.pipeline("sweep", "--delete").output == "There is no machine.\n"
    assert conditions(place) == {"missing"}
    ended = other.project.end(command)
    assert ended.status == 0, ended.output
    assert conditions(other) == {"done"}
    assert len(other.table()) == len(place.table()) == 40
    assert place.machines() == []
