"""Data that came late: the dates that need them wait, and people are told when it is time."""

import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.listeners import listen_as_webhook

LOAD = ("LoadToBigQuery", "--date", "2024-03-05")
READY = "SELECT COUNTIF(day = DATE_SUB(@date, INTERVAL 1 DAY)) > 0 FROM visits\n"


@pytest.fixture
def waiting(project):
    """A project whose data of 2024-03-04 have not come."""
    (project.folder / "prediction" / "queries" / "ready.sql").write_text(READY)
    visits = project.folder / "visits.csv"
    lines = [line for line in visits.read_text().splitlines() if "2024-03-04" not in line]
    visits.write_text("\n".join([*lines, "1,2024-02-29", ""]))
    return project


def deliver(project) -> None:
    with (project.folder / "visits.csv").open("a") as visits:
        visits.write("1,2024-03-04\n")


def test_a_date_waits_for_its_data_with_an_exit_status_of_its_own(waiting):
    ended = waiting.luigi(*LOAD)
    assert ended.status == 20
    assert "the data before 2024-03-05 are not complete, says ready.sql" in ended.output
    assert "Traceback" not in ended.output
    assert not waiting.run_folder("data/application", "2024-03-05").exists()
    assert waiting.is_done("training", "2024-03-01")
    deliver(waiting)
    assert waiting.luigi(*LOAD).status == 0


def test_the_other_dates_of_a_backfill_do_not_wait(waiting):
    ended = waiting.luigi("Backfill", "--start", "2024-03-04", "--stop", "2024-03-07")
    assert ended.status == 20
    assert waiting.is_done("application", "2024-03-04")
    assert not waiting.is_done("application", "2024-03-05")
    assert waiting.is_done("application", "2024-03-06")


def test_people_are_told_after_ready_by(waiting):
    waiting.set(notices="webhook = env:HOOK")
    with listen_as_webhook() as webhook:
        waiting.environment = {"HOOK": webhook.address}
        assert waiting.luigi(*LOAD).status == 20
        [text] = webhook.texts
        told = "SourcesReady 2024-03-05: the data before 2024-03-05 are not complete"
        assert told in text
        assert "it is past 00:00 (UTC): find out why they are late" in text


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT COUNT(*) FROM visits WHERE day < @date", "must return TRUE or FALSE"),
        ("SELECT TRUE FROM visits WHERE day < @date", "The query returns 2 rows or more"),
        ("SELECT @day IS NULL", "ready.sql uses @day, which has no value here"),
    ],
)
def test_a_query_that_does_not_answer_is_refused(waiting, query, message):
    (waiting.folder / "prediction" / "queries" / "ready.sql").write_text(query)
    ended = waiting.luigi(*LOAD)
    assert ended.status == 35
    assert message in ended.output
    assert "Traceback" not in ended.output


def test_the_truth_is_waited_for_where_only_the_features_are_files(project):
    assert project.luigi("TrainModel", "--date", "2024-03-01").status == 0
    (project.folder / "prediction" / "queries" / "ready.sql").write_text(READY)
    mine = pa.table({"id": [1, 2], "visits": [3, 4]})
    pq.write_table(mine, project.folder / "mine-2024-03-05.parquet")
    project.set(application="data = mine-{date}.parquet")
    visits = project.folder / "visits.csv"
    lines = [line for line in visits.read_text().splitlines() if "2024-04-03" not in line]
    visits.write_text("\n".join([*lines, ""]))
    ended = project.luigi("EvaluatePredictions", "--date", "2024-03-05")
    assert project.is_done("application", "2024-03-05"), ended.output
    assert ended.status == 20
    assert "the data before 2024-04-04 are not complete, says ready.sql" in ended.output


def test_status_says_what_waits_since_when_and_for_what(waiting):
    range_ = ("status", "--start", "2024-03-04", "--stop", "2024-03-07")
    assert waiting.luigi("Backfill", *range_[1:]).status == 20
    ended = waiting.pipeline(*range_)
    assert ended.status == 0
    line = next(line for line in ended.output.splitlines() if line.startswith("2024-03-05"))
    assert line.split() == ["2024-03-05", "done", "03-01", "waiting", "missing"]
    told = (
        r"ApplyModel 2024-03-05, data/application waits: the data before 2024-03-05 were not"
        r" complete, said ready\.sql on \d{4}-\d\d-\d\d at \d\d:\d\d \(UTC\)"
    )
    assert re.search(told, ended.output), ended.output
    deliver(waiting)
    assert waiting.luigi(*LOAD).status == 0
    assert "wait" not in waiting.pipeline(*range_).output
    assert waiting.pipeline("forget", "ExtractData", "2024-03-05", "--yes").status == 0
    assert "wait" not in waiting.pipeline(*range_).output
