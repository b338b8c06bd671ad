"""`status`: a table of dates by task, and in a line each what is not simply done."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from pipeline import opening, settings
from pipeline.dates import Dates, days_after
from pipeline.layout import Layout, Run
from pipeline.models import model_date_in_force
from pipeline.outstanding import Outstanding
from pipeline.overview import Condition, RunState
from pipeline.verbs import DATA, JOB_TASKS
from pipeline.verbs.runs import open_overview
from pipeline.verbs.screen import Screen

_COLOURS = {
    Condition.DONE: "green",
    Condition.STALE: "yellow",
    Condition.RUNNING: "cyan",
    Condition.FAILED: "bold red",
    Condition.MISSING: "dim",
    Condition.WAITING: "magenta",
    Condition.DUE: "yellow",
    Condition.LATER: "dim",
}
_WIDTH = 80
_FAILED = 1
# What a run is not yet begun for is to be seen in its own place.
_BEFORE = (Condition.RUNNING, Condition.FAILED, Condition.WAITING)
_EVALUATION = "EvaluatePredictions"
_TITLES = ("date", "TrainModel", "ApplyModel", "LoadToBigQuery", _EVALUATION)


@dataclass(frozen=True)
class Column:
    """A task's runs for one date: its own, and those that nobody asks for, which go before it."""

    task: str
    run: Run
    before: tuple[Run, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """In the order in which they are made."""
        return (*self.before, self.run)


def status(dates: Dates, *, as_json: bool = False) -> int:
    """Print how the runs of `dates` stand. Returns 1 when one has failed, else 0."""
    layout = opening.current_layout()
    rows = {date: _columns(layout, date) for date in dates}
    columns = [column for row in rows.values() for column in row]
    runs = [run for column in columns for run in column.runs]
    overview = open_overview(dict.fromkeys(run.family for run in runs), stale=True)
    states = dict(overview.read(runs))
    states |= Outstanding(layout, states, settings.pipeline().horizon_days).find()
    if as_json:
        print(json.dumps(list(_describe(columns, states)), indent=2))
    else:
        _print(rows, states)
    return _FAILED if any(s.condition is Condition.FAILED for s in states.values()) else 0


def _columns(layout: Layout, date: datetime.date) -> list[Column]:
    def column(task: str, family: str, date: datetime.date, *before: str) -> Column:
        runs = tuple(layout.run(each, date) for each in before)
        return Column(task, layout.run(family, date), runs)

    trained, evaluations = model_date_in_force(date), opening.current_evaluations_family()
    return [
        column("TrainModel", "training", trained, DATA["training"]),
        column("ApplyModel", "application", date, DATA["application"]),
        column("LoadToBigQuery", opening.current_load_family(), date),
        column(_EVALUATION, evaluations, date, DATA["evaluation"], "evaluation"),
    ]


def _print(rows: Mapping[datetime.date, Sequence[Column]], states: Mapping[Run, RunState]) -> None:
    console = Screen()
    if not console.is_terminal:
        console.width = _WIDTH
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in _TITLES:
        table.add_column(title, no_wrap=True)
    for date, columns in rows.items():
        table.add_row(str(date), *(_cell(date, column, states) for column in columns))
    console.print(table)
    told = dict.fromkeys(line for columns in rows.values() for line in _lines(columns, states))
    if told:
        console.print()
    for line in told:
        console.print(line, markup=False, soft_wrap=True)


def _cell(date: datetime.date, column: Column, states: Mapping[Run, RunState]) -> Text:
    state = _leading(column, states)
    words = str(state.condition)
    if state.condition is Condition.RUNNING:
        share = round(100 * (state.progress or 0))
        words = "running (data)" if _is_data(state.run) else f"running {share} %"
    elif state.condition is Condition.LATER:
        words = f"from {days_after(date, settings.pipeline().horizon_days):%m-%d}"
    elif state.condition is Condition.MISSING and column.task == _EVALUATION:
        words = ""
    if column.run.date != date:
        words += f" {column.run.date:%m-%d}"
    return Text(words, style=_COLOURS[state.condition])


def _leading(column: Column, states: Mapping[Run, RunState]) -> RunState:
    """The state to show: that of what goes before as long as it keeps the run from being begun."""
    state = states[column.run]
    if state.condition not in (Condition.MISSING, Condition.DUE):
        return state
    before = [states[run] for run in column.before if states[run].condition in _BEFORE]
    return before[0] if before else state


def _is_data(run: Run) -> bool:
    return run.family in DATA.values()


def _lines(columns: Sequence[Column], states: Mapping[Run, RunState]) -> Iterator[str]:
    """What is to be said of a date beyond its row."""
    for column in columns:
        state = _leading(column, states)
        what = f"{column.task} {column.run.date}"
        if state.run != column.run:
            what += f", {state.run.family}"
        if state.condition is Condition.WAITING:
            yield f"{what} waits: {state.words}"
        elif state.condition is Condition.RUNNING:
            yield f"{what}: {state.words or 'beginning'}, on {state.machine}"
        elif state.condition is Condition.FAILED:
            log = _log(state)
            yield f"{what} failed: {state.words}" + (f" (log: {log})" if log else "")
        elif state.condition is Condition.STALE:
            yield f"{what} is stale: {state.words}"
        elif state.condition is Condition.DONE and state.words and column.task == "TrainModel":
            yield f"{what} is done, with a warning: {state.words}"


def _task(run: Run, column: Column) -> str:
    if run == column.run:
        return column.task
    return "ExtractData" if _is_data(run) else "MeasurePredictions"


def _log(state: RunState) -> str | None:
    """Where the job's log is. What the orchestrator does itself leaves none."""
    return state.job.log if state.job and state.run.family in JOB_TASKS.values() else None


def _describe(
    columns: Sequence[Column], states: Mapping[Run, RunState]
) -> Iterator[dict[str, object]]:
    """Every run once, for machines."""
    told: set[Run] = set()
    for column in columns:
        for run in column.runs:
            if run in told:
                continue
            told.add(run)
            state = states[run]
            yield {
                "task": _task(run, column),
                "family": run.family,
                "date": str(run.date),
                "condition": str(state.condition),
                "words": state.words,
                "progress": state.progress,
                "job": state.job.name if state.job else None,
                "machine": state.machine or None,
                "log": _log(state),
            }
