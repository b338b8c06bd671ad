"""What applications told of drift, date by date, as their markers list it."""

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from pipeline import checksums, finished
from pipeline.errors import FormatError
from pipeline.layout import DRIFT, Layout
from pipeline.records import File

_THREADS = 8
_FORMAT = 1
_SCORE = "score"


@dataclass(frozen=True)
class Column:
    """A feature or the score of one date; `bins` are (name, share at training, share now)."""

    name: str
    is_score: bool
    psi: float
    missing_share: float
    missing_share_training: float
    bins: Sequence[tuple[str, float, float]]

    @property
    def title(self) -> str:
        """As a person says it: a feature may be called as the score is."""
        return f"score {self.name}" if self.is_score else self.name

    @classmethod
    def build(cls, values: Mapping[str, Any]) -> Self:
        return cls(
            name=str(values["feature"]),
            is_score=values["role"] == _SCORE,
            psi=float(values["psi"]),
            missing_share=float(values["missing_share"]),
            missing_share_training=float(values["missing_share_training"]),
            bins=[
                (str(each["bin"]), float(each["share_training"]), float(each["share"]))
                for each in values["bins"]
            ],
        )


@dataclass(frozen=True)
class Drift:
    """What the application of `date` told; no columns when its model keeps no reference."""

    date: datetime.date
    limits: Mapping[str, float | None]
    columns: Sequence[Column]


def read(layout: Layout, dates: Collection[datetime.date] | None, most: int) -> list[Drift]:
    """What was told of `dates`, or of the last `most` dates that there are when None, by date.

    One listing, and two small files for each date. A date that was not applied, or whose model
    package tells nothing of drift, is left out.
    Raises `FormatError` and `ChecksumError` naming a file that is not what it was.
    """
    found = finished.find_markers(layout.family("application"))
    there = sorted(found)
    asked = there[-most:] if dates is None else [date for date in there if date in dates]
    with ThreadPoolExecutor(_THREADS) as pool:
        told = pool.map(lambda date: _read(date, found[date]), asked)
        return [each for each in told if each is not None]


def _read(date: datetime.date, marker: str) -> Drift | None:
    found = finished.find_file(marker, DRIFT)
    if found is None:
        return None
    url, listed = found
    return _parse(date, _checked(url, listed, marker), url)


def _checked(url: str, listed: File, marker: str) -> bytes:
    content = finished.read(url)
    if checksums.of_bytes(content, listed.checksum.partition(":")[0]) != listed.checksum:
        raise finished.changed(url, marker)
    return content


def _parse(date: datetime.date, content: bytes, url: str) -> Drift:
    try:
        values = json.loads(content)
        if values["format"] != _FORMAT:
            raise ValueError(f"it has format {values['format']}, and this program reads {_FORMAT}")
        columns = [Column.build(each) for each in values["columns"]]
        return Drift(date, values.get("limits", {}), columns)
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{url} can't be read: {error}. Upgrade this program.") from None
