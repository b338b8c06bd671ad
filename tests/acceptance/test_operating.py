"""What a person does with runs from day to day: `python -m pipeline VERB`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from tests.waiting import wait_until

RANGE = ("--start", "2024-03-04", "--stop", "2024-03-07")
BACKFILL = ("Backfill", *RANGE)
GATED = "2024-03-01"


@pytest.fixture
def filled(project):
    """Three dates are loaded, by one model."""
    assert project.luigi(*BACKFILL).status == 0
    return project


@pytest.fixture
def gate(project, tmp_path) -> Path:
    """Training says that it has begun, and goes on when this file is there."""
    gate = tmp_path / "gate"
    project.mischief("training", **{GATED: {"wait_for": str(gate)}})
    return gate


def conditions(project, *words: str) -> dict[tuple[str, str], str]:
    """Of the runs that LoadToBigQuery makes."""
    told = json.loads(project.pipeline("status", *(words or RANGE), "--json").output)
    told = [each for each in told if "evaluation" not in each["family"]]
    return {(each["family"].partition("/")[0], each["date"]): each["condition"] for each in told}


def view(project) -> list[tuple]:
    return project.table("SELECT DISTINCT date FROM predictions ORDER BY date")


# status


def test_nothing_is_there_yet(project):
    ended = project.pipeline("status", *RANGE)
    assert ended.status == 0
    assert ended.output.splitlines()[0].split() == [
        "date",
        "TrainModel",
        "ApplyModel",
        "LoadToBigQuery",
        "EvaluatePredictions",
    ]
    assert ended.output.count("missing") == 9


def test_what_is_done_is_told_with_the_date_of_the_model(filled):
    ended = filled.pipeline("status", *RANGE)
    assert ended.status == 0, ended.output
    first = ended.output.splitlines()[1].split()
    assert first == ["2024-03-04", "done", "03-01", "done", "done", "due"]
    assert set(conditions(filled).values()) == {"done"}
    assert max(map(len, ended.output.splitlines())) <= 80


def test_seven_days_are_shown_when_none_are_named(project):
    ended = project.pipeline("status")
    today = date.fromisoformat(subprocess.check_output(["date", "-u", "+%F"], text=True).strip())
    days = [line[:10] for line in ended.output.splitlines()[1:8]]
    assert days[-1] in (str(today), str(today - timedelta(days=1)))
    assert len(set(days)) == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--start", "2024-03-04"], "Say either --start and --stop, or --last N."),
        (["--last", "0"], "--last 0 is no number of days"),
        (["--start", "2024-03-04", "--stop", "2024-03-04"], "There is no date from 2024-03-04"),
        (["--start", "yesterday", "--stop", "2024-03-04"], "'yesterday' is no date"),
    ],
)
def test_a_wrong_range_is_told_in_one_line(project, words, message):
    ended = project.pipeline("status", *words)
    assert ended.status == 1
    assert ended.output.startswith(f"error: {message}")
    assert ended.output.count("\n") == 1


def test_a_failure_is_told_with_its_reason_and_its_log(project):
    project.mischief("application", **{"2024-03-05": {"fail": "no such column"}})
    assert project.luigi(*BACKFILL).status == 30
    ended = project.pipeline("status", *RANGE)
    assert ended.status == 1
    [line] = [each for each in ended.output.splitlines() if "no such column" in each]
    assert line.startswith("ApplyModel 2024-03-05 failed: ")
    assert line.endswith("/log.txt)")
    assert conditions(project)["application", "2024-03-05"] == "failed"
    assert conditions(project)["load", "2024-03-04"] in ("done", "missing")


def test_missing_data_are_a_failure_of_the_step_that_needs_them(project):
    (project.folder / "visits.csv").unlink()
    project.luigi(*BACKFILL)
    ended = project.pipeline("status", *RANGE)
    assert ended.status == 1
    assert "TrainModel 2024-03-01, data/training failed: " in ended.output
    assert "visits.csv" in ended.output


def test_what_runs_is_told_with_its_words_and_its_machine(project, gate):
    command = project.start("TrainModel", "--date", GATED)
    wait_until(gate.with_name("gate.here").exists)
    try:
        wait_until(lambda: conditions(project)["training", GATED] == "running")
        shown = project.pipeline("status", *RANGE)
    finally:
        gate.touch()
        project.end(command)
    assert shown.status == 0
    assert "running" in shown.output
    assert f"TrainModel {GATED}: " in shown.output
    assert str(project.folder / "var" / "work" / "jobs") in shown.output
    assert conditions(project)["training", GATED] == "done"


def test_a_job_that_was_killed_without_a_word_does_not_run(project, gate):
    command = project.start("TrainModel", "--date", GATED)
    wait_until(gate.with_name("gate.here").exists)
    command.kill()
    project.end(command)
    for line in project.processes():
        os.kill(int(line.split(" ", 1)[0]), signal.SIGKILL)
    wait_until(lambda: conditions(project)["training", GATED] == "failed")
    assert "gone without a word; a rerun tries again" in project.pipeline("status", *RANGE).output


def test_what_other_code_made_is_stale_and_what_stands_on_it(filled):
    (filled.folder / "prediction" / "thoughts.py").write_text("# another one\n")
    found = conditions(filled)
    assert {found["training", GATED], found["load", "2024-03-05"]} == {"stale"}
    assert found["data", GATED] == "done"
    ended = filled.pipeline("status", *RANGE)
    assert ended.status == 0
    assert f"TrainModel {GATED} is stale: made by other model code" in ended.output


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("queries/features.sql", "made by another features.sql"),
        ("queries/labels.sql", "made by another labels.sql"),
        ("configs/training.json", "made by another training.json"),
    ],
)
def test_what_another_query_or_config_made_is_named(filled, name, words):
    path = filled.folder / "prediction" / name
    path.write_text(path.read_text() + "\n")
    assert f"TrainModel {GATED} is stale: {words}" in filled.pipeline("status", *RANGE).output


def test_tests_and_data_of_the_package_make_nothing_stale(filled):
    for name in ("tests", "data"):
        folder = filled.folder / "prediction" / name
        folder.mkdir(exist_ok=True)
        (folder / "new.py").write_text("new")
    assert set(conditions(filled).values()) == {"done"}


# forget


def test_a_forgotten_model_is_made_again_with_all_that_stands_on_it(filled):
    before = filled.marker("training", GATED)["job"]
    ended = filled.pipeline("forget", "TrainModel", GATED, "--yes")
    assert ended.status == 0, ended.output
    assert f"training of {GATED}" in ended.output
    assert "3 x application of 2024-03-04 to 2024-03-06" in ended.output
    assert conditions(filled)["data", GATED] == "done"
    assert conditions(filled)["training", GATED] == "missing"
    assert conditions(filled)["load", "2024-03-06"] == "missing"
    assert filled.luigi(*BACKFILL).status == 0
    assert filled.marker("training", GATED)["job"] != before
    assert (filled.run_folder("training", GATED) / "claim-2.json").exists()
    assert filled.table("SELECT count(*), count(DISTINCT (date, id)) FROM predictions") == [
        (120, 120)
    ]


def test_a_forgotten_date_leaves_the_model_and_other_dates_alone(filled):
    assert filled.pipeline("forget", "ApplyModel", "2024-03-05", "--yes").status == 0
    found = conditions(filled)
    assert [key for key, each in sorted(found.items()) if each != "done"] == [
        ("application", "2024-03-05"),
        ("load", "2024-03-05"),
    ]
    assert filled.luigi(*BACKFILL).status == 0
    assert set(conditions(filled).values()) == {"done"}


def test_a_person_who_says_no_has_changed_nothing(filled):
    ended = filled.pipeline("forget", "LoadToBigQuery", "2024-03-05")
    assert ended.status == 1
    assert "Nothing is changed." in ended.output
    assert set(conditions(filled).values()) == {"done"}


def test_what_is_not_done_can_not_be_forgotten(project):
    ended = project.pipeline("forget", "TrainModel", GATED, "--yes")
    assert ended.status == 1
    assert f"error: training of {GATED} is not done" in ended.output


def test_nothing_is_forgotten_while_a_job_works_on_what_stands_on_it(filled, tmp_path):
    gate = tmp_path / "gate"
    # The config is the sealed model's: mischief comes by the environment.
    assert filled.pipeline("forget", "ApplyModel", "2024-03-05", "--yes").status == 0
    filled.environment = {"MISCHIEF": json.dumps({"2024-03-05": {"wait_for": str(gate)}})}
    command = filled.start("LoadToBigQuery", "--date", "2024-03-05")
    wait_until(gate.with_name("gate.here").exists)
    ended = filled.pipeline("forget", "TrainModel", GATED, "--yes")
    gate.touch()
    filled.end(command)
    assert ended.status == 1
    assert "works on application of 2024-03-05, which is made from" in ended.output
    assert filled.is_done("training", GATED)


# logs


def test_a_log_is_followed_to_the_end_of_the_job(project, gate):
    command = project.start("TrainModel", "--date", GATED)
    wait_until(gate.with_name("gate.here").exists)
    words = [sys.executable, "-m", "pipeline", "logs", "TrainModel", GATED, "--follow"]
    follower = subprocess.Popen(words, cwd=project.folder, stdout=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        follower.wait(2)
    gate.touch()
    output, _ = follower.communicate(timeout=60)
    project.end(command)
    assert follower.returncode == 0
    log = (project.root / "jobs" / project.job_names("training")[0] / "log.txt").read_text()
    assert log.rstrip() in output
    assert output.count(log.splitlines()[0]) == 1
    assert output.rstrip().endswith("log.txt)")


# promote


def test_versions_are_shown_in_turn_and_nothing_is_computed_twice(filled):
    assert view(filled) == [(date(2024, 3, 4 + n),) for n in range(3)]
    filled.replace_setting("name = toy", "name = toy\nversion = 2")
    two = ("LoadToBigQuery", "--date", "2024-03-20")
    assert filled.luigi(*two).status == 0
    assert len(view(filled)) == 3
    for version, dates in ((2, [(date(2024, 3, 20),)]), (1, view(filled)), (2, None)):
        ended = filled.pipeline("promote", str(version))
        assert ended.status == 0, ended.output
        assert ended.output == f"The view predictions shows predictions_v{version}.\n"
        assert dates is None or view(filled) == dates
    jobs = sorted((filled.folder / "var" / "storage").glob("toy/v*/jobs/*"))
    filled.replace_setting("version = 2", "version = 1")
    for command in (BACKFILL, ("Backfill", *RANGE, "--pipeline-version", "1")):
        assert filled.luigi(*command).status == 0
    assert sorted((filled.folder / "var" / "storage").glob("toy/v*/jobs/*")) == jobs


def test_a_version_without_a_table_can_not_be_promoted(filled):
    ended = filled.pipeline("promote", "7")
    assert ended.status == 1
    assert ended.output.startswith("error: ")
    assert "predictions_v7" in ended.output
    assert len(view(filled)) == 3


# sweep


def test_a_machine_whose_job_works_is_listed_and_never_deleted(project, gate):
    assert "There is no machine." in project.pipeline("sweep").output
    command = project.start("TrainModel", "--date", GATED)
    wait_until(gate.with_name("gate.here").exists)
    listed = project.pipeline("sweep", "--delete")
    found = json.loads(project.pipeline("sweep", "--json").output)
    gate.touch()
    assert project.end(command).status == 0
    assert listed.status == 0
    assert "works" in listed.output
    assert [each["verdict"] for each in found] == ["works"]


def test_a_machine_whose_job_has_ended_is_deleted(project, gate):
    command = project.start("TrainModel", "--date", GATED)
    wait_until(gate.with_name("gate.here").exists)
    command.kill()
    project.end(command)
    [job] = project.job_names("training")
    # As a waiter leaves it that is killed between the reason and the deletion.
    failure = {"format": 1, "kind": "silent", "by": "waiter", "reason": "silent"}
    (project.root / "jobs" / job / "failure.json").write_text(json.dumps(failure))
    listed = project.pipeline("sweep")
    assert listed.status == 1
    assert "has ended" in listed.output
    assert project.processes()
    ended = project.pipeline("sweep", "--delete")
    assert ended.status == 0, ended.output
    assert not project.processes()
    assert "There is no machine." in project.pipeline("sweep").output


def test_a_machine_whose_job_nobody_knows_is_left_alone(project, gate):
    command = project.start("TrainModel", "--date", GATED)
    wait_until(gate.with_name("gate.here").exists)
    [job] = project.job_names("training")
    hidden = project.folder / "hidden"
    shutil.move(project.root / "jobs" / job / "request.json", hidden)
    ended = project.pipeline("sweep", "--delete")
    shutil.move(hidden, project.root / "jobs" / job / "request.json")
    gate.touch()
    assert project.end(command).status == 0
    assert "not known" in ended.output


# clean


def files(project) -> set[str]:
    root = project.root
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_only_what_nothing_needs_is_cleaned(filled):
    before = files(filled)
    said = filled.pipeline("clean", "--older-than", "30", "--dry-run")
    assert said.output.startswith("Would delete 7 files")
    assert files(filled) == before
    assert filled.pipeline("clean", "--older-than", "30").status == 0
    gone = before - files(filled)
    assert len(gone) == 7
    assert all(name.endswith(".parquet") for name in gone)
    assert set(conditions(filled).values()) == {"done"}
    assert filled.luigi(*BACKFILL).status == 0
    assert len(filled.table()) == 120
    assert filled.pipeline("clean", "--older-than", "30").output.startswith("Deleted 0 files")


def test_a_model_that_no_date_needs_goes_and_the_newest_stays(filled):
    assert filled.luigi("LoadToBigQuery", "--date", "2024-04-02").status == 0
    assert filled.pipeline("clean", "--older-than", "30").status == 0
    left = {name.partition("/date=")[2][:10] for name in files(filled) if name.endswith(".joblib")}
    assert left == {"2024-04-01"}
    # Why a table is as it is can still be read.
    assert filled.pipeline("show", "2024-03-05").status == 0


def test_predictions_that_are_not_loaded_stay(project):
    assert project.luigi("ApplyModel", "--date", "2024-03-05").status == 0
    assert project.pipeline("clean", "--older-than", "30").status == 0
    assert project.luigi("LoadToBigQuery", "--date", "2024-03-05").status == 0


def test_who_needs_what_was_cleaned_reads_so(filled):
    assert filled.pipeline("clean", "--older-than", "30").status == 0
    assert filled.pipeline("forget", "LoadToBigQuery", "2024-03-05", "--yes").status == 0
    ended = filled.luigi("LoadToBigQuery", "--date", "2024-03-05")
    assert ended.status == 30
    assert "were cleaned on" in ended.output
    assert filled.pipeline("forget", "ExtractData", "2024-03-05", "--yes").status == 0
    ended = filled.luigi("LoadToBigQuery", "--date", "2024-03-05")
    assert ended.status == 0, ended.output
    assert not (filled.run_folder("application", "2024-03-05") / "cleaned.json").exists()
    assert (filled.run_folder("application", "2024-03-06") / "cleaned.json").exists()


def test_what_was_cleaned_is_not_shown_as_if_it_were_there(filled):
    assert filled.luigi("TrainModel", "--date", "2024-05-01").status == 0
    [weights] = filled.run_folder("training", GATED).glob("*/model.joblib")
    assert f"model    {weights}\n" in filled.pipeline("show", "2024-03-04").output
    assert filled.pipeline("clean", "--older-than", "30").status == 0
    ended = filled.pipeline("show", "2024-03-04")
    assert ended.status == 0
    assert f"model    {weights} (deleted by clean)\n" in ended.output


def test_what_killed_writers_left_goes_and_what_is_being_written_stays(project):
    folder = project.run_folder("training", "2024-03-01") / "a-job"
    folder.mkdir(parents=True)
    old, new = (folder / f".unfinished-{name}" for name in ("0123456789abcdef", "fedcba9876543210"))
    for path in (old, new):
        path.write_bytes(bytes(3_000_000))
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    os.utime(old, (two_days_ago, two_days_ago))
    words = ", and 3.0 MB that killed writers left"
    assert words in project.pipeline("clean", "--older-than", "30", "--dry-run").output
    assert old.exists()
    assert words in project.pipeline("clean", "--older-than", "30").output
    assert not old.exists()
    assert new.exists()


def test_days_that_are_none_are_refused(project):
    ended = project.pipeline("clean", "--older-than", "0")
    assert ended.status == 1
    assert ended.output.startswith("error: --older-than 0 is no number of days.")


# Two in one place


def test_two_names_in_one_storage_and_warehouse_never_see_each_other(filled, another_project):
    """Neither runs, nor machines, nor tables."""
    another_project.replace_setting("name = toy", "name = other")
    for key, name in (("storage", "var/storage"), ("warehouse", "var/other.duckdb")):
        another_project.replace_setting(
            f"{key} = var/{'storage' if key == 'storage' else 'warehouse.duckdb'}",
            f"{key} = {filled.folder / name}",
        )
    assert set(conditions(another_project).values()) == {"missing"}
    assert another_project.luigi(*BACKFILL).status == 0
    assert set(conditions(another_project).values()) == {"done"}
    assert another_project.pipeline("forget", "TrainModel", GATED, "--yes").status == 0
    assert set(conditions(filled).values()) == {"done"}
    with duckdb.connect(str(filled.folder / "var" / "other.duckdb"), read_only=True) as base:
        assert base.sql("SELECT count(*) FROM predictions_v1").fetchall() == [(120,)]


def test_another_models_table_is_not_loaded_into(filled, another_project):
    rows = filled.table()
    another_project.replace_setting("name = toy", "name = other")
    house = filled.folder / "var" / "warehouse.duckdb"
    another_project.replace_setting("warehouse = var/warehouse.duckdb", f"warehouse = {house}")
    ended = another_project.luigi("LoadToBigQuery", "--date", "2024-03-04")
    assert ended.status == 30
    told = (
        "predictions_v1 holds what the model toy has made, as its comment says. Give other a file"
    )
    assert told in ended.output
    assert filled.table() == rows


# Whoever reads may go


@pytest.fixture
def unread():
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_verb_that_nobody_reads_any_more_ends_without_a_word(filled, unread, unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}

    def end(*words: str, **streams: int) -> tuple[int, str]:
        command = [sys.executable, "-m", "pipeline", *words]
        ended = subprocess.run(
            command,
            cwd=filled.folder,
            env=environment,
            text=True,
            check=False,
            **{"stdout": unread, "stderr": subprocess.PIPE, **streams},
        )
        return ended.returncode, ended.stderr

    quiet = (128 + signal.SIGPIPE, "")
    assert end("status", *RANGE) == quiet
    assert end("status", *RANGE, "--json") == quiet
    assert end("doctor") == quiet
    assert end("show", "2024-03-04") == quiet
    assert end("show", "2024-04-05", stderr=subprocess.STDOUT)[0] == 128 + signal.SIGPIPE
    status, words = end("show", "2024-04-05")
    assert status == 1
    assert words.startswith("error: LoadToBigQuery of 2024-04-05 is not done")
