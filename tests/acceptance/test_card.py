"""The card that the chain leaves beside a model, in a browser; and a worse model refused."""

import json
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.acceptance.framework import use_framework
from tests.conftest import Project

TRAIN = ("TrainModel", "--date", "2024-03-01")


@pytest.fixture
def project(project) -> Project:
    """A project with the framework of this checkout and a model that gives chances."""
    use_framework(project, customers=400)
    project.edit_config("training", kind="binary", model="prediction.model:Chance")
    return project


def card(project: Project, date: str = "2024-03-01") -> Path:
    [path] = project.run_folder("training", date).glob("*/card.html")
    return path


def text(browser: Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).text


def texts(browser: Chrome, selector: str) -> list[str]:
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, selector)]


def test_a_browser_shows_the_card_of_a_trained_model(project, browser):
    project.edit_config("training", description="Who <b>comes</b> again?")
    ended = project.luigi(*TRAIN)
    assert ended.status == 0, ended.output
    browser.get(card(project).as_uri())
    assert text(browser, "h1") == "Model card: toy, version 1"
    assert text(browser, ".lead") == "Who <b>comes</b> again?"
    assert texts(browser, "h2") == [
        "How good it is",
        "Plots",
        "Features",
        "Data",
        "How it was made",
    ]
    [line] = [each for each in texts(browser, "#metrics tbody tr") if "roc_auc" in each]
    value, low, _, high, base, better = line.split()[1:]
    assert float(low) < float(value) < float(high)
    assert (base, better) == ("0.5", "higher")
    assert sorted(texts(browser, "#features tbody th")) == ["spent", "visits"]
    assert "labels until 2024-03-01\nrows 395\n" in text(browser, "#data")
    [job] = project.job_names("training")
    assert job in text(browser, "#made")
    assert "luigi --module pipeline TrainModel --date 2024-03-01" in text(browser, "#command")


def test_each_plot_is_drawn_and_nothing_is_asked_of_the_network(project, browser):
    assert project.luigi(*TRAIN).status == 0
    browser.get(card(project).as_uri())
    drawn = browser.find_elements(By.CSS_SELECTOR, "figure svg")
    assert len(drawn) == len(texts(browser, "figcaption")) == 4
    for svg in drawn:
        assert svg.size["width"] > 300
        assert svg.find_elements(By.CSS_SELECTOR, "path.line, rect.rect")
        assert "axis" in (svg.find_element(By.CSS_SELECTOR, "g.axis").get_attribute("class") or "")
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map(each => each.name)"
    )
    assert asked == []
    assert browser.get_log("browser") == []
    assert not browser.find_elements(By.CSS_SELECTOR, "script, link, img")
    # On a narrow window nothing is pushed out of the page.
    browser.set_window_size(700, 900)
    assert browser.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


def test_the_card_is_among_the_files_of_the_run(project):
    assert project.luigi(*TRAIN).status == 0
    names = {Path(each["path"]).name for each in project.marker("training", "2024-03-01")["files"]}
    assert {"card.html", "card.json", "model.json"} <= names
    told = json.loads(card(project).with_name("card.json").read_text())
    assert told["provenance"]["date"] == "2024-03-01"
    marker = project.marker("training", "2024-03-01")
    assert told["provenance"]["code"] == marker["about"]["code"]
    assert str(project.folder) not in card(project).read_text()


def test_a_model_that_is_worse_than_the_previous_one_is_not_kept(project):
    assert project.luigi(*TRAIN).status == 0
    project.edit_config("training", not_worse_by={"log_loss": 0.01}, parameters={"slope": 9.0})
    ended = project.luigi("TrainModel", "--date", "2024-04-01")
    assert ended.status == 30
    assert "log_loss is" in ended.output
    assert "on the same rows: worse by more than 0.01. Nothing was saved." in ended.output
    assert not project.is_done("training", "2024-04-01")
    project.edit_config("training", parameters={"slope": 1.0})
    assert project.luigi("TrainModel", "--date", "2024-04-01").status == 0
    assert "previous model" in card(project, "2024-04-01").read_text()


def test_a_guard_that_guarded_nothing_is_told_by_the_training_and_by_status(project):
    assert project.luigi("TrainModel", "--date", "2024-02-01").status == 0
    project.edit_config("training", not_worse_by={"roc_auc": 0}, ignore=["spent"])
    ended = project.luigi(*TRAIN)
    assert ended.status == 0, ended.output
    why = "it needs the feature 'spent', which the data do not have"
    assert (
        "WARNING: training of 2024-03-01: This model may be worse than the previous" in ended.output
    )
    assert why in ended.output
    ended = project.pipeline("status", "--start", "2024-03-05", "--stop", "2024-03-06")
    assert ended.status == 0
    assert "TrainModel 2024-03-01 is done, with a warning: This model may be worse" in ended.output
    assert why in ended.output
