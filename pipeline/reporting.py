"""What a person sees while a task waits: Luigi's page, a line in a terminal, a line in the log."""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import luigi
from tqdm import tqdm

from pipeline.layout import link
from pipeline.watching import Progress

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")

_QUIET_SECONDS = 10.0
# Luigi's page takes what a message says for HTML.
_NO_MARKUP = str.maketrans("<>", "()")


class Reporter:
    """Tells of a task's jobs as long as its `with` block lasts; the waiter's `report`."""

    def __init__(self, task: luigi.Task) -> None:
        self._task = task
        self._said: dict[str, tuple[float, str]] = {}
        self._bar: tqdm[Any] | None = None

    def __call__(self, progress: Progress) -> None:
        self._tell_luigi(progress)
        if sys.stderr.isatty():
            self._draw(progress)
        else:
            self._log(progress)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def _tell_luigi(self, progress: Progress) -> None:
        # Luigi sets these only while it runs the task.
        if progress.log:
            self._call("set_tracking_url", _page(progress.log))
        words = f"{_name(progress)}\n{progress.message}\n{progress.job}"
        self._call("set_status_message", words.translate(_NO_MARKUP))
        self._call("set_progress_percentage", round(100 * progress.share, 1))

    def _call(self, name: str, value: object) -> None:
        method: Callable[[object], None] | None = getattr(self._task, name, None)
        if method is not None:
            method(value)

    def _draw(self, progress: Progress) -> None:
        if self._bar is None:
            form = "{desc}: {percentage:3.0f}%|{bar:20}| {elapsed} {postfix}"
            self._bar = tqdm(total=1.0, leave=False, bar_format=form, file=sys.stderr)
        self._bar.set_description_str(_name(progress), refresh=False)
        self._bar.set_postfix_str(progress.message, refresh=False)
        self._bar.n = progress.share
        self._bar.refresh()

    def _log(self, progress: Progress) -> None:
        """A line for what is new, and for progress a line every few seconds."""
        now = time.monotonic()
        said_at, message = self._said.get(progress.job, (-_QUIET_SECONDS, ""))
        if progress.job not in self._said:
            where = f"; its log: {progress.log}" if progress.log else ""
            logger.info("%s: %s works on it%s", _name(progress), progress.job, where)
        elif progress.message != message and now - said_at >= _QUIET_SECONDS:
            share = round(100 * progress.share)
            logger.info("%s: %d %% %s", _name(progress), share, progress.message)
        else:
            return
        self._said[progress.job] = (now, progress.message)


def _page(log: str) -> str:
    """What a link leads to: luigid's page takes a path for one of its own."""
    return link(log) if "://" in log else Path(log).as_uri()


def _name(progress: Progress) -> str:
    first, last = min(progress.dates), max(progress.dates)
    return first if first == last else f"{len(progress.dates)} dates, {first} to {last}"
