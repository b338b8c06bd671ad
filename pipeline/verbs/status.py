"""`status`: a table of dates by task, and in a line each what is not simply done."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from pipeline import opening
from pipeline.dates import Dates
from pipeline.layout import Layout, Run
from pipeline.models import model_date_in_force
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
}
_WIDTH = 80
_FAILED = 1


@dataclass(frozen=True)
class Column:
    """A task's runs for one date: its own, and that of the data that it is made from."""

    task: str
    run: Run
    data: Run | None = None


def status(dates: Dates, *, as_json: bool = False) -> int:
    """Print how the runs of `dates` stand. Returns 1 when one has failed, else 0."""
    layout, load = opening.current_layout(), opening.current_load_family()
    rows = {date: _columns(layout, load, date) for date in dates}
    data = (DATA["training"], DATA["application"])
    overview = open_overview([*data, "training", "application", load], stale=True)
    columns = [column for row in rows.values() for column in row]
    states = overview.read(run for each in columns for run in (each.run, each.data) if run)
    if as_json:
        print(json.dumps(list(_describe(columns, states)), indent=2))
    else:
        _print(rows, states)
    return _FAILED if any(s.condition is Condition.FAILED for s in states.values()) else 0


def _columns(layout: Layout, load: str, date: datetime.date) -> list[Column]:
    trained = model_date_in_force(date)
    return [
        Column(
            "TrainModel",
            layout.run("training", trained),
            layout.run(DATA["training"], trained),
        ),
        Column(
            "ApplyModel", layout.run("application", date), layout.run(DATA["application"], date)
        ),
        Column("LoadToBigQuery", layout.run(load, date)),
    ]


def _print(rows: Mapping[datetime.date, Sequence[Column]], states: Mapping[Run, RunState]) -> None:
    console = Screen()
    if not console.is_terminal:
        console.width = _WIDTH
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for title in ("date", "TrainModel", "ApplyModel", "LoadToBigQuery"):
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
        words = f"running {share} %" if state.run == column.run else "running (data)"
    if column.run.date != date:
        words += f" {column.run.date:%m-%d}"
    return Text(words, style=_COLOURS[state.condition])


def _leading(column: Column, states: Mapping[Run, RunState]) -> RunState:
    """The state to show: that of the data as long as these keep the run from being begun."""
    state = states[column.run]
    if state.condition is not Condition.MISSING or column.data is None:
        return state
    data = states[column.data]
    return data if data.condition in (Condition.RUNNING, Condition.FAILED) else state


def _lines(columns: Sequence[Column], states: Mapping[Run, RunState]) -> Iterator[str]:
    """What is to be said of a date beyond its row."""
    for column in columns:
        state = _leading(column, states)
        what = f"{column.task} {column.run.date}"
        if state.run != column.run:
            what += f", {state.run.family}"
        if state.condition is Condition.RUNNING:
            yield f"{what}: {state.words or 'beginning'}, on {state.machine}"
        elif state.condition is Condition.FAILED:
            log = _log(state)
            yield f"{what} failed: {state.words}" + (f" (log: {log})" if log else "")
        elif state.condition is Condition.STALE:
            yield f"{what} is stale: {state.words}"
        elif state.words and column.task == "TrainModel":
            yield f"{what} is done, with a warning: {state.words}"


def _log(state: RunState) -> str | None:
    """Where the job's log is. What the orchestrator does itself leaves none."""
    return state.job.log if state.job and state.run.family in JOB_TASKS.values() else None


def _describe(
    columns: Sequence[Column], states: Mapping[Run, RunState]
) -> Iterator[dict[str, object]]:
    """Every run once, for machines."""
    told: set[Run] = set()
    for column in columns:
        for run, task in ((column.data, "ExtractData"), (column.run, column.task)):
            if run is None or run in told:
                continue
            told.add(run)
            state = states[run]
            yield {
                "task": task,
                "family": run.family,
                "date": str(run.date),
                "condition": str(state.condition),
                "words": state.words,
                "progress": state.progress,
                "job": state.job.name if state.job else None,
                "machine": state.machine or None,
                "log": _log(state),
            }
