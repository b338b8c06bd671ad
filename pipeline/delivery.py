"""Predictions of a date into the warehouse: the partition is replaced, whole, and nothing else.

What the application told of drift goes after them, into a table of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from pipeline import cleaned, finished, storage, views
from pipeline.errors import DataError, TableError
from pipeline.layout import DRIFT_TABLE, PREDICTIONS, base_name, file_url
from pipeline.marking import mark
from pipeline.model_package import sealed_key
from pipeline.records import Marker, RunRequest, Source
from pipeline.remaking import how_to_remake
from pipeline.times import now
from pipeline.warehouse import Batch, Warehouse

_DRIFT = "How far the data of a date are from those of the training: one row for each feature."


@dataclass(frozen=True)
class Delivery:
    """Loads the files of an application's marker: predictions into `table`, drift beside it."""

    warehouse: Warehouse
    table: str
    drift_table: str
    family: str

    def __call__(self, request: RunRequest, results: str) -> Marker:
        began = now()
        source = request.inputs["predictions"]
        predictions = finished.read_marker(source.marker)
        files = find_files(source, predictions)
        batch = _describe(source, predictions, files, results)
        views.require_once(self.warehouse, views.PREDICTIONS)  # type: ignore[arg-type]
        loaded = self.warehouse.load(batch, self.table)
        if predictions.rows is not None and loaded.rows != predictions.rows:
            raise TableError(
                f"{self.table} has {loaded.rows} rows of {request.date} after the load, but"
                f" {source.marker} says {predictions.rows}. Run the task again."
            )
        views.publish_once(self.warehouse, views.PREDICTIONS, self.table)  # type: ignore[arg-type]
        drift = self._load_drift(source, predictions, files, results)
        about = {**loaded.about, "table": self.table, **({"drift": drift} if drift else {})}
        finished.refuse_forgotten(source)
        return mark(self.family, request, results, began, rows=loaded.rows, about=about)

    def _load_drift(
        self, source: Source, predictions: Marker, files: Sequence[str], results: str
    ) -> Mapping[str, Any]:
        """Load what was told of drift, and say how.

        When nothing was, what another model told of the date goes: it is about other predictions.
        """
        described = predictions.about.get("drift")
        if not described:
            self.warehouse.clear(self.drift_table, predictions.date)
            return {}
        batch = Batch(
            date=predictions.date,
            files=_named(source, files, DRIFT_TABLE),
            columns=described["columns"],
            key=("feature",),
            # Under a name of its own, so that both loads of an attempt are told apart.
            attempt=f"{results}/{views.DRIFT}",
            rows=described["rows"],
            holds=_DRIFT,
        )
        loaded = self.warehouse.load(batch, self.drift_table)
        views.offer_once(self.warehouse, views.DRIFT, self.drift_table)  # type: ignore[arg-type]
        return {**loaded.about, "table": self.drift_table, "rows": loaded.rows}


def _describe(source: Source, predictions: Marker, files: Sequence[str], results: str) -> Batch:
    """What is to be loaded, in the attempt whose folder is `results`."""
    columns = predictions.about.get("columns")
    if not columns:
        raise DataError(
            f"{source.marker} does not say which columns its files have. Have the model write its"
            f" predictions as part-*.parquet. {how_to_remake(source.marker)}"
        )
    return Batch(
        date=predictions.date,
        files=_named(source, files, PREDICTIONS),
        columns=columns,
        key=_key(predictions.made_from["model"].marker),
        attempt=results,
        rows=predictions.rows,
    )


@cache
def _key(model: str) -> tuple[str, ...]:
    """The same model predicts many dates."""
    return sealed_key(model)


def find_files(source: Source, made: Marker) -> list[str]:
    """The URLs of the files that a run has made, each compared with the marker's checksum."""
    folder = source.marker.rpartition("/")[0]
    stats = storage.open(folder).stats(f"{folder}/{made.job}")
    urls = []
    for each in made.files:
        url = file_url(folder, each.path)
        if url not in stats:
            cleaned.refuse(source.marker)
            raise finished.gone(url, source.marker)
        if stats[url].checksum != each.checksum:
            raise finished.changed(url, source.marker)
        urls.append(url)
    return urls


def _named(source: Source, files: Sequence[str], pattern: str) -> list[str]:
    """Those that are named like `pattern`. Raises `DataError` when none is."""
    named = [url for url in files if fnmatchcase(base_name(url), pattern)]
    if not named:
        raise DataError(
            f"{source.marker} lists no {pattern}. Have the model write its results so."
            f" {how_to_remake(source.marker)}"
        )
    return named
