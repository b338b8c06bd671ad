"""What failed, as the process that saw it notes it for the one that tells.

A note is a file of this machine, under [pipeline] work, written whole; it goes when it was read.
"""

import contextlib
import datetime
import json
import os
import secrets
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import luigi

from pipeline.errors import FallbackError, JobFailedError
from pipeline.messages import explain, read_traceback

_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class Failure:
    """One cause, and the dates that it left undone.

    `family` is the layout's word for a task with runs, None for any other. `detail` is the
    traceback, `logs` are URLs, and so is `untold`, of what goes when people know.
    """

    task: str
    family: str | None
    dates: Sequence[datetime.date]
    reason: str
    detail: str = ""
    logs: Sequence[str] = ()
    untold: Sequence[str] = ()


def describe(task: luigi.Task, cause: BaseException | str | None) -> list[Failure]:
    """What a task's end means for its dates: nothing, when it may be late.

    `cause` is what Luigi's event came with.
    """
    family = getattr(task, "runs_family", None)
    dates = _dates(task)
    name = _name(task)
    if isinstance(cause, JobFailedError) and cause.problems:
        return [
            Failure(
                name,
                family,
                [problem.date],
                _line(problem.reason),
                problem.detail,
                [problem.log] if problem.log else [],
            )
            for problem in cause.problems
        ]
    if isinstance(cause, FallbackError):
        reason, untold = _line(str(cause)), [cause.untold]
        return [Failure("TrainModel", "training", [cause.date], reason, untold=untold)]
    reason, detail = _explain(task, cause)
    return [Failure(name, family, dates, _line(reason), detail)] if reason else []


def write(folder: Path, failures: Sequence[Failure]) -> None:
    """Leave failures in `folder`, where they are seen whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(8)}.json"
    unfinished = path.with_suffix(_UNFINISHED)
    unfinished.write_text(json.dumps([asdict(each) for each in failures], default=str))
    unfinished.replace(path)


def take(folder: Path) -> list[Failure]:
    """The failures that were left in `folder`, in the order they were noted; then it is gone."""
    paths = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    failures = [_parse(each) for path in paths for each in json.loads(path.read_text())]
    shutil.rmtree(folder, ignore_errors=True)
    return failures


def sweep(folder: Path) -> None:
    """Delete the folders beside `folder` of commands that were killed before they could tell."""
    for other in folder.parent.glob("*-*"):
        if not _is_alive(other.name.partition("-")[0]):
            shutil.rmtree(other, ignore_errors=True)


def _parse(values: dict[str, object]) -> Failure:
    dates = [datetime.date.fromisoformat(str(date)) for date in _list(values["dates"])]
    return Failure(**{**values, "dates": dates})  # type: ignore[arg-type]  # as `write` wrote it


def _list(value: object) -> Iterator[object]:
    yield from value if isinstance(value, list) else ()


def _dates(task: luigi.Task) -> Sequence[datetime.date]:
    """The days of a task of ours; what another calls `dates` may be anything."""
    found = getattr(task, "dates", ())
    is_ours = isinstance(found, tuple) and all(isinstance(each, datetime.date) for each in found)
    return found if is_ours else ()


def _name(task: luigi.Task) -> str:
    if told_as := getattr(task, "told_as", None):
        return str(told_as)
    action = getattr(task, "action", None)
    # An action that is a parameter tells two tasks apart.
    is_parameter = "action" in dict(task.get_params())
    return f"{task.task_family} {action}" if is_parameter else str(task.task_family)


def _explain(task: luigi.Task, cause: BaseException | str | None) -> tuple[str, str]:
    """The reason, perhaps in several lines, and the traceback."""
    if isinstance(cause, BaseException):
        trace = "".join(traceback.format_exception(cause))
        return explain(cause) or _last_line(trace), trace
    if cause:  # Task LoadToBigQuery_2024_03_01_0123456789 died unexpectedly with exit code -9
        return cause.removeprefix(f"Task {task.task_id} "), ""
    trace = _trace_of_planning()
    if not trace:
        return _explain_missing(task), ""
    return read_traceback(trace) or _last_line(trace), trace


def _trace_of_planning() -> str:
    """Why it could not be found out whether a task is complete: Luigi's event does not say."""
    frame = sys._getframe()
    while frame.f_back:
        frame = frame.f_back
        if frame.f_globals.get("__name__") == "luigi.worker" and frame.f_code.co_name == "_add":
            return str(frame.f_locals.get("formatted_traceback") or "")
    return ""


def _explain_missing(task: luigi.Task) -> str:
    """What an external task says of itself; empty when nobody is to be told."""
    why_missing = getattr(task, "why_missing", None)
    return why_missing() if why_missing else "the data that it needs from elsewhere are not there"


def _last_line(trace: str) -> str:
    lines = [line for line in trace.splitlines() if line.strip() and not line.startswith(" ")]
    return lines[-1] if lines else "it is not known why"


def _line(reason: str) -> str:
    """In one line, the first of an error that has several."""
    return " ".join(next(iter(reason.strip().splitlines()), "").split())


def _is_alive(pid: str) -> bool:
    with contextlib.suppress(ValueError, PermissionError):
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
    return True
