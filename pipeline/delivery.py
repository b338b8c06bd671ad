"""Predictions of a date into the warehouse: the partition is replaced, whole, and nothing else."""

from dataclasses import dataclass
from functools import cache

from pipeline import cleaned, finished, storage
from pipeline.errors import ChecksumError, DataError, ObjectMissingError, TableError
from pipeline.layout import base_name, file_url
from pipeline.model_package import sealed_key
from pipeline.records import Marker, RunRequest, Source
from pipeline.times import now
from pipeline.warehouse import Batch, Warehouse

VIEW = "predictions"


@dataclass(frozen=True)
class Delivery:
    """Loads the files of an application's marker into one table."""

    warehouse: Warehouse
    table: str
    family: str

    def __call__(self, request: RunRequest, results: str) -> Marker:
        began = now()
        source = request.inputs["predictions"]
        predictions = finished.read_marker(source.marker)
        batch = _describe(source, predictions, results)
        loaded = self.warehouse.load(batch, self.table)
        if predictions.rows is not None and loaded.rows != predictions.rows:
            raise TableError(
                f"{self.table} has {loaded.rows} rows of {request.date} after the load, but"
                f" {source.marker} says {predictions.rows}. Run the task again."
            )
        publish_once(self.warehouse, VIEW, self.table)  # type: ignore[arg-type]  # hashed by identity
        return Marker(
            family=self.family,
            date=request.date,
            job=base_name(results),
            rows=loaded.rows,
            files=(),
            made_from=dict(request.inputs),
            image=None,
            started_at=began,
            ended_at=now(),
            about={**loaded.about, "table": self.table},
        )


@cache
def publish_once(warehouse: Warehouse, view: str, table: str) -> None:
    """Once in a process: the view that is there then stays."""
    warehouse.publish(view, table)


def _describe(source: Source, predictions: Marker, results: str) -> Batch:
    """What is to be loaded, in the attempt whose folder is `results`."""
    columns = predictions.about.get("columns")
    if not columns:
        raise DataError(
            f"{source.marker} does not say which columns its files have. Have the model write its"
            " predictions as part-*.parquet, delete the marker, and run ApplyModel."
        )
    return Batch(
        date=predictions.date,
        files=find_files(source, predictions),
        columns=columns,
        key=_key(predictions.made_from["model"].marker),
        attempt=results,
        rows=predictions.rows,
    )


@cache
def _key(model: str) -> tuple[str, ...]:
    """The same model predicts many dates."""
    return sealed_key(model)


def find_files(source: Source, made: Marker, task: str = "ApplyModel") -> list[str]:
    """The URLs of the files that `task` has made, each compared with the marker's checksum."""
    folder = source.marker.rpartition("/")[0]
    stats = storage.open(folder).stats(f"{folder}/{made.job}")
    urls = []
    for each in made.files:
        url = file_url(folder, each.path)
        if url not in stats:
            cleaned.refuse(source.marker)
            raise ObjectMissingError(
                f"{url} does not exist, and {source.marker} lists it. Make it again: delete the"
                f" marker and run {task}."
            )
        if stats[url].checksum != each.checksum:
            raise ChecksumError(
                f"{url} is not the file that {source.marker} lists. Make it again: delete the"
                f" marker and run {task}."
            )
        urls.append(url)
    return urls
