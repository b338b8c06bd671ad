"""The commands that a user types, on a project with a small model, and what they leave."""

import datetime
import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

LOAD = ("LoadToBigQuery", "--date", "2024-03-05")


def test_one_command_trains_applies_and_loads(project):
    ended = project.luigi(*LOAD)
    assert ended.status == 0, ended.output
    [(count, customers, first, last)] = project.table(
        "SELECT count(*), count(DISTINCT id), min(date), max(date) FROM predictions"
    )
    assert count == customers == 40
    assert str(first) == str(last) == "2024-03-05"
    [(model, run, moments)] = project.table(
        "SELECT min(model_date), min(run_id), count(DISTINCT scored_at) FROM predictions_v1"
    )
    assert str(model) == "2024-03-01"
    assert run in project.job_names("application")
    assert moments == 1


def test_a_rerun_starts_nothing(project):
    project.luigi(*LOAD)
    before, rows = project.job_names(), project.table()
    assert not list(project.root.glob("jobs/*/failure.json"))
    ended = project.luigi(*LOAD)
    assert ended.status == 0
    assert "Did not run any tasks" in ended.output
    assert project.job_names() == before
    assert project.table() == rows


def test_a_marker_lists_its_files_and_what_it_was_made_from(project):
    project.luigi(*LOAD)
    for family, date in (
        ("data/training", "2024-03-01"),
        ("training", "2024-03-01"),
        ("data/application", "2024-03-05"),
        ("application", "2024-03-05"),
    ):
        marker = project.marker(family, date)
        assert marker["files"]
        for each in marker["files"]:
            path = project.run_folder(family, date) / each["path"]
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            assert each["checksum"] == f"sha256:{digest}"
            assert each["size_bytes"] == path.stat().st_size
        for source in marker["made_from"].values():
            digest = hashlib.sha256(Path(source["marker"]).read_bytes()).hexdigest()
            assert source["checksum"] == f"sha256:{digest}"
    assert set(project.marker("application", "2024-03-05")["made_from"]) == {"data", "model"}


def test_retrain_trains_the_model_that_is_in_force_today(project):
    first = datetime.datetime.now(datetime.UTC).date().replace(day=1)
    assert project.luigi("Retrain").status == 0
    assert [path.parent.name for path in project.root.glob("training/*/_SUCCESS")] == [
        f"date={first}"
    ]


def test_retrain_takes_another_day_for_today(project):
    assert project.luigi("Retrain", "--today", "2024-03-31").status == 0
    assert project.is_done("training", "2024-03-01")


def test_show_prints_the_table_and_where_things_lie(project):
    project.luigi(*LOAD)
    ended = project.pipeline("show", "2024-03-05")
    assert ended.status == 0, ended.output
    assert "predictions_v1, date = 2024-03-05: 40 rows, by the model of 2024-03-01" in ended.output
    paths = [line.split()[-1] for line in ended.output.splitlines() if line.startswith("model ")]
    assert all(Path(path).is_file() for path in paths)
    assert paths


def test_show_says_when_a_date_is_not_loaded(project):
    ended = project.pipeline("show", "2024-03-06")
    assert ended.status == 1
    assert "error: LoadToBigQuery of 2024-03-06 is not done" in ended.output
    assert "luigi --module pipeline LoadToBigQuery --date 2024-03-06" in ended.output


def test_the_models_own_error_fails_the_task_and_says_where_the_log_is(project):
    project.mischief("training", **{"2024-03-01": {"fail": "column 'amount' is missing"}})
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert "error: training of 2024-03-01 failed: column 'amount' is missing" in ended.output
    [log] = {line.split()[-1] for line in ended.output.splitlines() if "The log:" in line}
    assert "column 'amount' is missing" in Path(log).read_text()
    assert "LoadToBigQuery" in ended.output
    assert not project.is_done("training", "2024-03-01")
    assert len(project.job_names("training")) == 1


def test_a_model_that_ends_without_a_word_is_told_with_its_last_words(project):
    project.mischief("training", **{"2024-03-01": {"exit": 65}})
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert "training of 2024-03-01 failed: exit status 65: the last words" in ended.output
    assert len(project.job_names("training")) == 1


def test_a_failed_run_is_tried_again_by_the_next_command(project):
    project.mischief("training", **{"2024-03-01": {"fail": "a bug"}})
    assert project.luigi(*LOAD).status == 30
    project.mischief("training")
    assert project.luigi(*LOAD).status == 0
    claims = sorted(path.name for path in project.run_folder("training", "2024-03-01").glob("cl*"))
    assert claims == ["claim-1.json", "claim-2.json"]


def test_a_model_killed_by_the_system_is_tried_again(project, tmp_path):
    project.mischief("training", **{"2024-03-01": {"kill_once": str(tmp_path / "killed")}})
    ended = project.luigi(*LOAD)
    assert ended.status == 0, ended.output
    assert "was killed by signal 9" in ended.output
    assert len(project.job_names("training")) == 2
    failed = [
        json.loads(path.read_text())["kind"] for path in project.root.glob("jobs/*/failure.json")
    ]
    assert failed == ["killed"]


def test_a_model_that_is_always_killed_fails_when_the_budget_is_spent(project):
    project.mischief("training", **{"2024-03-01": {"kill": True}})
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert len(project.job_names("training")) == 3
    assert "training of 2024-03-01 failed: the model's process was killed" in ended.output


def test_a_deadline_ends_the_model(project):
    project.mischief("training", **{"2024-03-01": {"sleep": 60}})
    project.set(training="deadline_seconds = 1")
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert "not finished within deadline_seconds = 1" in ended.output
    assert len(project.job_names("training")) == 1
    assert project.processes() == []


def test_a_changed_input_is_refused_by_its_checksum(project):
    project.luigi("TrainModel", "--date", "2024-03-01")
    [model] = project.run_folder("training", "2024-03-01").glob("*/model.joblib")
    model.write_text('{"share": 1}')
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert f"{model} is not the file that" in ended.output


def test_application_uses_the_query_and_config_sealed_with_the_model(project):
    project.luigi(*LOAD)
    features = project.folder / "prediction" / "queries" / "features.sql"
    features.write_text(features.read_text().replace("COUNT(*)", "COUNT(*) + 1000"))
    project.mischief("application", **{"2024-03-06": {"fail": "today's config"}})
    assert project.luigi("LoadToBigQuery", "--date", "2024-03-06").status == 0
    [data] = project.run_folder("data/application", "2024-03-06").glob("*/part-0.parquet")
    assert max(pq.read_table(data)["visits"].to_pylist()) < 1000


@pytest.mark.parametrize("word", ["daily", "weekly", "monthly"])
def test_the_model_in_force_is_the_last_one_that_is_not_after_the_date(project, word):
    project.replace_setting("schedule = monthly", f"schedule = {word}")
    assert project.luigi("LoadToBigQuery", "--date", "2024-03-07").status == 0
    expected = {"daily": "2024-03-07", "weekly": "2024-03-04", "monthly": "2024-03-01"}[word]
    [(model,)] = project.table("SELECT DISTINCT model_date::VARCHAR FROM predictions")
    assert model == expected


def test_a_new_version_has_a_table_of_its_own_and_the_view_stays(project):
    project.luigi(*LOAD)
    project.replace_setting("name = toy", "name = toy\nversion = 2")
    assert project.luigi(*LOAD).status == 0
    runs = project.table("SELECT DISTINCT run_id FROM predictions_v1")
    assert project.table("SELECT DISTINCT run_id FROM predictions") == runs
    assert project.table("SELECT DISTINCT run_id FROM predictions_v2") != runs


def test_too_few_rows_are_refused_before_anything_is_predicted(project):
    project.set(application="min_rows = 41")
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert "have 40 rows, and min_rows under [application] in luigi.cfg is 41." in ended.output
    assert not project.is_done("data/application", "2024-03-05")
    assert not project.is_done("application", "2024-03-05")


def test_another_number_of_rows_than_the_day_before_is_refused_or_allowed(project):
    project.set(application="max_row_change_percent = 50")
    assert project.luigi("LoadToBigQuery", "--date", "2024-03-04").status == 0
    visits = project.folder / "visits.csv"
    more = "".join(f"{customer},2024-03-04\n" for customer in range(100, 125))
    visits.write_text(visits.read_text() + more)
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert "have 65 rows, 62 % from the 40 of the day before, and max_row_change" in ended.output
    assert project.luigi(*LOAD, "--application-max-row-change-percent", "70").status == 0
    assert project.table("SELECT count(*) FROM predictions WHERE date = '2024-03-05'") == [(65,)]
