"""Bins: where the values of one column lie, so that two data sets can be compared by their shares.

What has an order is cut at deciles, texts are told apart by the most frequent ones. The last bin of
each column is for what is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from prediction.core import columns

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PARTS = 10
MOST_TEXTS = 20
LEAST_SHARE = 0.01  # a rarer text says more of one row than of the column
OTHER, MISSING = "other", "missing"


class Bins(Protocol):
    """The bins of one column, in their order."""

    @property
    def names(self) -> list[str]:
        """What a person calls each bin (n_bins); the last is "missing"."""

    def place(self, values: Any) -> Places:
        """The bin of each of `values` (n_rows), as the model sees them (`columns.feature`)."""

    def plain(self) -> dict[str, Any]:
        """What `read` makes the bins of."""


@dataclass(frozen=True)
class Ranges:
    """Numbers, truth values and moments: bin n holds what is above edge n - 1, up to edge n.

    `kind` is that of `columns.kind`. Moments are microseconds since 1970.
    """

    kind: str
    edges: tuple[float, ...]

    @classmethod
    def of(cls, kind: str, values: Any) -> Self:
        """Cut at the deciles of `values` (n_rows). One that is several deciles is a bin of its own.

        Otherwise nobody would see that a number which nearly all rows have becomes rare.
        """
        floats = _floats(values)
        ordered = np.sort(floats[~np.isnan(floats)])
        parts = min(PARTS, len(ordered))
        if parts < 2:
            return cls(kind, ())
        at = np.ceil(len(ordered) * np.arange(1, parts) / parts).astype(int) - 1
        deciles, times = np.unique(ordered[at], return_counts=True)
        edges = np.union1d(deciles, _before(deciles[times > 1]))
        return cls(kind, tuple(map(float, edges)))

    @property
    def names(self) -> list[str]:
        if not self.edges:
            return ["any", MISSING]
        words = [self._word(edge) for edge in self.edges]
        inner = [self._range(number) for number in range(1, len(words))]
        return [f"up to {words[0]}", *inner, f"above {words[-1]}", MISSING]

    def place(self, values: Any) -> Places:
        floats = _floats(values)
        places = np.searchsorted(np.asarray(self.edges), floats, side="left").astype(np.int64)
        places[np.isnan(floats)] = len(self.edges) + 1
        return places

    def plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "edges": list(self.edges)}

    def _range(self, number: int) -> str:
        low, high = self.edges[number - 1 : number + 1]
        word = self._word(high)
        return word if low == _before(high) else f"{self._word(low)} to {word}"

    def _word(self, edge: float) -> str:
        if self.kind == "moment":
            return str(pd.Timestamp(round(edge), unit="us"))
        return f"{edge:.4g}" if abs(edge) < 1000 else f"{edge:.0f}"


@dataclass(frozen=True)
class Texts:
    """Texts: a bin for each of `values`, and one for all others."""

    values: tuple[str, ...]

    @classmethod
    def of(cls, values: Any) -> Self:
        """The most frequent of `values` (n_rows), but for those that hardly any row has."""
        array = _texts(values)
        counted = array.value_counts().to_pylist()
        frequent = [
            (each["counts"], each["values"])
            for each in counted
            if each["values"] is not None and each["counts"] >= LEAST_SHARE * len(array)
        ]
        frequent.sort(key=lambda pair: (-pair[0], pair[1]))
        return cls(tuple(value for _, value in frequent[:MOST_TEXTS]))

    @property
    def names(self) -> list[str]:
        return [*self.values, OTHER, MISSING]

    def place(self, values: Any) -> Places:
        array = _texts(values)
        found = pc.index_in(array, value_set=pa.array(self.values, pa.string()))
        numbers = found.fill_null(len(self.values)).to_numpy(zero_copy_only=False)
        places: Places = numbers.astype(np.int64)
        if array.null_count:
            places[array.is_null().to_numpy(zero_copy_only=False)] = len(self.values) + 1
        return places

    def plain(self) -> dict[str, Any]:
        return {"kind": "text", "values": list(self.values)}


def of(type_: pa.DataType, values: Any) -> Bins:
    """The bins of `values` (n_rows), which the model sees of a column of `type_`."""
    kind = columns.kind(type_)
    return Texts.of(values) if kind == "text" else Ranges.of(str(kind), values)


def read(plain: Mapping[str, Any]) -> Bins:
    """Make bins of what `plain` told. Raises `KeyError`, `TypeError` or `ValueError`."""
    if plain["kind"] == "text":
        return Texts(tuple(map(str, plain["values"])))
    return Ranges(str(plain["kind"]), tuple(map(float, plain["edges"])))


def _floats(values: Any) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind != "M":
        return array.astype(np.float64, copy=False)
    floats = array.astype("datetime64[us]").astype(np.int64).astype(np.float64)
    floats[np.isnat(array)] = np.nan
    return floats


def _before(values: Any) -> Any:
    """The greatest number that is smaller."""
    return np.nextafter(values, -np.inf)


def _texts(values: Any) -> pa.Array:
    array = pa.array(getattr(values, "array", values), from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(pa.string())
