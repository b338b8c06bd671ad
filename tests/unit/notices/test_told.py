import datetime
from pathlib import Path

import pytest

from pipeline.layout import Layout
from pipeline.notices.notes import Failure
from pipeline.notices.told import Told, by_task

MONDAY, TUESDAY = datetime.date(2024, 3, 4), datetime.date(2024, 3, 5)
DATES = [datetime.date(2024, 3, 1), datetime.date(2024, 3, 2)]
FAILURE = Failure("TrainModel", "training", DATES, "a bad day")
BACKFILL = Failure("Backfill", None, DATES, "can't list")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(str(tmp_path), "churn", 1)


def told(layout: Layout) -> Told:
    found = Told(layout)
    found.read()
    return found


def test_a_failure_is_told_once_a_day(layout):
    assert told(layout).claim_failure(FAILURE, MONDAY) == FAILURE
    assert told(layout).claim_failure(FAILURE, MONDAY) is None
    assert told(layout).claim_failure(FAILURE, TUESDAY) == FAILURE


def test_dates_that_were_told_are_left_out(layout):
    told(layout).claim_failure(Failure("TrainModel", "training", DATES[:1], "a bad day"), MONDAY)
    fresh = told(layout).claim_failure(FAILURE, MONDAY)
    assert fresh.dates == DATES[1:]


def test_of_two_commands_at_once_one_tells(layout):
    first, second = told(layout), told(layout)
    assert first.claim_failure(FAILURE, MONDAY)
    assert second.claim_failure(FAILURE, MONDAY) is None
    [notices] = [first.open_failures()[run] for run in [("training", DATES[0])]]
    again, other = told(layout), told(layout)
    assert again.claim_recovery(notices)
    assert not other.claim_recovery(notices)


def test_what_failed_is_open_until_its_recovery_was_told(layout):
    told(layout).claim_failure(FAILURE, MONDAY)
    told(layout).claim_failure(FAILURE, TUESDAY)
    current = told(layout)
    assert list(current.open_failures()) == [("training", date) for date in DATES]
    for notices in current.open_failures().values():
        assert len(notices) == 2
        assert current.claim_recovery(notices)
    assert not told(layout).open_failures()


def test_a_task_without_runs_is_told_once_a_day_and_never_recovers(layout):
    assert told(layout).claim_failure(BACKFILL, MONDAY) == BACKFILL
    assert told(layout).claim_failure(BACKFILL, MONDAY) is None
    assert told(layout).claim_failure(Failure("Errand", None, [], "x"), MONDAY)
    assert not told(layout).open_failures()


def test_what_nobody_could_be_told_is_taken_back(layout):
    current = told(layout)
    current.claim_failure(FAILURE, MONDAY)
    current.take_back()
    assert told(layout).claim_failure(FAILURE, MONDAY) == FAILURE


def test_other_files_in_the_folder_are_left_alone(layout, tmp_path):
    other = Path(layout.told) / "training" / "notes.txt"
    other.parent.mkdir(parents=True)
    other.write_text("by hand")
    assert not told(layout).open_failures()


def test_runs_are_named_by_their_task():
    runs = [("data/training", MONDAY), ("load/0123", MONDAY), ("load/0123", TUESDAY)]
    assert by_task(runs) == {"ExtractData training": [MONDAY], "LoadToBigQuery": [MONDAY, TUESDAY]}
    runs = [("data/evaluation", MONDAY), ("evaluation", MONDAY), ("evaluations/0123", MONDAY)]
    assert list(by_task(runs)) == [
        "ExtractData evaluation",
        "MeasurePredictions",
        "EvaluatePredictions",
    ]
