"""The models that are there: their folder is listed once by a task that runs.

While a command finds out what to run, once for all of it. When a task starts, another may have
trained a model since.
"""

import datetime
import os

import luigi

from pipeline import storage
from pipeline.layout import MARKER, Layout, Run, cleaned_beside

# Of a process, which Luigi may have forked since, and of a folder.
_listed: dict[tuple[int, str], list[Run]] = {}


def find_newest(layout: Layout, first: datetime.date, before: datetime.date) -> Run | None:
    """The newest finished model of [`first`, `before`) whose files are still there."""
    return max((run for run in _find_all(layout) if first <= run.date < before), default=None)


def forget(*_: object) -> None:
    """List them again when they are asked for."""
    _listed.clear()


def _find_all(layout: Layout) -> list[Run]:
    folder = layout.family("training")
    key = os.getpid(), folder
    if key not in _listed:
        urls = {entry.url for entry in storage.open(folder).list(folder)}
        markers = [url for url in urls if url.endswith(f"/{MARKER}")]
        runs = [layout.run_at(url) for url in markers if cleaned_beside(url) not in urls]
        _listed[key] = [run for run in runs if run]
    return _listed[key]


luigi.Task.event_handler(luigi.Event.START)(forget)
