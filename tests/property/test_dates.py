"""Days and schedules, over a whole cycle of the calendar."""

import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.dates import (
    DaysParameter,
    Schedule,
    days_before,
    days_between,
    parse_day,
    training_date,
)
from pipeline.errors import DateError

DAY = datetime.timedelta(days=1)
ERA = 400 * 365 + 97  # after so many days the Gregorian calendar begins anew
MEMBER = {
    Schedule.DAILY: lambda date: True,
    Schedule.WEEKLY: lambda date: date.isoweekday() == 1,
    Schedule.MONTHLY: lambda date: date.day == 1,
}


@pytest.mark.parametrize("schedule", Schedule)
def test_the_model_in_force_is_the_latest_of_the_schedule_on_every_day_of_400_years(schedule):
    start = datetime.date(1799, 12, 2)  # a Monday
    latest = training_date(schedule, start)
    for count in range(ERA):
        date = start + count * DAY
        latest = date if MEMBER[schedule](date) else latest
        assert training_date(schedule, date) == latest
    assert training_date(schedule, latest) == latest


@given(st.dates(), st.sampled_from(Schedule))
def test_a_training_date_is_of_the_schedule_and_not_after_the_date(date, schedule):
    found = training_date(schedule, date)
    assert MEMBER[schedule](found)
    assert found <= date
    assert training_date(schedule, found) == found


@given(st.dates(), st.dates(), st.sampled_from(Schedule))
def test_a_later_date_has_no_earlier_model(one, other, schedule):
    first, last = sorted((one, other))
    assert training_date(schedule, first) <= training_date(schedule, last)


@given(st.dates(), st.integers(-500, 500))
def test_a_range_is_every_date_from_its_start_up_to_its_stop(start, count):
    try:
        stop = start + count * DAY
    except OverflowError:
        return
    dates = days_between(start, stop)
    assert len(dates) == max(0, count)
    assert all(later - earlier == DAY for earlier, later in pairwise(dates))
    assert not dates or (dates[0], dates[-1] + DAY) == (start, stop)


@given(st.dates(), st.integers(0, 10**10))
def test_days_before_is_a_date_or_is_refused(date, days):
    try:
        assert (date - days_before(date, days)).days == days
    except DateError:
        assert days > (date - datetime.date.min).days


@given(st.lists(st.dates(), min_size=1))
def test_days_are_read_as_they_are_written(dates):
    parameter = DaysParameter()
    value = parameter.normalize(dates)
    assert value == tuple(sorted(set(dates)))
    assert parameter.parse(parameter.serialize(value)) == value


@given(st.text() | st.from_regex(r"\d{1,5}-\d{1,3}-\d{1,3}", fullmatch=True))
def test_a_text_is_a_day_or_is_refused_in_one_line(text):
    try:
        told = str(parse_day(text))
    except DateError as error:
        told = str(error)
    assert "\n" not in told
