"""Days, ranges of days, and the schedule of retraining. All days are calendar days in UTC."""

import datetime
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import luigi

from pipeline.errors import DateError
from pipeline.times import today

Dates = tuple[datetime.date, ...]


class Schedule(StrEnum):
    """How often the model is trained anew: every day, on Mondays, on the 1st of the month."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


def training_date(schedule: Schedule, date: datetime.date) -> datetime.date:
    """The latest date of the schedule that is not after `date`: when the model in force was made.

    Raises `DateError` when there is none since the calendar began.
    """
    try:
        if schedule is Schedule.WEEKLY:
            return date - datetime.timedelta(days=date.weekday())
        if schedule is Schedule.MONTHLY:
            return date.replace(day=1)
    except OverflowError:
        raise DateError(
            f"{date} is too early for a {schedule} schedule. Choose a later date."
        ) from None
    return date


def days_before(date: datetime.date, days: int) -> datetime.date:
    """Raise `DateError` when that is before the calendar began."""
    try:
        return date - datetime.timedelta(days=days)
    except OverflowError:
        raise DateError(
            f"There is no date {days} days before {date}. Choose a later one."
        ) from None


def days_after(date: datetime.date, days: int) -> datetime.date:
    return date + datetime.timedelta(days=days)


def days_between(start: datetime.date, stop: datetime.date) -> Dates:
    """Every date in [start, stop)."""
    return tuple(start + datetime.timedelta(days=n) for n in range((stop - start).days))


def last_days(count: int, up_to: datetime.date | None = None) -> Dates:
    """`up_to` (today) and the days before it, `count` in all.

    Raises `DateError` unless that is above 0.
    """
    if count < 1:
        raise DateError(f"--last {count} is no number of days. Say 1 or more.")
    stop = (up_to or today()) + datetime.timedelta(days=1)
    return days_between(days_before(stop, count), stop)


def choose_days(
    start: datetime.date | None,
    stop: datetime.date | None,
    last: int | None,
    *,
    horizon_days: int = 0,
    up_to: datetime.date | None = None,
) -> Dates:
    """The dates of [start, stop), or the `last` ones. Raises `DateError` when that is unclear.

    With `horizon_days` the last ones are the last whose horizon is over on `up_to` (today).
    """
    if last is not None and start is None and stop is None:
        return tuple(days_before(date, horizon_days) for date in last_days(last, up_to))
    if last is not None or start is None or stop is None:
        raise DateError("Say either --start and --stop, or --last N.")
    dates = days_between(start, stop)
    if not dates:
        raise DateError(
            f"There is no date from {start} up to {stop}: --stop is the date after the last one."
        )
    return dates


def refuse_future(dates: Iterable[datetime.date]) -> None:
    """Raise `DateError` when a date is after today: what happens before it is not all known."""
    latest = max(dates)
    if latest > today():
        raise DateError(
            f"{latest} is after today, {today()} (UTC). Features of a date see all that happened"
            " before it, so that it can be asked for from that day on."
        )


def refuse_untold(dates: Iterable[datetime.date], horizon_days: int) -> None:
    """Raise `DateError` when the horizon of a date is not over: its truth is not all known."""
    latest = max(dates)
    if latest > days_before(today(), horizon_days):
        complete = days_after(latest, horizon_days)
        raise DateError(
            f"The truth about {latest} is complete on {complete}, {horizon_days} days later, and"
            f" today is {today()} (UTC). Ask again on that day."
        )


def parse_day(text: str) -> datetime.date:
    """Raise `DateError` unless `text` is YYYY-MM-DD."""
    try:
        return datetime.datetime.strptime(text.strip(), "%Y-%m-%d").date()
    except ValueError:
        raise DateError(f"{text!r} is no date. Write it as YYYY-MM-DD, as in 1998-04-01.") from None


class DayParameter(luigi.DateParameter):
    """A day, given as YYYY-MM-DD."""

    def parse(self, s: str) -> datetime.date:
        return parse_day(s)


class OptionalDayParameter(DayParameter):
    """A day, or None when it is not given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default=None, **options)  # type: ignore[arg-type]  # as luigi 3.9 will


class TodayParameter(OptionalDayParameter):
    """The day (UTC) on which the task is made, and stays for it: it may go on over midnight."""

    def __init__(self) -> None:
        super().__init__(significant=False, description="take this day for today (UTC)")

    def normalize(self, value: datetime.date | None) -> datetime.date:
        return value or today()


class DaysParameter(luigi.Parameter[Dates]):
    """One day or several, joined by commas: the value is a sorted tuple of dates.

    Luigi's batching joins the values of tasks that are ready into one task's.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(batch_method=_union, **options)

    def parse(self, text: str) -> Dates:
        return self.normalize(parse_day(each) for each in text.split(","))

    def normalize(self, value: datetime.date | Iterable[datetime.date]) -> Dates:
        if isinstance(value, datetime.date):
            return (value,)
        return tuple(sorted(set(value)))

    def serialize(self, dates: Dates) -> str:
        return ",".join(str(date) for date in dates)


def _union(values: Iterable[Dates]) -> Dates:
    return tuple(sorted({date for dates in values for date in dates}))
