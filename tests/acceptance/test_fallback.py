"""A training that fails for good: its dates wait, or take an older model and say so."""

import datetime
import json
import shutil
import subprocess
import sys

import pytest

from tests.acceptance.framework import use_framework
from tests.listeners import listen_as_webhook
from tests.waiting import wait_until

LOAD = ("LoadToBigQuery", "--date", "2024-04-01")
REASON = "roc_auc is 0.55, and its floor is 0.6"


@pytest.fixture
def failing(project):
    """A project that has last month's model, and whose training of 2024-04-01 fails."""
    assert project.luigi("LoadToBigQuery", "--date", "2024-03-20").status == 0
    project.mischief("training", **{"2024-04-01": {"fail": REASON}})
    return project


def model_dates(project, date: str) -> list[str]:
    rows = project.table("SELECT DISTINCT date, model_date FROM predictions")
    return [str(trained) for day, trained in rows if str(day) == date]


def trainings(project) -> list[str]:
    return [name for name in project.job_names("training") if "20240401" in name]


def test_without_fallback_the_date_waits_and_one_reason_is_given(failing):
    ended = failing.luigi(*LOAD)
    assert ended.status == 30
    assert f"training of 2024-04-01 failed: {REASON}" in ended.output
    assert not failing.is_done("application", "2024-04-01")
    assert model_dates(failing, "2024-04-01") == []


def test_with_fallback_the_date_is_filled_by_last_months_model_and_the_command_fails(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    ended = failing.luigi(*LOAD)
    assert ended.status == 30
    told = "2024-04-01 is loaded, but its predictions are by the model of 2024-03-01"
    assert f"{told}, as the training of 2024-04-01 failed." in ended.output
    mend = "luigi --module pipeline TrainModel --date 2024-04-01"
    assert f"{mend}. Why it failed: {REASON}" in ended.output
    assert model_dates(failing, "2024-04-01") == ["2024-03-01"]
    marker = failing.marker("application", "2024-04-01")
    assert marker["about"]["constants"]["model_date"]["value"] == "2024-03-01"
    assert "/training/date=2024-03-01/" in marker["made_from"]["model"]["marker"]
    assert not failing.is_done("training", "2024-04-01")


def test_what_is_filled_stays_as_it_is_and_the_training_is_not_tried_again_by_itself(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    failing.luigi(*LOAD)
    rows = failing.table()
    assert failing.luigi(*LOAD).status == 0
    ended = failing.luigi("LoadToBigQuery", "--date", "2024-04-02")
    assert ended.status == 30
    assert len(trainings(failing)) == 1
    failing.mischief("training")
    assert failing.luigi("TrainModel", "--date", "2024-04-01").status == 0
    assert failing.luigi("LoadToBigQuery", "--date", "2024-04-03").status == 0
    range_ = ("--start", "2024-04-02", "--stop", "2024-04-04")
    assert "2024-04-02 is stale: made with the model of 2024-03-01" in " ".join(
        failing.pipeline("status", *range_).output.split()
    )
    assert model_dates(failing, "2024-04-02") == ["2024-03-01"]
    assert model_dates(failing, "2024-04-03") == ["2024-04-01"]
    assert [row for row in failing.table() if row in rows] == rows


def test_a_model_that_is_too_old_is_not_taken(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 31")
    assert model_dates(failing, "2024-04-01") == []
    assert failing.luigi(*LOAD).status == 30
    assert model_dates(failing, "2024-04-01") == ["2024-03-01"]
    ended = failing.luigi("LoadToBigQuery", "--date", "2024-04-02")
    assert ended.status == 30
    wanted = "No other model may predict 2024-04-02: fallback_days is 31, and the newest before it"
    assert f"{wanted} is of 2024-03-01." in ended.output
    assert not failing.is_done("application", "2024-04-02")


def test_a_backfill_is_strict_unless_it_is_told(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    days = ("Backfill", "--start", "2024-04-01", "--stop", "2024-04-04")
    ended = failing.luigi(*days)
    assert ended.status == 30
    assert not failing.is_done("application", "2024-04-01")
    ended = failing.luigi(*days, "--fallback", "--workers", "2")
    assert ended.status == 30
    for day in ("2024-04-01", "2024-04-02", "2024-04-03"):
        assert model_dates(failing, day) == ["2024-03-01"]
    assert failing.luigi(*days).status == 0


def test_a_backfill_with_fallback_tries_a_training_once_however_many_dates_want_it(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    days = ("Backfill", "--start", "2024-04-01", "--stop", "2024-04-04", "--fallback")
    ended = failing.luigi(*days)
    assert ended.status == 30
    for day in ("2024-04-01", "2024-04-02", "2024-04-03"):
        assert model_dates(failing, day) == ["2024-03-01"]
    assert len(trainings(failing)) == 1


def test_trainings_share_a_job_and_one_of_them_may_stand_in_for_another(project):
    project.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    project.mischief("training", **{"2024-04-01": {"fail": REASON}})
    days = ("Backfill", "--start", "2024-03-30", "--stop", "2024-04-03", "--fallback")
    ended = project.luigi(*days)
    assert ended.status == 30
    assert f"training of 2024-04-01 failed: {REASON}" in ended.output
    for day in ("2024-03-30", "2024-03-31", "2024-04-01", "2024-04-02"):
        assert model_dates(project, day) == ["2024-03-01"]
    assert len(project.job_names("training")) == 1


def test_a_training_that_no_model_stands_in_for_is_tried_once_by_each_command(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 1")
    days = ("Backfill", "--start", "2024-04-01", "--stop", "2024-04-04", "--fallback")
    for times in (1, 2):
        ended = failing.luigi(*days)
        assert ended.status == 30
        assert f"training of 2024-04-01 failed: {REASON}" in ended.output
        assert "No other model may predict 2024-04-03: fallback_days is 1" in ended.output
        assert len(trainings(failing)) == times


def test_who_evaluates_fills_no_date_by_an_older_model(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    ended = failing.luigi("EvaluatePredictions", "--date", "2024-04-01")
    assert ended.status == 30
    assert f"training of 2024-04-01 failed: {REASON}" in ended.output
    assert not failing.is_done("application", "2024-04-01")
    assert failing.luigi(*LOAD).status == 30
    assert failing.luigi("EvaluatePredictions", "--date", "2024-04-01").status == 0


def test_data_of_one_model_are_not_predicted_by_another(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    words = ("--action", "application", "--date", "2024-04-01")
    failing.luigi("ExtractData", *words)
    failing.mischief("training")
    ended = failing.luigi("LoadToBigQuery", "--date", "2024-04-01", "--strict")
    assert ended.status == 30
    assert "were made by the query of the model of 2024-03-01" in ended.output
    assert "python -m pipeline forget ExtractData 2024-04-01" in ended.output
    assert failing.luigi(*LOAD).status == 0
    assert model_dates(failing, "2024-04-01") == ["2024-03-01"]


def test_rows_name_the_model_that_is_taken_though_its_successor_has_come_since(project):
    assert project.luigi("TrainModel", "--date", "2024-04-01").status == 0
    taken = f"{project.root}/training/date=2024-03-01/_SUCCESS"
    program = f"""
import datetime, luigi
from pipeline.records import Source
from pipeline.tasks import ApplyModel
date = datetime.date(2024, 4, 1)
task = ApplyModel((date,))
print(task.constants(date, {{"model": Source({taken!r}, "")}}, "job")["model_date"]["value"])
"""
    words = [sys.executable, "-c", program]
    told = subprocess.run(words, cwd=project.folder, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "2024-03-01"


def test_a_pinned_model_predicts_all_dates_from_its_own_on(project):
    project.replace_setting("[pipeline]", "[pipeline]\nmodel_date = 2024-03-01")
    assert project.luigi("LoadToBigQuery", "--date", "2024-05-10").status == 0
    assert model_dates(project, "2024-05-10") == ["2024-03-01"]
    ended = project.luigi("LoadToBigQuery", "--date", "2024-02-28")
    assert ended.status == 35
    assert "model_date = 2024-03-01 under [pipeline] is after 2024-02-28" in ended.output
    assert project.pipeline("status", "--start", "2024-02-28", "--stop", "2024-03-02").status == 0


def test_a_pinned_model_leaves_retraining_to_the_schedule(project):
    project.replace_setting("[pipeline]", "[pipeline]\nmodel_date = 2024-03-01")
    today = datetime.datetime.now(datetime.UTC).date()
    assert project.luigi("Retrain").status == 0
    assert project.is_done("training", str(today.replace(day=1)))


def test_a_floor_that_is_missed_on_the_1st_is_told_and_its_end_is_told_once(project):
    use_framework(project)
    project.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    assert project.luigi("LoadToBigQuery", "--date", "2024-03-20").status == 0
    project.set(notices="webhook = env:HOOK")
    with listen_as_webhook() as webhook:
        project.environment = {"HOOK": webhook.address}
        project.edit_config("training", floors={"accuracy": 1.0})
        ended = project.luigi(*LOAD)
        assert ended.status == 30
        assert model_dates(project, "2024-04-01") == ["2024-03-01"]
        [text] = webhook.texts
        assert text.startswith("toy v1: TrainModel 2024-04-01 failed (told by ")
        told = "TrainModel 2024-04-01: 2024-04-01 is loaded, but its predictions are by the model"
        assert f"{told} of 2024-03-01, as the training" in text
        assert "Why it failed: accuracy is " in text
        assert project.luigi(*LOAD).status == 0
        assert len(webhook.texts) == 1
        project.edit_config("training", floors={})
        assert project.luigi("TrainModel", "--date", "2024-04-01").status == 0
        assert webhook.texts[1:] == [webhook.texts[-1]]
        assert "Recovered: TrainModel 2024-04-01" in webhook.texts[-1]


def test_a_command_that_is_killed_before_it_has_told_leaves_that_to_the_next(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    failing.set(notices="webhook = env:HOOK")
    with listen_as_webhook() as webhook:
        failing.environment = {"HOOK": webhook.address}
        webhook.pause_seconds = 5
        killed = failing.start(*LOAD)
        wait_until(lambda: webhook.bodies)
        killed.kill()
        killed.communicate()
        webhook.pause_seconds = 0
        webhook.bodies.clear()
        # As if it had not come so far as to write down that it tells.
        shutil.rmtree(failing.root / "told")
        rows, jobs = failing.table(), failing.job_names()
        for words in (LOAD, ("Backfill", "--start", "2024-04-01", "--stop", "2024-04-02")):
            ended = failing.luigi(*words)
            if words is LOAD:
                assert ended.status == 30
                told = "2024-04-01 is loaded, but its predictions are by the model of 2024-03-01"
                assert told in ended.output
            else:
                assert ended.status == 0, ended.output
        assert [told in text for text in webhook.texts] == [True]
        assert (failing.table(), failing.job_names()) == (rows, jobs)


def test_whoever_can_not_be_reached_is_told_by_the_next_command(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    failing.set(notices="webhook = env:HOOK")
    days = ("Backfill", "--start", "2024-04-01", "--stop", "2024-04-02", "--fallback")
    with listen_as_webhook() as webhook:
        failing.environment = {"HOOK": webhook.address}
        webhook.status = 404
        assert failing.luigi(*days, "--workers", "2").status == 30
        webhook.status = 200
        assert failing.luigi(*days).status == 30
        assert "is loaded, but its predictions are by the model" in webhook.texts[-1]
        assert failing.luigi(*days).status == 0


def test_what_was_not_told_need_not_be_any_more_when_the_training_has_come(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    failing.set(notices="webhook = env:HOOK")
    assert failing.luigi(*LOAD).status == 30
    failing.mischief("training")
    failing.environment = {"HOOK": "http://127.0.0.1:1/nobody"}
    assert failing.luigi("TrainModel", "--date", "2024-04-01").status == 0
    assert failing.luigi(*LOAD).status == 0
    assert not list(failing.root.glob("load/*/date=2024-04-01/untold.json"))


def test_a_model_is_compared_with_the_newest_before_it_and_does_not_stand_on_it(project):
    for day in ("2024-02-01", "2024-04-01", "2024-03-01"):
        assert project.luigi("TrainModel", "--date", day).status == 0
    made_from = {
        day: project.marker("training", day)["made_from"].get("previous", {}).get("marker", "")
        for day in ("2024-02-01", "2024-03-01", "2024-04-01")
    }
    assert made_from["2024-02-01"] == ""
    assert made_from["2024-03-01"].endswith("/training/date=2024-02-01/_SUCCESS")
    assert made_from["2024-04-01"].endswith("/training/date=2024-02-01/_SUCCESS")
    ended = project.pipeline("forget", "TrainModel", "2024-02-01", "--yes")
    assert "To be made again, 1 in all" in ended.output
    states = json.loads(
        project.pipeline("status", "--json", "--start", "2024-04-01", "--stop", "2024-04-02").output
    )
    assert "stale" not in {state["condition"] for state in states}


def test_a_machine_that_failed_is_no_reason_for_an_older_model(failing):
    failing.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    failing.replace_setting("[jobs]", "[jobs]\ninfrastructure_retries = 0")
    failing.mischief("training", **{"2024-04-01": {"kill": True}})
    ended = failing.luigi(*LOAD)
    assert ended.status == 30
    assert "was killed" in ended.output
    assert model_dates(failing, "2024-04-01") == []
    failing.mischief("training")
    assert failing.luigi(*LOAD).status == 0
    assert model_dates(failing, "2024-04-01") == ["2024-04-01"]


def test_a_storage_that_fails_is_tried_again_and_no_reason_for_an_older_model(project):
    project.replace_setting("[pipeline]", "[pipeline]\nfallback_days = 40")
    assert project.luigi("LoadToBigQuery", "--date", "2024-03-20").status == 0
    assert project.luigi("ExtractData", "--action", "training", "--date", "2024-04-01").status == 0
    [data] = project.run_folder("data/training", "2024-04-01").glob("*/part-0.parquet")
    whole = data.read_bytes()
    data.unlink()
    # The kernel refuses to open such a file, as it does on a disk that fails.
    data.symlink_to(data)
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert f"Can't download {data}" in ended.output
    assert "trying again" in ended.output
    assert model_dates(project, "2024-04-01") == []
    data.unlink()
    data.write_bytes(whole)
    assert project.luigi(*LOAD).status == 0
    assert model_dates(project, "2024-04-01") == ["2024-04-01"]


def test_data_are_not_predicted_by_the_same_model_trained_again_with_another_query(project):
    model = project.run_folder("training", "2024-04-01") / "_SUCCESS"
    apply = ("ApplyModel", "--date", "2024-04-01")
    project.luigi("ExtractData", "--action", "application", "--date", "2024-04-01")
    model.unlink()
    ended = project.luigi(*apply)
    # Trained again, but with the query that made the data.
    assert ended.status == 0, ended.output
    project.pipeline("forget", "ApplyModel", "2024-04-01", "--yes")
    model.unlink()
    (project.run_folder("data/training", "2024-04-01") / "_SUCCESS").unlink()
    query = project.folder / "prediction" / "queries" / "features.sql"
    query.write_text(f"-- another\n{query.read_text()}")
    ended = project.luigi(*apply)
    assert ended.status == 30
    assert "were made by the query of an earlier model of 2024-04-01, and" in ended.output
    project.pipeline("forget", "ExtractData", "2024-04-01", "--yes")
    assert project.luigi(*apply).status == 0
