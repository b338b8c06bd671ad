import datetime

from pipeline import readiness

DATE = datetime.date(2024, 3, 5)


def at(hour: int, minute: int = 0, day: int = 5) -> datetime.datetime:
    return datetime.datetime(2024, 3, day, hour, minute, tzinfo=datetime.UTC)


def test_nobody_is_told_of_late_data_before_it_is_time():
    assert readiness.explain(DATE, "06:30", at(6, 29)) == ""
    assert readiness.explain(DATE, "06:30", at(23, day=4)) == ""


def test_from_then_on_people_are_told():
    told = "the data before 2024-03-05 are not complete, says ready.sql, and it is past 06:30"
    assert readiness.explain(DATE, "06:30", at(6, 30)).startswith(told)
    assert readiness.explain(DATE, "06:30", at(0, day=6)).startswith(told)
    assert readiness.explain(DATE, "00:00", at(0)) != ""
