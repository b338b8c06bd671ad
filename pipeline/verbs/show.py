"""`show`: the predictions of a date, and where model, metrics, card and logs lie."""

import datetime
from collections.abc import Collection

import duckdb

from pipeline import finished, opening, storage
from pipeline.errors import ObjectMissingError
from pipeline.layout import Run, cleaned_beside
from pipeline.model_package import sealed_key
from pipeline.records import Marker

_HEAD_ROWS = 5
_CONSTANTS = ["date", "model_date", "run_id", "scored_at"]


def show(date: datetime.date) -> None:
    """Print the head of the partition of `date`, and where the model, metrics, card and logs lie.

    Raises `ObjectMissingError` when the date has not been loaded.
    """
    layout = opening.current_layout()
    load = _read(layout.run(opening.current_load_family(), date), "LoadToBigQuery")
    application = _follow(load, "predictions")
    model = _follow(application, "model")
    model_url = application.made_from["model"].marker
    print(f"{layout.table}, date = {date}: {load.rows:,} rows, by the model of {model.date}")
    print(_head(layout.table, date, sealed_key(model_url)))
    places = _places(model, model_url)
    there = {entry.url for entry in storage.open(model_url).list(model_url.rpartition("/")[0])}
    for label, path in places.items():
        is_there = any(url == path or url.startswith(f"{path}/") for url in there)
        print(f"{label:<8} {path}{'' if is_there else _why_gone(model_url, there)}")
    for label, marker in (("training", model), ("applying", application)):
        print(f"{label:<8} {layout.job(marker.job).log}")


def _head(table: str, date: datetime.date, key: tuple[str, ...]) -> str:
    """The first rows by key, without the columns that are the same in every row."""
    head = opening.open_warehouse().read(table, date, order=key, rows=_HEAD_ROWS)
    return str(duckdb.from_arrow(head.drop_columns(_CONSTANTS)))


def _places(model: Marker, url: str) -> dict[str, str]:
    """Where the model lies, a file or a folder of its own making, its metrics and its card."""
    folder = f"{url.rpartition('/')[0]}/{model.job}"
    names = {each.path.removeprefix(f"{model.job}/").partition("/")[0] for each in model.files}
    labels = {"model.joblib": "model", "model": "model", "metrics.json": "metrics"}
    labels["card.html"] = "card"
    return {label: f"{folder}/{name}" for name, label in labels.items() if name in names}


def _why_gone(url: str, there: Collection[str]) -> str:
    """Of a file of the model at `url`: deleted for its age, or else by somebody."""
    return f" ({'deleted by clean' if cleaned_beside(url) in there else 'it is not there'})"


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
