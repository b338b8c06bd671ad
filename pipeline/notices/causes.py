"""Failures with the same cause, and how one cause is known again on another date or day."""

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.layout import cause_digest
from pipeline.notices.notes import Failure

# What differs each time: dates, names of jobs and runs, temporary files.
_PASSING = re.compile(r"\d{4}-\d{2}-\d{2}|\b[0-9a-f]{8,}\b|\btmp\w{8}\b")


@dataclass(frozen=True)
class Cause:
    """Why one task failed for `dates`, in the words of the first of them."""

    task: str
    reason: str
    dates: Sequence[datetime.date]
    detail: str
    logs: Sequence[str]


def digest(failure: Failure) -> str:
    """The same for two failures that differ only in what passes."""
    return cause_digest(f"{failure.task}: {_PASSING.sub('...', failure.reason)}")


def group(failures: Iterable[Failure]) -> list[Cause]:
    """Put together what has the same cause, in the order that causes first came up."""
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(digest(failure), []).append(failure)
    return [_join(each) for each in groups.values()]


def join_dates(dates: Iterable[datetime.date], most: int = 8) -> str:
    """Dates in order, days that follow each other as a range, at most so many of these."""
    ranges: list[list[datetime.date]] = []
    for date in sorted(set(dates)):
        if ranges and date - ranges[-1][-1] == datetime.timedelta(days=1):
            ranges[-1] = [ranges[-1][0], date]
        else:
            ranges.append([date])
    words = [" to ".join(str(date) for date in each) for each in ranges]
    more = len(words) - most
    return ", ".join(words[:most]) + (f" and {more} more" if more > 0 else "")


def _join(failures: Sequence[Failure]) -> Cause:
    first = failures[0]
    return Cause(
        first.task,
        first.reason,
        sorted({date for each in failures for date in each.dates}),
        first.detail,
        list(dict.fromkeys(log for each in failures for log in each.logs)),
    )
