"""What people were told, kept in storage, so that the next command on any machine knows it.

A notice is a small create-only file: who writes it tells. It names what failed, for which date, on
which day (UTC), and why; a second file beside it says that this is over.
"""

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline import storage
from pipeline.layout import Layout, Notice
from pipeline.notices.causes import digest
from pipeline.notices.notes import Failure

# What has no runs of its own is known by its name and its first date, and never recovers.
_OTHERS = "task"


@dataclass
class Told:
    """The notices of one layout, in one listing; and which of them this command wrote."""

    layout: Layout
    known: set[str] = field(default_factory=set)
    written: list[str] = field(default_factory=list)

    def read(self) -> None:
        self.known = {entry.url for entry in storage.open(self.layout.told).list(self.layout.told)}

    def claim_failure(self, failure: Failure, today: datetime.date) -> Failure | None:
        """The failure with those of its dates that nobody has told of today; None without any."""
        if not failure.family:
            return failure if self._claim(failure, _first_date(failure), today) else None
        fresh = [date for date in failure.dates if self._claim(failure, date, today)]
        return replace(failure, dates=fresh) if fresh else None

    def open_failures(self) -> Mapping[tuple[str, datetime.date], Sequence[Notice]]:
        """The runs that were told as failed and not as recovered: family and date -> notices."""
        found: dict[tuple[str, datetime.date], list[Notice]] = {}
        for url in sorted(self.known):
            notice, recovered = self.layout.read_notice(url) or (None, False)
            if not notice or recovered or notice.family.startswith(_OTHERS):
                continue
            if self.layout.notice(notice, recovered=True) not in self.known:
                found.setdefault((notice.family, notice.date), []).append(notice)
        return found

    def claim_recovery(self, notices: Sequence[Notice]) -> bool:
        """Whether it is for this command to tell that the failure of `notices` is over."""
        won = [self._write(self.layout.notice(each, recovered=True), {}) for each in notices]
        # Another command may write them at the same moment: one of the two has the first.
        return won[0]

    def take_back(self) -> None:
        """Nobody could be told: the next command may tell."""
        for url in self.written:
            storage.open(url).delete(url)

    def _claim(self, failure: Failure, date: datetime.date, today: datetime.date) -> bool:
        family = failure.family or f"{_OTHERS}/{failure.task}"
        url = self.layout.notice(Notice(family, date, today, digest(failure)))
        return self._write(url, {"task": failure.task, "reason": failure.reason})

    def _write(self, url: str, content: Mapping[str, str]) -> bool:
        if url in self.known or not storage.write_once(url, _dump(content)):
            return False
        self.known.add(url)
        self.written.append(url)
        return True


def by_task(runs: Iterable[tuple[str, datetime.date]]) -> dict[str, list[datetime.date]]:
    """Runs, given as family and date, as people name them: task -> dates."""
    found: dict[str, list[datetime.date]] = {}
    for family, date in runs:
        kind = family.partition("/")[0]
        found.setdefault(_TASKS.get(family) or _TABLES[kind], []).append(date)
    return found


_TASKS = {
    "data/training": "ExtractData training",
    "training": "TrainModel",
    "data/application": "ExtractData application",
    "application": "ApplyModel",
    "data/evaluation": "ExtractData evaluation",
    "evaluation": "MeasurePredictions",
}
# The families of one kind, one for each table.
_TABLES = {"load": "LoadToBigQuery", "evaluations": "EvaluatePredictions"}


def _first_date(failure: Failure) -> datetime.date:
    return min(failure.dates, default=datetime.date.min)


def _dump(content: Mapping[str, str]) -> bytes:
    return (json.dumps({"format": 1, **content}, indent=2) + "\n").encode()
