"""The evaluation of a date into the warehouse, and a page of all that are known so far."""

import datetime
import json
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from pipeline import charts, finished, storage, views
from pipeline.delivery import find_files
from pipeline.errors import DataError, FormatError, ObjectMissingError, TableError
from pipeline.layout import Layout
from pipeline.marking import describe, mark
from pipeline.records import Marker, RunRequest, Source
from pipeline.remaking import how_to_remake
from pipeline.times import now
from pipeline.warehouse import Batch, Warehouse

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")

MEASURED = "evaluation"
PAGE = "evaluations.html"
_HOLDS = "How good the predictions for a date were, once the truth had come: one row."
_METRICS, _PICTURE = "metrics.json", "reliability.svg"
# A page shows so many dates, the newest: a year of days, and reads no more.
_MOST_DATES = 400
_THREADS = 8

Figures = Mapping[str, Any]
Line = Mapping[datetime.date, float | None]

_NAMES = {
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "f1": "F1",
}


@dataclass(frozen=True)
class EvaluationDelivery:
    """Loads the one row of an evaluation into `table`, and draws what the family has so far."""

    warehouse: Warehouse
    table: str
    family: str
    layout: Layout

    def __call__(self, request: RunRequest, results: str) -> Marker:
        began = now()
        source = request.inputs["evaluation"]
        evaluation = finished.read_marker(source.marker)
        figures = _read_figures(source.marker)
        loaded = self.warehouse.load(_describe(source, evaluation, results), self.table)
        if loaded.rows != 1:
            raise TableError(
                f"{self.table} has {loaded.rows} rows of {request.date} after the load, and an"
                " evaluation is one. Run the task again."
            )
        views.offer_once(self.warehouse, views.EVALUATIONS, self.table)  # type: ignore[arg-type]
        page = self._draw(request.date, f"{results}/{PAGE}")
        finished.refuse_forgotten(source)
        return mark(
            self.family,
            request,
            results,
            began,
            rows=1,
            files=[describe(page, storage.open(page).stat(page), request.folder)] if page else (),
            about={**loaded.about, "table": self.table, "metrics": figures["metrics"]},
        )

    def _draw(self, date: datetime.date, url: str) -> str | None:
        """Write the page of all dates up to `date`, and return its URL.

        None when a later date is measured already: a backfill draws its last date's page only.
        """
        # Loaded or not: a backfill loads its dates in no order.
        markers = finished.find_markers(self.layout.family(MEASURED))
        if max(markers) > date:
            return None
        dates = sorted(markers)[-_MOST_DATES:]
        with ThreadPoolExecutor(_THREADS) as pool:
            figures = pool.map(_find_figures, [markers[each] for each in dates])
            known = {each: found for each, found in zip(dates, figures, strict=True) if found}
        title = f"How good the predictions were: {self.layout.name}, version {self.layout.version}"
        picture = _read_picture(markers[date])
        storage.open(url).write(url, draw(title, known, picture).encode())
        logger.info("all evaluations up to %s: %s", date, url)
        return url


def _describe(source: Source, evaluation: Marker, results: str) -> Batch:
    rows = [each for each in evaluation.files if each.path.endswith(".parquet")]
    columns = evaluation.about.get("columns")
    if not columns or not rows:
        raise DataError(
            f"{source.marker} lists no row to load. Have the model package's `evaluation` write it"
            f" as part-0.parquet. {how_to_remake(source.marker)}"
        )
    return Batch(
        date=evaluation.date,
        files=find_files(source, replace(evaluation, files=rows)),
        columns=columns,
        key=("model_date",),
        attempt=results,
        rows=1,
        holds=_HOLDS,
    )


def _read_figures(url: str) -> Figures:
    """What the model package has said in its `metrics.json`; `url` is that of the marker."""
    listed = finished.find_file(url, _METRICS)
    if listed is None:
        raise DataError(
            f"{url} lists no {_METRICS}. Have the model package's `evaluation` write it."
            f" {how_to_remake(url)}"
        )
    path, _ = listed
    try:
        found = json.loads(finished.read(path))
        known = {name: found[name] for name in ("rows", "unlabelled", "metrics", "trained")}
        return {**known, "unscored": found.get("unscored", 0)}  # not every package counts them
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} does not say what was measured: {error!r}. {how_to_remake(path)}"
        ) from None


def _find_figures(url: str) -> Figures | None:
    """The same for the page. None, which is told, when they can't be read: the row is loaded."""
    try:
        return _read_figures(url)
    except (DataError, FormatError, ObjectMissingError) as error:
        logger.warning("an evaluation is left out of the page: %s", error)
        return None


def _read_picture(url: str) -> str:
    """The SVG that the package has drawn of the newest date; empty when it draws none."""
    found = finished.find_file(url, _PICTURE)
    return finished.read(found[0]).decode() if found else ""


def draw(title: str, known: Mapping[datetime.date, Figures], picture: str = "") -> str:
    """The page: a chart for each metric, and one of what was predicted beside what came.

    `picture` is an SVG about the newest date.
    """
    latest = known[max(known)]
    shown = {}
    means = ("predicted", "actual")
    for name in latest["metrics"]:
        if name not in means:
            lines = {
                "when the truth had come": _line(known, "metrics", name),
                "held out at training": _line(known, "trained", name),
            }
            shown[_NAMES.get(name, name.capitalize())] = _chart(lines)
    if set(means) <= set(latest["metrics"]):
        shown["Mean"] = _chart({name: _line(known, "metrics", name) for name in means})
    if picture:
        heading = f"By tenths of the score, {max(known)}"
        shown[heading] = f'<div style="max-width: 30rem">{picture}</div>'
    return charts.page(title, shown, _note(known))


def _line(known: Mapping[datetime.date, Figures], kind: str, name: str) -> Line:
    return {date: figures[kind].get(name) for date, figures in known.items()}


def _chart(lines: Mapping[str, Line]) -> str:
    """Without the lines that have no value: there is nothing to be drawn of them."""
    return charts.over_dates({name: line for name, line in lines.items() if _values(line.values())})


def _values(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _note(known: Mapping[datetime.date, Figures]) -> str:
    date = max(known)
    latest = known[date]
    note = f"{len(known):,} dates from {min(known)} to {date}. " if len(known) > 1 else ""
    note += f"{date}: {latest['rows']:,} predictions met their label"
    if latest["unlabelled"]:
        note += f", {latest['unlabelled']:,} met none"
    if latest["unscored"]:
        note += f", {latest['unscored']:,} had no score to measure"
    return note + "."
