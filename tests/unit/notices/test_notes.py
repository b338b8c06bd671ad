import datetime
import os
import subprocess
import sys

import luigi

from pipeline.errors import DataError, JobFailedError, Problem
from pipeline.notices import notes

DAY = datetime.date(2024, 3, 1)


class Chore(luigi.Task):
    dates = (DAY, datetime.date(2024, 3, 2))
    runs_family = "training"


class Errand(luigi.Task):
    action = luigi.Parameter(default="training")


class Late(luigi.ExternalTask):
    why = luigi.Parameter()

    def why_missing(self) -> str:
        return self.why


def test_what_may_be_late_is_noted_when_it_says_why():
    [failure] = notes.describe(Late(why="it is past noon"), None)
    assert failure.reason == "it is past noon"
    assert notes.describe(Late(why=""), None) == []


def test_a_failed_job_is_noted_date_by_date():
    problem = Problem(DAY, "a bad\nday", "a traceback", "/jobs/a/log.txt")
    [failure] = notes.describe(Chore(), JobFailedError("training failed", [problem]))
    assert failure.dates == [DAY]
    assert failure.reason == "a bad"
    assert failure.detail == "a traceback"
    assert failure.logs == ["/jobs/a/log.txt"]


def test_any_other_error_is_noted_for_all_dates_of_the_task():
    [failure] = notes.describe(Chore(), DataError("The file x is missing. Make it."))
    assert failure.dates == Chore.dates
    assert failure.family == "training"
    assert failure.reason == "The file x is missing. Make it."


def test_an_error_that_nobody_named_is_told_with_its_kind():
    try:
        {}["amount"]
    except KeyError as error:
        [failure] = notes.describe(Chore(), error)
    assert failure.reason == "KeyError: 'amount'"
    assert failure.detail.startswith("Traceback")


def test_a_dead_process_is_told_without_the_number_of_its_task():
    said = f"Task {Chore().task_id} timed out after 5 seconds and was terminated."
    [failure] = notes.describe(Chore(), said)
    assert failure.reason == "timed out after 5 seconds and was terminated."


def test_data_that_are_not_there_are_the_reason_when_there_is_no_other():
    [failure] = notes.describe(Errand(), None)
    assert failure.task == "Errand training"
    assert failure.dates == ()
    assert failure.reason == "the data that it needs from elsewhere are not there"


def test_what_is_noted_is_taken_once(tmp_path):
    folder = tmp_path / "notices" / "1-ab"
    failures = [notes.Failure("TrainModel", "training", [DAY], "a bad day", "trace", ["log"])]
    notes.write(folder, failures)
    notes.write(folder, [notes.Failure("Errand", None, [], "a strike")])
    assert [each.reason for each in notes.take(folder)] == ["a bad day", "a strike"]
    assert not folder.exists()
    assert notes.take(folder) == []


def test_notes_that_are_read_back_are_as_they_were(tmp_path):
    failure = notes.Failure("TrainModel", "training", [DAY], "a", "trace", ["log"], ["untold.json"])
    notes.write(tmp_path / "1-ab", [failure])
    assert notes.take(tmp_path / "1-ab") == [failure]


def test_notes_of_a_command_that_is_dead_are_swept(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    for command in (f"{dead.pid}-ab", f"{os.getpid()}-cd"):
        notes.write(tmp_path / command, [])
    notes.sweep(tmp_path / f"{os.getpid()}-ef")
    assert [path.name for path in tmp_path.iterdir()] == [f"{os.getpid()}-cd"]
