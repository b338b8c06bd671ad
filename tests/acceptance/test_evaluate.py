"""Predictions that meet their truth: the commands that a user types, and what they leave."""

import datetime
import json

import duckdb
import pytest
from selenium.webdriver.common.by import By

DATE = "2024-03-05"
LOAD = ("LoadToBigQuery", "--date", DATE)
EVALUATE = ("EvaluatePredictions", "--date", DATE)
RANGE = ("--start", "2024-03-04", "--stop", "2024-03-09")
DATES = [f"2024-03-0{day}" for day in range(4, 9)]


def today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def evaluations(project, what: str = "*") -> list[tuple]:
    return project.table(f"SELECT {what} FROM evaluations_v1 ORDER BY date")  # noqa: S608 - ours


def page(project, date: str):
    [found] = project.root.glob(f"evaluations/*/date={date}/*/evaluations.html")
    return found


def test_what_was_predicted_meets_what_came(project):
    assert project.luigi(*LOAD).status == 0
    [(share, run)] = project.table("SELECT DISTINCT share, run_id FROM predictions")
    ended = project.luigi(*EVALUATE)
    assert ended.status == 0, ended.output
    [row] = evaluations(project, "date::VARCHAR, model_date::VARCHAR, run_id, rows, unlabelled")
    assert row == (DATE, "2024-03-01", run, 40, 0)
    [(actual, predicted, brier)] = evaluations(project, "actual, predicted, brier")
    # Who of the 40 came again within the 30 days, as the file of visits says.
    visits = (project.folder / "visits.csv").read_text().splitlines()[1:]
    came = {line.split(",")[0] for line in visits if DATE <= line.split(",")[1] < "2024-04-04"}
    assert actual == pytest.approx(len(came) / 40)
    assert predicted == pytest.approx(share)
    assert brier == pytest.approx(actual * (1 - share) ** 2 + (1 - actual) * share**2)
    assert project.table("SELECT count(*) FROM evaluations") == [(1,)]


def test_an_older_evaluation_that_can_not_be_read_is_left_out_of_the_page(project):
    assert project.luigi(*EVALUATE).status == 0
    [metrics] = project.root.glob(f"evaluation/date={DATE}/*/metrics.json")
    metrics.write_text("{}")
    ended = project.luigi("EvaluatePredictions", "--date", "2024-03-06")
    assert ended.status == 0, ended.output
    assert f"{metrics} does not say what was measured" in ended.output
    assert "2024-03-06: 40 predictions met their label" in page(project, "2024-03-06").read_text()


def test_a_rerun_does_nothing(project):
    assert project.luigi(*EVALUATE).status == 0
    before, rows = project.job_names(), evaluations(project)
    ended = project.luigi(*EVALUATE)
    assert ended.status == 0
    assert "Did not run any tasks" in ended.output
    assert (project.job_names(), evaluations(project)) == (before, rows)


def own_table(project, name: str) -> None:
    house = project.folder / "var" / "warehouse.duckdb"
    house.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(house)) as base:
        base.execute(f"CREATE TABLE {name} AS SELECT 1 AS mine")


def test_a_table_of_ones_own_that_is_called_evaluations_stops_no_date(project):
    own_table(project, "evaluations")
    ended = project.luigi("Backfill", "--of", "EvaluatePredictions", *RANGE)
    assert ended.status == 0, ended.output
    told = "WARNING: evaluations_v1 is loaded, and no view shows it: evaluations is a table. Rename"
    assert ended.output.count(told) == 1, ended.output
    assert project.table("SELECT mine FROM evaluations") == [(1,)]
    assert len(evaluations(project)) == len(DATES)
    assert project.luigi(*LOAD).status == 0
    ended = project.pipeline("promote", "1")
    assert ended.status == 0
    assert "No view shows evaluations_v1: evaluations is a table. Rename it" in ended.output


def test_a_table_of_ones_own_that_is_called_predictions_is_told_before_anything_is_loaded(project):
    own_table(project, "predictions")
    ended = project.luigi(*LOAD)
    assert ended.status == 30
    assert f"load of {DATE} failed: predictions is a table. Rename it" in ended.output
    assert project.table("SELECT table_name FROM duckdb_tables()") == [("predictions",)]
    with duckdb.connect(str(project.folder / "var" / "warehouse.duckdb")) as base:
        base.execute("ALTER TABLE predictions RENAME TO mine")
    assert project.luigi(*LOAD).status == 0
    assert project.table("SELECT count(*) FROM predictions") == [(40,)]


def test_a_marker_lists_the_page_and_what_it_was_made_from(project):
    assert project.luigi(*EVALUATE).status == 0
    [marker] = project.root.glob(f"evaluations/*/date={DATE}/_SUCCESS")
    content = json.loads(marker.read_text())
    [listed] = content["files"]
    assert (marker.parent / listed["path"]).stat().st_size == listed["size_bytes"]
    assert set(content["made_from"]) == {"evaluation"}
    made_from = project.marker("evaluation", DATE)["made_from"]
    assert set(made_from) == {"data", "predictions"}
    window = project.marker("data/evaluation", DATE)["about"]["truth_window"]
    assert window == {"labels_from": DATE, "labels_until": "2024-04-04"}


def test_a_range_is_evaluated_in_few_jobs(project):
    ended = project.luigi("Backfill", "--of", "EvaluatePredictions", *RANGE)
    assert ended.status == 0, ended.output
    assert [date for (date,) in evaluations(project, "date::VARCHAR")] == DATES
    assert len(project.job_names("evaluation-")) == 1
    assert len(project.job_names("application-")) == 1
    # Predictions that nobody asked to be delivered are not.
    assert not list(project.root.glob("load/*"))
    before = project.job_names()
    ended = project.luigi("Backfill", "--of", "EvaluatePredictions", *RANGE)
    assert "Did not run any tasks" in ended.output
    assert project.job_names() == before


def test_the_last_dates_are_those_whose_truth_has_come_and_that_were_predicted(project):
    newest = today() - datetime.timedelta(days=30)
    last = ("Backfill", "--of", "EvaluatePredictions", "--last", "3")
    # Nothing was predicted at its time: nothing is now.
    ended = project.luigi(*last)
    assert ended.status == 0, ended.output
    assert project.job_names() == []
    assert project.luigi("ApplyModel", "--date", str(newest)).status == 0
    ended = project.luigi(*last)
    assert ended.status == 0, ended.output
    assert evaluations(project, "date") == [(newest,)]


@pytest.mark.parametrize(
    "task",
    [
        ("EvaluatePredictions", "--date"),
        ("MeasurePredictions", "--date"),
        ("ExtractData", "--action", "evaluation", "--date"),
    ],
)
def test_a_date_whose_truth_is_not_complete_is_refused_in_one_line(project, task):
    date = today() - datetime.timedelta(days=29)
    ended = project.luigi(*task, str(date))
    assert ended.status == 40
    [line] = ended.output.splitlines()
    complete = date + datetime.timedelta(days=30)
    assert f"error: The truth about {date} is complete on {complete}, 30 days later" in line
    assert project.job_names() == []


def test_a_range_that_reaches_into_the_unknown_is_refused(project):
    stop = today() - datetime.timedelta(days=28)
    words = ("--start", "2024-03-04", "--stop", str(stop))
    ended = project.luigi("Backfill", "--of", "EvaluatePredictions", *words)
    assert ended.status == 40
    assert f"error: The truth about {stop - datetime.timedelta(days=1)} is complete" in ended.output


def test_the_labels_are_those_of_the_query_that_the_model_was_trained_with(project):
    assert project.luigi(*LOAD).status == 0
    labels = project.folder / "prediction" / "queries" / "labels.sql"
    labels.write_text(labels.read_text().replace("COUNT(later.id) > 0", "FALSE"))
    assert project.luigi(*EVALUATE).status == 0
    assert evaluations(project, "actual > 0") == [(True,)]


def test_predictions_are_evaluated_with_the_model_that_made_them(project):
    assert project.luigi(*LOAD).status == 0
    project.replace_setting("schedule = monthly", "schedule = daily")
    assert project.luigi(*EVALUATE).status == 0
    assert evaluations(project, "model_date::VARCHAR") == [("2024-03-01",)]
    # Another model would be in force by today's schedule; none was trained for that.
    assert len(project.job_names("training")) == 1


def test_another_horizon_than_that_of_the_labels_learned_from_is_refused(project):
    assert project.luigi(*LOAD).status == 0
    project.replace_setting("horizon_days = 30", "horizon_days = 7")
    ended = project.luigi(*EVALUATE)
    assert ended.status == 30
    assert "was trained on labels of 30 days, and horizon_days under [pipeline]" in ended.output
    assert project.luigi(*EVALUATE, "--pipeline-horizon-days", "30").status == 0


def test_a_model_without_a_query_of_labels_can_not_be_evaluated(project):
    (project.folder / "training.parquet").write_bytes(training_data(project))
    (project.folder / "prediction" / "queries" / "labels.sql").unlink()
    project.set(training=f"data = {project.folder}/training{{date}}.parquet")
    (project.folder / "training.parquet").rename(project.folder / "training2024-03-01.parquet")
    ended = project.luigi(*EVALUATE)
    assert ended.status == 30
    assert "data for evaluation of 2024-03-05 failed: Evaluation needs labels.sql" in ended.output
    assert not project.job_names("evaluation-")


def test_a_model_without_a_label_can_not_be_evaluated(project):
    project.edit_config("training", kind="none")
    ended = project.luigi(*EVALUATE)
    assert ended.status == 30
    assert 'is of "kind": "none": it has no label' in ended.output
    assert not project.job_names("evaluation-")


def test_predictions_that_are_not_those_recorded_are_refused(project):
    assert project.luigi(*LOAD).status == 0
    [file] = project.run_folder("application", DATE).glob("*/part-0.parquet")
    file.write_bytes(file.read_bytes() + b" ")
    ended = project.luigi(*EVALUATE)
    assert ended.status == 30
    assert f"evaluation of {DATE} failed: {file} is not the file that" in ended.output


def test_a_prediction_that_is_forgotten_takes_its_evaluation_with_it(project):
    assert project.luigi(*LOAD).status == 0
    assert project.luigi(*EVALUATE).status == 0
    ended = project.pipeline("forget", "ApplyModel", DATE, "--yes")
    assert ended.status == 0, ended.output
    for line in ("application of", "load of", "data for evaluation of", "load of evaluation of"):
        assert f"    {line} {DATE}" in ended.output
    assert "Tables keep their rows" in ended.output
    assert not list(project.root.glob(f"ev*/**/date={DATE}/_SUCCESS"))
    assert project.luigi(*EVALUATE).status == 0
    assert len(evaluations(project)) == 1


def test_the_job_that_measures_has_a_log(project):
    assert project.luigi(*EVALUATE).status == 0
    ended = project.pipeline("logs", "MeasurePredictions", DATE)
    assert ended.status == 0, ended.output
    assert "(The log: " in ended.output or "has not written a log" in ended.output


def test_both_views_are_promoted(project):
    assert project.luigi(*LOAD).status == 0
    assert project.luigi(*EVALUATE).status == 0
    project.replace_setting("name = toy", "name = toy\nversion = 2")
    assert project.luigi(*LOAD).status == 0
    ended = project.pipeline("promote", "2")
    assert "There is no evaluations_v2 yet, so that the view evaluations stays" in ended.output
    assert project.luigi(*EVALUATE).status == 0
    ended = project.pipeline("promote", "2")
    assert ended.output.endswith("The view evaluations shows evaluations_v2.\n")
    runs = "SELECT run_id FROM "
    assert project.table(runs + "evaluations") == project.table(runs + "evaluations_v2")


# clean


def test_predictions_stay_until_they_have_met_their_truth(project):
    date = str(today() - datetime.timedelta(days=20))
    assert project.luigi("LoadToBigQuery", "--date", date).status == 0
    assert project.pipeline("clean", "--older-than", "10").status == 0
    assert list(project.run_folder("application", date).glob("*/part-0.parquet"))


def test_predictions_that_are_evaluated_can_go_and_those_long_known_too(project):
    for known, kept in (("--older-than=3000", True), ("--older-than=30", False)):
        if kept:
            assert project.luigi(*LOAD).status == 0
        assert project.pipeline("clean", known).status == 0
        assert bool(list(project.run_folder("application", DATE).glob("*/part-0.parquet"))) == kept
    ended = project.luigi(*EVALUATE)
    assert ended.status == 30
    folder = project.run_folder("application", DATE)
    assert f"evaluation of {DATE} failed: The files of {folder} were cleaned on" in ended.output


def test_the_weights_of_the_model_may_be_cleaned_before(project):
    assert project.luigi(*LOAD).status == 0
    assert project.luigi("TrainModel", "--date", "2024-04-01").status == 0
    [weights] = project.run_folder("training", "2024-03-01").glob("*/model.joblib")
    weights.unlink()
    assert project.luigi(*EVALUATE).status == 0


# the page


def test_the_page_draws_each_metric_over_the_dates(project, browser):
    assert project.luigi("Backfill", "--of", "EvaluatePredictions", *RANGE).status == 0
    browser.get(page(project, DATES[-1]).as_uri())
    assert browser.find_element(By.TAG_NAME, "h1").text.endswith("toy, version 1")
    text = browser.find_element(By.TAG_NAME, "p").text
    assert text.startswith("5 dates from 2024-03-04 to 2024-03-08.")
    assert text.endswith("2024-03-08: 40 predictions met their label.")
    headings = [each.text for each in browser.find_elements(By.TAG_NAME, "h2")]
    assert headings == ["Brier score", "Mean"]
    dots = browser.find_elements(By.CSS_SELECTOR, "svg .series.serie-0 circle.dot")
    assert len(dots) == 10
    assert not browser.get_log("browser")


def test_a_backfill_draws_one_page_that_shows_every_date(project):
    assert project.luigi("Backfill", "--of", "EvaluatePredictions", *RANGE).status == 0
    pages = [path.parents[1].name for path in project.root.glob("evaluations/*/*/*/*.html")]
    assert pages == [f"date={DATES[-1]}"]


def training_data(project) -> bytes:
    """What the query makes of 2024-03-01, as a file that is there already."""
    assert project.luigi("ExtractData", "--action", "training", "--date", "2024-03-01").status == 0
    [file] = project.run_folder("data/training", "2024-03-01").glob("*/part-0.parquet")
    content = file.read_bytes()
    (file.parents[1] / "_SUCCESS").unlink()
    [claim] = file.parents[1].glob("claim-1.json")
    claim.unlink()
    return content


def status(project, date: str) -> list[str]:
    """What stands in the row of a date, the model's own date apart."""
    next_day = str(datetime.date.fromisoformat(date) + datetime.timedelta(days=1))
    ended = project.pipeline("status", "--start", date, "--stop", next_day)
    assert ended.status == 0, ended.output
    return [word for word in ended.output.splitlines()[1].split() if "-" not in word]


def test_status_says_whether_an_evaluation_is_to_come_due_or_done(project):
    assert status(project, DATE) == ["missing"] * 3
    assert project.luigi(*LOAD).status == 0
    assert status(project, DATE)[-1] == "due"
    assert project.luigi(*EVALUATE).status == 0
    assert status(project, DATE)[-1] == "done"
    day = today()
    assert project.luigi("LoadToBigQuery", "--date", str(day)).status == 0
    complete = day + datetime.timedelta(days=30)
    ended = project.pipeline("status", "--last", "1")
    assert ended.output.splitlines()[1].rstrip().endswith(f"from {complete:%m-%d}")


def test_status_asks_for_no_evaluation_of_a_model_without_a_label(project):
    project.edit_config("training", kind="none")
    assert project.luigi(*LOAD).status == 0
    assert status(project, DATE) == ["done"] * 3
