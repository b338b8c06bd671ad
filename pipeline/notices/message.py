"""The one message of a command: its subject, and its text."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.layout import link
from pipeline.notices.causes import Cause, join_dates

_MOST_CAUSES = 20
_MOST_LOGS = 3
_MOST_CHARACTERS = 400


@dataclass(frozen=True)
class Message:
    """What a person gets. The text repeats the subject, for whoever sees the text alone."""

    subject: str
    text: str


def compose(
    model: str,
    place: str,
    causes: Sequence[Cause],
    recovered: Mapping[str, Sequence[datetime.date]],
    traceback_lines: int = 0,
) -> Message:
    """Tell of failures by cause, and of what has recovered: task -> dates.

    Parameters
    ----------
    model : str
        Which model it is about, with its version.
    place : str
        The machine that gave the command.
    traceback_lines : int
        So many last lines of each traceback are told as well.
    """
    subject = f"{model}: {_sum_up(causes, recovered)}"
    lines = [f"{subject} (told by {place})"]
    for cause in causes[:_MOST_CAUSES]:
        lines += ["", *_tell(cause, traceback_lines)]
    if len(causes) > _MOST_CAUSES:
        lines += ["", f"There are {len(causes) - _MOST_CAUSES} causes more: see the log."]
    if recovered:
        lines += ["", *(f"Recovered: {_run(*each)}" for each in recovered.items())]
    return Message(subject, "\n".join(lines))


def _sum_up(causes: Sequence[Cause], recovered: Mapping[str, Sequence[datetime.date]]) -> str:
    if not causes:
        return f"{', '.join(_brief(*each) for each in recovered.items())} recovered"
    if len(causes) == 1:
        return f"{_brief(causes[0].task, causes[0].dates)} failed"
    tasks = ", ".join(dict.fromkeys(cause.task for cause in causes))
    return f"{tasks} failed, for {len(causes)} causes"


def _tell(cause: Cause, traceback_lines: int) -> list[str]:
    lines = [f"{_run(cause.task, cause.dates)}: {_shorten(cause.reason)}"]
    if traceback_lines:
        lines += [f"    {line}" for line in cause.detail.splitlines()[-traceback_lines:]]
    lines += [f"    Log: {link(log)}" for log in cause.logs[:_MOST_LOGS]]
    more = len(cause.logs) - _MOST_LOGS
    return [*lines, f"    and {more} logs more"] if more > 0 else lines


def _run(task: str, dates: Sequence[datetime.date]) -> str:
    return f"{task} {join_dates(dates)}".rstrip()


def _brief(task: str, dates: Sequence[datetime.date]) -> str:
    """A run as a subject has room for it."""
    return f"{task} ({len(dates)} dates)" if "," in join_dates(dates) else _run(task, dates)


def _shorten(reason: str) -> str:
    too_long = len(reason) > _MOST_CHARACTERS
    return f"{reason[:_MOST_CHARACTERS].rstrip()} ..." if too_long else reason
