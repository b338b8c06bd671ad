"""A run's marker as a Luigi target: done is a property of the world.

A marker that was seen stays seen for the life of the process: markers are created once. Before
anything has been run, one listing of a family can answer for all of its runs (`survey`).
"""

import os
from collections.abc import Iterable

import luigi

from pipeline import storage
from pipeline.layout import MARKER, UNTOLD, Run

_seen: set[str] = set()
_surveyed: set[str] = set()
_surveyor_pid = 0


class RunTarget(luigi.Target):
    """A finished run: the `_SUCCESS` in its folder."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def exists(self) -> bool:
        url = self.run.marker
        if url in _seen:
            return True
        if _is_surveyed(url):
            return False
        if not storage.open(url).exists(url):
            return False
        _seen.add(url)
        return True

    def __str__(self) -> str:
        return self.run.marker


def survey(families: Iterable[str]) -> None:
    """List the folders of whole families, and let that answer for all their runs until `forget`."""
    global _surveyor_pid
    _surveyor_pid = os.getpid()
    for family in families:
        for entry in storage.open(family).list(family):
            if entry.url.endswith((f"/{MARKER}", f"/{UNTOLD}")):
                _seen.add(entry.url)
        _surveyed.add(f"{family}/")


def is_there(url: str) -> bool:
    """Whether something that may go again lies beside a marker."""
    return url in _seen if _is_surveyed(url) else storage.open(url).exists(url)


def remember(runs: Iterable[Run]) -> None:
    """Runs whose markers somebody has just seen."""
    _seen.update(run.marker for run in runs)


def forget_survey(*_: object) -> None:
    """From now on ask for each marker that has not been seen: something is being run."""
    _surveyed.clear()


def _is_surveyed(url: str) -> bool:
    # A forked worker runs tasks: what its parent knew before may have changed.
    return _surveyor_pid == os.getpid() and any(url.startswith(family) for family in _surveyed)


luigi.Task.event_handler(luigi.Event.START)(forget_survey)
