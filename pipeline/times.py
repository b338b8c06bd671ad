"""The wall clock, in UTC."""

import datetime


def now() -> str:
    """This moment in ISO 8601, to the microsecond, in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat()


def today() -> datetime.date:
    """The calendar day in UTC."""
    return datetime.datetime.now(datetime.UTC).date()
