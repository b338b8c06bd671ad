"""Predictions of a date into the warehouse: the partition is replaced, whole, and nothing else."""

from dataclasses import dataclass
from functools import cache

from pipeline import storage
from pipeline.errors import ChecksumError, TableError
from pipeline.layout import base_name, file_url
from pipeline.records import Marker, RunRequest, Source
from pipeline.times import now
from pipeline.warehouse import Warehouse

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
        predictions = Marker.parse(storage.open(source.marker).read(source.marker), source.marker)
        rows = self.warehouse.load(_files(source, predictions), self.table, request.date)
        if predictions.rows is not None and rows != predictions.rows:
            raise TableError(
                f"{self.table} has {rows} rows of {request.date} after the load, but"
                f" {source.marker} says {predictions.rows}. Run the task again."
            )
        _publish(self.warehouse, self.table)  # type: ignore[arg-type]  # hashed by identity
        return Marker(
            family=self.family,
            date=request.date,
            job=base_name(results),
            rows=rows,
            files=(),
            made_from=dict(request.inputs),
            image=None,
            started_at=began,
            ended_at=now(),
            about={"table": self.table},
        )


@cache
def _publish(warehouse: Warehouse, table: str) -> None:
    """Once in a process: the view that is there then stays."""
    warehouse.publish(VIEW, table)


def _files(source: Source, predictions: Marker) -> list[str]:
    """The URLs of the files to load, each compared with the marker's checksum."""
    folder = source.marker.rpartition("/")[0]
    urls = []
    for each in predictions.files:
        url = file_url(folder, each.path)
        if storage.open(url).stat(url).checksum != each.checksum:
            raise ChecksumError(
                f"{url} is not the file that {source.marker} lists. Make it again: delete the"
                " marker and run ApplyModel."
            )
        urls.append(url)
    return urls
