"""Ranges of dates: jobs that do several, one bad date among them, and reruns."""

import datetime

import pytest

RANGE = ("Backfill", "--start", "2024-02-25", "--stop", "2024-03-08")
DATES = [f"2024-02-{day}" for day in range(25, 30)] + [f"2024-03-0{day}" for day in range(1, 8)]


@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_backfill_loads_every_date_once_in_few_jobs(project, workers):
    ended = project.luigi(*RANGE, "--workers", workers)
    assert ended.status == 0, ended.output
    loaded = project.table("SELECT date::VARCHAR, count(*) FROM predictions GROUP BY 1 ORDER BY 1")
    assert loaded == [(date, 40) for date in DATES]
    assert len(project.job_names("training")) <= 1 + int(workers) - 1
    assert len(project.job_names("application")) <= 2 + int(workers) - 1


def test_no_date_is_scored_by_a_later_model(project):
    project.luigi(*RANGE)
    pairs = project.table("SELECT DISTINCT date, model_date FROM predictions ORDER BY 1")
    assert len(pairs) == len(DATES)
    assert all(model <= date and model.day == 1 for date, model in pairs)


def test_a_backfill_that_is_done_starts_nothing(project):
    project.luigi(*RANGE)
    before = project.job_names()
    ended = project.luigi(*RANGE)
    assert ended.status == 0
    assert "Did not run any tasks" in ended.output
    assert project.job_names() == before


def test_a_backfill_does_only_what_is_missing(project):
    project.luigi("LoadToBigQuery", "--date", "2024-03-02")
    rows = project.table()
    project.luigi(*RANGE)
    assert project.table("SELECT * FROM predictions WHERE date = '2024-03-02' ORDER BY id") == rows


def test_a_bad_date_fails_alone_and_is_named(project):
    project.mischief("application", **{"2024-03-03": {"fail": "a bad day"}})
    ended = project.luigi(*RANGE)
    assert ended.status == 30
    assert "application of 2024-03-03 failed: a bad day" in ended.output
    done = {date for date in DATES if project.is_done("application", date)}
    assert done == set(DATES) - {"2024-03-03"}
    # What the bad date's job held back is loaded by the next command, the bad one still fails.
    assert project.luigi(*RANGE).status == 30
    loaded = project.table("SELECT DISTINCT date::VARCHAR FROM predictions ORDER BY 1")
    assert [date for (date,) in loaded] == sorted(set(DATES) - {"2024-03-03"})


def test_a_killed_model_loses_only_the_dates_that_were_not_done(project, tmp_path):
    project.mischief("application", **{"2024-03-03": {"kill_once": str(tmp_path / "killed")}})
    ended = project.luigi(*RANGE)
    assert ended.status == 0, ended.output
    by_job = project.table("SELECT run_id, count(DISTINCT date) FROM predictions GROUP BY 1")
    assert sum(count for _, count in by_job) == len(DATES)
    assert len(project.table("SELECT 1 FROM predictions")) == 40 * len(DATES)


def test_last_counts_back_from_today(project):
    ended = project.luigi("Backfill", "--last", "2")
    assert ended.status == 0, ended.output
    today = datetime.datetime.now(datetime.UTC).date()
    dates = project.table("SELECT DISTINCT date FROM predictions ORDER BY 1")
    # At midnight UTC a day can begin while this runs.
    assert dates[-1][0] - dates[0][0] == datetime.timedelta(days=1)
    assert today - dates[-1][0] <= datetime.timedelta(days=1)


def test_last_counts_back_from_the_day_that_is_taken_for_today(project):
    ended = project.luigi("Backfill", "--last", "2", "--today", "2024-03-01")
    assert ended.status == 0, ended.output
    loaded = project.table("SELECT DISTINCT date::VARCHAR FROM predictions ORDER BY 1")
    assert loaded == [("2024-02-29",), ("2024-03-01",)]
