"""The verbs of `python -m pipeline`. They print what a person asked for."""

import datetime

import duckdb

from pipeline import jobs, opening, storage
from pipeline.errors import CancelError, ObjectMissingError
from pipeline.layout import Run, file_url
from pipeline.records import Marker

# Tasks whose runs are made by jobs that can be ended.
FAMILIES = {"TrainModel": "training", "ApplyModel": "application"}
_HEAD_ROWS = 5


def cancel(task: str, date: datetime.date) -> None:
    """End the job that works on a run. Raises `CancelError` when none does."""
    layout = opening.current_layout()
    job = jobs.cancel(layout, layout.run(FAMILIES[task], date), opening.open_compute())
    if job is None:
        raise CancelError(f"No job works on {task} of {date}. There is nothing to cancel.")
    print(f"{job} is cancelled. {task} of {date} can be run again.")  # noqa: T201


def show(date: datetime.date) -> None:
    """Print the head of the partition of `date`, and where the model, metrics and logs lie.

    Raises `ObjectMissingError` when the date has not been loaded.
    """
    layout = opening.current_layout()
    load = _read(layout.run(opening.current_load_family(), date), "LoadToBigQuery")
    application = _follow(load, "predictions")
    model = _follow(application, "model")
    model_folder = _folder(application.made_from["model"].marker)
    head = opening.open_warehouse().read(layout.table, date, rows=_HEAD_ROWS)
    lines = [
        f"{layout.table}, date = {date}: {load.rows:,} rows, by the model of {model.date}",
        "",
        str(duckdb.from_arrow(head)),
        "",
    ]
    places = {
        each.path.rpartition("/")[2]: file_url(model_folder, each.path) for each in model.files
    }
    for label, name in (("model", "model.joblib"), ("metrics", "metrics.json")):
        if name in places:
            lines.append(f"{label:<8} {places[name]}")
    for label, marker in (("training", model), ("applying", application)):
        lines.append(f"{label:<8} {layout.job(marker.job).log}")
    print("\n".join(lines))  # noqa: T201


def _folder(marker_url: str) -> str:
    return marker_url.rpartition("/")[0]


def _follow(marker: Marker, name: str) -> Marker:
    url = marker.made_from[name].marker
    return Marker.parse(storage.open(url).read(url), url)


def _read(run: Run, task: str) -> Marker:
    try:
        content = storage.open(run.marker).read(run.marker)
    except ObjectMissingError:
        raise ObjectMissingError(
            f"{task} of {run.date} is not done: there is no {run.marker}."
            f" Run `luigi --module pipeline {task} --date {run.date}`."
        ) from None
    return Marker.parse(content, run.marker)
