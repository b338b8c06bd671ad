"""`show`: the predictions of a date, and where model, metrics and logs lie."""

import datetime

import duckdb

from pipeline import claims, finished, jobs, opening, storage
from pipeline.dates import training_date
from pipeline.errors import CancelError, ObjectMissingError
from pipeline.layout import Run
from pipeline.model_package import sealed_key
from pipeline.records import Marker

_HEAD_ROWS = 5
_CONSTANTS = ["date", "model_date", "run_id", "scored_at"]


def cancel(task: str, date: datetime.date) -> None:
    """End the job that works on a run. Raises `CancelError` when none does."""
    layout = opening.current_layout()
    job = jobs.cancel(layout, layout.run(FAMILIES[task], date), opening.open_compute())
    if job is None:
        raise CancelError(f"No job works on {task} of {date}. There is nothing to cancel.")
    print(f"{job} is cancelled. {task} of {date} can be run again.")


def logs(task: str, date: datetime.date, *, open_page: bool = False) -> None:
    """Print the log of the job that works on a run, or did last, and where its machine's is.

    With `open_page` the machine's log is opened in the browser as well. Raises
    `ObjectMissingError` when the run was never worked on.
    """
    layout = opening.current_layout()
    standing = claims.read_standing(layout.run(FAMILIES[task], date))
    if standing.job is None:
        raise ObjectMissingError(f"No job has worked on {task} of {date}. There is no log.")
    job = layout.job(standing.job)
    store = storage.open(job.log)
    if store.exists(job.log):
        print(store.read(job.log).decode(errors="replace").rstrip())
        print(f"(The log: {job.log})")
    else:
        print(f"{job.name} has not written a log yet.")
    page = _log_page(jobs.read_request(job))
    if page:
        print(f"(The machine's log: {page})")
    if page and open_page:
        webbrowser.open(page)


def _log_page(request: Request) -> str | None:
    """Where Cloud Logging shows what a machine and its container printed."""
    if request.compute != "google":
        return None
    from pipeline.compute.google.places import Place

    return Place.parse(request.machine).log_page


def model_date(date: datetime.date) -> None:
    """Print when the model that is in force on `date` is trained, by the schedule."""
    print(training_date(opening.current_schedule(), date))


def show(date: datetime.date) -> None:
    """Print the head of the partition of `date`, and where the model, metrics and logs lie.

    Raises `ObjectMissingError` when the date has not been loaded.
    """
    layout = opening.current_layout()
    load = _read(layout.run(opening.current_load_family(), date), "LoadToBigQuery")
    application = _follow(load, "predictions")
    model = _follow(application, "model")
    model_url = application.made_from["model"].marker
    print(f"{layout.table}, date = {date}: {load.rows:,} rows, by the model of {model.date}")
    print(_head(layout.table, date, sealed_key(model_url)))
    for label, path in _places(model, model_url).items():
        print(f"{label:<8} {path}")
    for label, marker in (("training", model), ("applying", application)):
        print(f"{label:<8} {layout.job(marker.job).log}")


def _head(table: str, date: datetime.date, key: tuple[str, ...]) -> str:
    """The first rows by key, without the columns that are the same in every row."""
    head = opening.open_warehouse().read(table, date, order=key, rows=_HEAD_ROWS)
    return str(duckdb.from_arrow(head.drop_columns(_CONSTANTS)))


def _places(model: Marker, url: str) -> dict[str, str]:
    """Where the model lies, a file or a folder of its own making, and its metrics."""
    folder = f"{url.rpartition('/')[0]}/{model.job}"
    names = {each.path.removeprefix(f"{model.job}/").partition("/")[0] for each in model.files}
    labels = {"model.joblib": "model", "model": "model", "metrics.json": "metrics"}
    return {label: f"{folder}/{name}" for name, label in labels.items() if name in names}


def _follow(marker: Marker, name: str) -> Marker:
    return finished.read_marker(marker.made_from[name].marker)


def _read(run: Run, task: str) -> Marker:
    try:
        return finished.read_marker(run.marker)
    except ObjectMissingError:
        raise ObjectMissingError(
            f"{task} of {run.date} is not done: there is no {run.marker}."
            f" Run `luigi --module pipeline {task} --date {run.date}`."
        ) from None
