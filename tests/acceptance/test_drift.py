"""Drift: what a chain leaves of it in storage and in the warehouse, what stops it, and the page."""

import json
import re

import duckdb
import pytest
from selenium.webdriver.common.by import By

from tests.acceptance.framework import use_framework
from tests.conftest import Project

DATE = "2024-03-05"
LOAD = ("LoadToBigQuery", "--date", DATE)
RANGE = ("--start", "2024-03-04", "--stop", "2024-03-07")
TABLE = "SELECT date::VARCHAR, model_date::VARCHAR, feature, psi FROM drift ORDER BY date, feature"


@pytest.fixture
def drifting(project: Project) -> Project:
    """A project whose model tells of drift."""
    project.edit_config("application", drift={"visits": 0.4, "spent": 0.1})
    return project


@pytest.fixture
def framed(project: Project) -> Project:
    """A project with the framework: it finds drift by itself, also in so few rows."""
    use_framework(project)
    return project


def test_what_a_date_told_is_in_the_table_and_a_rerun_loads_nothing_twice(drifting):
    assert drifting.luigi(*LOAD).status == 0
    rows = [(DATE, "2024-03-01", "spent", 0.1), (DATE, "2024-03-01", "visits", 0.4)]
    assert drifting.table(TABLE) == rows
    for task in ("LoadToBigQuery", "ApplyModel"):
        assert drifting.pipeline("forget", task, DATE, "--yes").status == 0
        assert drifting.luigi(*LOAD).status == 0
        assert drifting.table(TABLE) == rows
    [(run,)] = drifting.table("SELECT DISTINCT run_id FROM drift_v1")
    assert drifting.table("SELECT DISTINCT run_id FROM predictions") == [(run,)]
    [marker] = drifting.root.glob("load/*/date=*/_SUCCESS")
    loaded = json.loads(marker.read_text())
    assert loaded["rows"] == 40
    assert loaded["about"]["drift"] == {"table": "drift_v1", "rows": 2}


def test_each_date_has_a_partition_of_its_own(drifting):
    assert drifting.luigi("Backfill", *RANGE).status == 0
    dates = [row[0] for row in drifting.table(TABLE)]
    assert dates == [f"2024-03-0{day}" for day in (4, 4, 5, 5, 6, 6)]
    assert len(drifting.table()) == 120


def test_a_warning_of_the_model_is_passed_on_when_it_was_applied(drifting):
    ended = drifting.luigi(*LOAD)
    for name in ("visits", "spent"):
        line = f"WARNING: application of {DATE}: {name} drifts"
        assert ended.output.splitlines().count(line) == 1, ended.output
    about = drifting.marker("application", DATE)["about"]
    assert about["warnings"] == ["visits drifts", "spent drifts"]
    assert about["drift"]["rows"] == 2


def test_a_model_that_tells_nothing_of_drift_is_loaded_as_ever(project):
    ended = project.luigi(*LOAD)
    assert ended.status == 0
    assert "WARNING" not in ended.output
    assert project.table("SELECT count(*) FROM information_schema.tables") == [(2,)]
    ended = project.pipeline("drift")
    assert ended.status == 1
    assert ended.output.startswith("error: There is nothing to show: no date that was applied has")


def test_a_date_made_again_by_a_model_that_tells_nothing_of_drift_has_none(drifting):
    assert drifting.luigi("Backfill", *RANGE).status == 0
    drifting.edit_config("application", drift={})
    code = drifting.folder / "prediction" / "main.py"
    code.write_text(code.read_text().replace('if "drift" in config', 'if config["drift"]'))
    for task in (("TrainModel", "2024-03-01"), ("ApplyModel", DATE)):
        drifting.pipeline("forget", *task, "--yes")
    assert drifting.luigi(*LOAD).status == 0
    assert {row[0] for row in drifting.table(TABLE)} == {"2024-03-04", "2024-03-06"}
    [marker] = drifting.root.glob(f"load/*/date={DATE}/_SUCCESS")
    assert "drift" not in json.loads(marker.read_text())["about"]


def test_a_table_of_ones_own_that_is_called_drift_stops_no_date(drifting):
    house = drifting.folder / "var" / "warehouse.duckdb"
    house.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(house)) as base:
        base.execute("CREATE TABLE drift AS SELECT 1 AS mine")
    ended = drifting.luigi("LoadToBigQuery", "--date", DATE)
    assert ended.status == 0, ended.output
    assert "WARNING: drift_v1 is loaded, and no view shows it: drift is a table" in ended.output
    assert drifting.table("SELECT mine FROM drift") == [(1,)]
    assert drifting.table("SELECT DISTINCT date::VARCHAR FROM drift_v1") == [(DATE,)]


def test_a_version_is_promoted_with_its_drift(drifting):
    assert drifting.luigi(*LOAD).status == 0
    drifting.replace_setting("name = toy", "name = toy\nversion = 2")
    drifting.edit_config("application", drift={"visits": 0.7})
    assert drifting.luigi(*LOAD).status == 0
    assert [row[3] for row in drifting.table(TABLE)] == [0.1, 0.4]
    ended = drifting.pipeline("promote", "2")
    assert ended.output == (
        "The view predictions shows predictions_v2.\nThe view drift shows drift_v2.\n"
    )
    assert [row[3] for row in drifting.table(TABLE)] == [0.7]


def test_the_framework_tells_of_each_feature_and_of_the_score(framed):
    ended = framed.luigi(*LOAD)
    assert ended.status == 0, ended.output
    rows = framed.table(
        "SELECT role, feature, rows_compared, missing_share FROM drift ORDER BY role, feature"
    )
    assert rows == [
        ("feature", "spent", 40, 0.0),
        ("feature", "visits", 40, 0.0),
        ("score", "label", 40, 0.0),
    ]
    assert "reference.json" in [
        each["path"].rpartition("/")[2] for each in framed.marker("training", "2024-03-01")["files"]
    ]


def test_a_date_above_the_stop_is_refused_and_leaves_no_marker(framed):
    framed.edit_config("application", drift_stop=0.001)
    visits = framed.folder / "visits.csv"
    # Since the model was trained each customer has come a hundred times.
    more = "".join(f"{n},2024-03-02,5\n" * 100 for n in range(40))
    assert framed.luigi("TrainModel", "--date", "2024-03-01").status == 0
    visits.write_text(visits.read_text() + more)
    ended = framed.luigi(*LOAD)
    assert ended.status == 30
    assert re.search(
        rf"error: application of {DATE} failed: .*(visits|spent) is not as it was in the training"
        r" of 2024-03-01: its psi is \d.*, above drift_stop = 0.001.*Nothing was written",
        ended.output,
        re.DOTALL,
    ), ended.output
    assert not framed.is_done("application", DATE)
    assert not list(framed.root.glob("application/date=*/*/part-*"))
    assert not list(framed.root.glob("load/*/date=*/_SUCCESS"))
    # The next date may be as before.
    assert len(framed.job_names("application")) == 1


def test_the_page_shows_all_dates_and_the_command_names_the_worst(framed, browser):
    assert framed.luigi("Backfill", *RANGE).status == 0
    ended = framed.pipeline("drift", "--to", "pages/drift.html")
    assert ended.status == 0, ended.output
    first, *worst = ended.output.splitlines()
    assert first == "pages/drift.html: 3 dates from 2024-03-04 to 2024-03-06"
    assert len(worst) == 3
    browser.get((framed.folder / "pages" / "drift.html").as_uri())
    headings = [each.text for each in browser.find_elements(By.TAG_NAME, "h2")]
    assert headings[:2] == [
        "Features: population stability index",
        "Score label: population stability index",
    ]
    charts = browser.find_elements(By.TAG_NAME, "svg")
    assert len(charts) == len(headings)
    legends = [each.text for each in charts[0].find_elements(By.CSS_SELECTOR, ".legend text")]
    assert sorted(legends) == ["drift_warn", "spent", "visits"]
    width = browser.execute_script("return document.documentElement.clientWidth")
    for chart in charts:
        assert chart.is_displayed()
        assert chart.rect["x"] + chart.rect["width"] <= width


def test_a_range_of_dates_can_be_chosen_and_one_without_any_is_told(drifting):
    assert drifting.luigi("Backfill", *RANGE).status == 0
    some = drifting.pipeline("drift", "--start", "2024-03-05", "--stop", "2024-03-09")
    assert some.output.splitlines() == [
        "var/drift.html: 2 dates from 2024-03-05 to 2024-03-06",
        "  visits                   psi 0.4 on 2024-03-05",
        "  spent                    psi 0.1 on 2024-03-05",
    ]
    page = (drifting.folder / "var" / "drift.html").read_text()
    assert "toy: drift from 2024-03-05 to 2024-03-06" in page
    assert "Features: share of nulls" in page
    none = drifting.pipeline("drift", "--start", "2024-04-05", "--stop", "2024-04-09")
    assert none.status == 1
    assert "There is nothing to show" in none.output


def test_a_file_that_was_changed_is_refused(drifting):
    assert drifting.luigi(*LOAD).status == 0
    [told] = drifting.root.glob("application/*/*/drift.json")
    told.write_text(told.read_text().replace("0.4", "0.2"))
    ended = drifting.pipeline("drift")
    assert ended.status == 1
    assert f"{told} is not the file that " in ended.output
