import datetime

import pytest

from pipeline.notices.causes import digest, group, join_dates
from pipeline.notices.notes import Failure


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def failure(date: str, reason: str, task: str = "ApplyModel", log: str = "") -> Failure:
    return Failure(
        task, "application", [day(date)], reason, f"trace of {date}", [log] if log else []
    )


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ([], ""),
        (["2024-03-01"], "2024-03-01"),
        (["2024-03-02", "2024-03-01"], "2024-03-01 to 2024-03-02"),
        (["2024-02-28", "2024-02-29", "2024-03-01"], "2024-02-28 to 2024-03-01"),
        (["2024-03-01", "2024-03-03", "2024-03-03"], "2024-03-01, 2024-03-03"),
        (
            ["2024-03-01", "2024-05-01", "2024-05-02", "2024-07-01"],
            "2024-03-01, 2024-05-01 to 2024-05-02 and 1 more",
        ),
    ],
)
def test_days_that_follow_each_other_are_a_range(dates, words):
    assert join_dates([day(each) for each in dates], most=2) == words


def test_what_failed_for_the_same_reason_is_one_cause():
    first, second = group(
        [
            failure("2024-03-02", "a bad day", log="/jobs/b/log.txt"),
            failure("2024-03-01", "a strike"),
            failure("2024-03-01", "a bad day", log="/jobs/a/log.txt"),
            failure("2024-03-02", "a bad day", log="/jobs/b/log.txt"),
        ]
    )
    assert first.dates == [day("2024-03-01"), day("2024-03-02")]
    assert first.logs == ["/jobs/b/log.txt", "/jobs/a/log.txt"]
    assert first.detail == "trace of 2024-03-02"
    assert second.reason == "a strike"


def test_another_task_is_another_cause():
    found = group([failure("2024-03-01", "x"), failure("2024-03-01", "x", task="TrainModel")])
    assert [each.task for each in found] == ["ApplyModel", "TrainModel"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no file data/2024-03-01.csv", "no file data/2024-03-02.csv"),
        ("toy-training-20240301-fedc7dfb8c vanished", "toy-training-20240302-0123456789 vanished"),
        ("can't read /tmp/tmpab12cd_e/x", "can't read /tmp/tmpzz99yy8x/x"),
    ],
)
def test_dates_and_names_of_jobs_make_no_other_cause(one, other):
    assert digest(failure("2024-03-01", one)) == digest(failure("2024-03-02", other))


def test_other_words_or_numbers_make_another_cause():
    reasons = ["exit status 1", "exit status 137", "out of memory"]
    assert len({digest(failure("2024-03-01", reason)) for reason in reasons}) == 3
