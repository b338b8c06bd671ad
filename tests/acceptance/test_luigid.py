"""Under luigid: what its page shows in a browser, and that nothing is lost when it is killed."""

import shutil
from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.luigid import Luigid
from tests.waiting import wait_until

TRAIN = ("TrainModel", "--date", "2024-03-01")
BACKFILL = ("Backfill", "--start", "2024-03-01", "--stop", "2024-04-01", "--workers", "2")


@pytest.fixture
def luigid(project, tmp_path) -> Iterator[Luigid]:
    (tmp_path / "luigid").mkdir()
    # What a dead worker ran is free again after a few seconds instead of a minute.
    project.set(scheduler="worker_disconnect_delay = 5\nstable_done_cooldown_secs = 0")
    shutil.copy(project.folder / "luigi.cfg", tmp_path / "luigid")
    with Luigid(tmp_path / "luigid") as luigid:
        luigid.serve(project)
        yield luigid


def open_page(browser: Chrome, luigid: Luigid) -> None:
    browser.get(luigid.page)
    wait_until(lambda: rows(browser))


def rows(browser: Chrome) -> list[str]:
    found = browser.find_elements(By.CSS_SELECTOR, "#taskTable tbody tr")
    return [row.text for row in found if "No data" not in row.text and row.text]


def click(browser: Chrome, selector: str) -> None:
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, selector))
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def test_the_page_shows_how_a_running_task_goes_on(project, luigid, browser, tmp_path):
    gate = tmp_path / "gate"
    project.mischief("training", **{"2024-03-01": {"wait_for": str(gate)}})
    command = project.start(*TRAIN)
    wait_until(gate.with_name("gate.here").exists)
    try:
        open_page(browser, luigid)
        [job] = project.job_names("training")
        [row] = [each for each in rows(browser) if "TrainModel" in each]
        assert "RUNNING" in row
        link = "#taskTable a.btn-primary"
        wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, link))
        [log] = browser.find_elements(By.CSS_SELECTOR, link)
        assert log.get_attribute("href") == (project.root / "jobs" / job / "log.txt").as_uri()
        click(browser, "#taskTable .statusMessage")
        message = "#statusMessageModal pre"
        wait_until(lambda: browser.find_element(By.CSS_SELECTOR, message).text)
        told = browser.find_element(By.CSS_SELECTOR, message).text
        assert told.splitlines()[0] == "2024-03-01"
        assert job in told
        assert browser.find_element(By.CSS_SELECTOR, "#statusMessageModal .progress").is_displayed()
    finally:
        gate.touch()
        ended = project.end(command)
    assert ended.status == 0, ended.output


def test_the_page_shows_why_a_task_failed(project, luigid, browser):
    project.mischief("training", **{"2024-03-01": {"fail": "the column <amount> is missing"}})
    assert project.luigi(*TRAIN).status == 30
    open_page(browser, luigid)
    [row] = [each for each in rows(browser) if "TrainModel" in each]
    assert "FAILED" in row
    click(browser, "#taskTable .showError")
    selector = "#errorModal"
    wait_until(lambda: "amount" in browser.find_element(By.CSS_SELECTOR, selector).text)
    told = browser.find_element(By.CSS_SELECTOR, selector).text
    assert "training of 2024-03-01 failed: " in told
    assert "the column <amount> is missing" in told
    assert "luigi/worker.py" not in told


@pytest.mark.timeout(600)
def test_a_month_is_loaded_once_though_luigid_and_a_worker_are_killed(project, luigid):
    project.set(training="max_dates_per_job = 3", application="max_dates_per_job = 3")
    first = project.start(*BACKFILL)
    wait_until(lambda: loaded(project) >= 3, 120)
    luigid.kill()
    luigid.start()
    # It knows nothing of what was asked for before: the command ends, and says what it left.
    assert project.end(first).status == 25
    assert loaded(project) < 31
    second = project.start(*BACKFILL)
    wait_until(lambda: loaded(project) >= 12, 120)
    second.kill()
    project.end(second)
    # As cron does it each hour: what the dead worker ran is given to others after a while.
    wait_until(lambda: project.luigi(*BACKFILL).status == 0, 120)
    assert loaded(project) == 31
    rows = project.table("SELECT count(*), count(DISTINCT (date, id)) FROM predictions_v1")
    assert rows == [(31 * 40, 31 * 40)]
    # Nothing was computed twice.
    for family in ("training", "application", "data/application"):
        for folder in project.root.glob(f"{family}/date=*"):
            assert len(list(folder.glob("claim-*.json"))) == 1, folder


def loaded(project) -> int:
    return len(list(project.root.glob("load/*/date=*/_SUCCESS")))
