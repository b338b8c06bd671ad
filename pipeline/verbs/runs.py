"""Which runs a person means, and how they stand."""

import datetime
from collections.abc import Iterable

from pipeline import opening, settings
from pipeline.compute import HERE, Look, State
from pipeline.compute.local import look_at_lock
from pipeline.dates import Dates, choose_days, last_days, parse_day
from pipeline.errors import ComputeError
from pipeline.layout import Run
from pipeline.overview import Overview
from pipeline.records import Request
from pipeline.staleness import Staleness
from pipeline.verbs import DATA, JOB_TASKS


def find_run(task: str, date: datetime.date, action: str = "application") -> Run:
    """The run of a task; `action` says whose data when the task is ExtractData."""
    evaluations = opening.current_evaluations_family()
    families = {**JOB_TASKS, "ExtractData": DATA[action], "EvaluatePredictions": evaluations}
    return opening.current_layout().run(families.get(task) or opening.current_load_family(), date)


def find_dates(start: str | None, stop: str | None, last: int | None) -> Dates:
    """The dates of --start and --stop, or of --last; the last seven when nothing is said."""
    if start is None and stop is None and last is None:
        return last_days(7)
    first, end = (None if each is None else parse_day(each) for each in (start, stop))
    return choose_days(first, end, last)


def open_overview(families: Iterable[str], *, stale: bool = False) -> Overview:
    """How the runs of `families` stand; `stale` compares finished ones with the package."""
    layout = opening.current_layout()
    staleness = Staleness(layout, settings.pipeline().prediction) if stale else None
    return Overview(layout, families, look_at, staleness)


def look_at(request: Request) -> Look:
    """What the machine of a job is doing; UNKNOWN when the settings lead to other machines now."""
    if request.compute == HERE:
        return look_at_lock(request.machine)
    try:
        compute = opening.open_compute()
        return compute.look(request.machine) if request.compute == compute.name else _UNKNOWN
    except ComputeError:
        return _UNKNOWN


_UNKNOWN = Look(State.UNKNOWN)
