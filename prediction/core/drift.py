"""Drift: how far the data that a model is applied to are from those that it was trained on.

For each feature and for the score the population stability index, and the share of what is missing.
Of many rows some are compared: at most `reference.ROWS`, spread evenly over all.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from prediction.core.reference import FEATURE, ROWS, SCORE, Column, Reference, score_values

LEAST_SHARE = 1e-4
CHANCE = 0.001

Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Drift:
    """One column in `rows` rows: `shares` (n_bins) of them lie in the bins of `trained`."""

    trained: Column
    shares: Shares
    rows: int

    @property
    def name(self) -> str:
        """As a person says it: a feature may be called as the score is."""
        return f"score {self.trained.name}" if self.trained.role == SCORE else self.trained.name

    @property
    def psi(self) -> float:
        return stability(np.asarray(self.trained.shares), self.shares)

    @property
    def psi_by_chance(self) -> float:
        """The index that only one in 1,000 pairs of samples of such sizes, of the same data, has.

        Source: B. Yurdakul, "Statistical Properties of Population Stability Index", 2018: by chance
        alone it is distributed as chi-square with n_bins - 1 degrees of freedom, times the sum of
        the two sizes' inverses.
        """
        filled = np.count_nonzero((self.shares > 0) | (np.asarray(self.trained.shares) > 0))
        freedom = max(1, int(filled) - 1)
        return _chi_square(freedom) * (1 / self.rows + 1 / self.trained.rows)

    @property
    def missing_share(self) -> float:
        return float(self.shares[-1])

    @property
    def missing_change(self) -> float:
        return abs(self.missing_share - self.trained.missing_share)

    def exceeds(self, limit: float | None) -> bool:
        """Whether the index is above `limit`, and more than chance makes of so few rows."""
        return limit is not None and self.psi > max(limit, self.psi_by_chance)

    def is_missing_beyond(self, limit: float | None) -> bool:
        """Whether the share of what is missing differs by more than `limit` from training's."""
        return limit is not None and self.missing_change > limit


def stability(expected: Shares, actual: Shares) -> float:
    """The population stability index of two rows of shares (n_bins); 0 when they are the same.

    A share of 0 counts as `LEAST_SHARE`. Source: N. Siddiqi, "Credit Risk Scorecards", 2006, who
    takes 0.1 for a small change and 0.25 for a large one.
    """
    one, other = np.maximum(expected, LEAST_SHARE), np.maximum(actual, LEAST_SHARE)
    return float(np.sum((other - one) * np.log(other / one)))


class Tally:
    """Counts the rows of an application that lie in each bin of the reference.

    Every 2**k-th row is counted, with the least k that leaves at most `most` rows. When `total` is
    not known in advance (None), rows are counted apart by the power of two that divides their
    number, so that k can be chosen at the end: the result is the same.
    Any thread may add; in which order, and in which batches, changes nothing.
    """

    def __init__(self, reference: Reference, total: int | None, most: int = ROWS) -> None:
        self._columns, self._total, self._most = reference.columns, total, most
        self._rows = 0
        powers = 1 if total is not None else 48
        self._counts = [np.zeros((powers, len(c.bins.names)), np.int64) for c in self._columns]
        self._lock = Lock()

    def add_features(self, start: int, data: pd.DataFrame) -> None:
        """Count features (n_rows, n_features); `start` rows come before these in all."""
        chosen = self._choose(start, len(data))
        powers = self._powers(start, chosen, len(data))
        found = {
            number: _count(column, data[column.name].iloc[chosen], powers, self._counts[number])
            for number, column in self._of(FEATURE)
        }
        self._add(found)
        with self._lock:
            self._rows += len(data)

    def add_predictions(self, start: int, predicted: Mapping[str, pa.Array]) -> None:
        """Count the score among what was predicted, name -> values (n_rows)."""
        for number, column in self._of(SCORE):
            array = predicted[column.name]
            chosen = self._choose(start, len(array))
            powers = self._powers(start, chosen, len(array))
            part = array.take(pa.array(np.arange(len(array))[chosen]))
            values = score_values(part)
            self._add({number: _count(column, values, powers, self._counts[number])})

    def drifts(self) -> list[Drift]:
        """How far each column is, once all rows were added: one at least."""
        power = 0 if self._total is not None else _power(self._rows, self._most)
        summed = [counts[power:].sum(axis=0) for counts in self._counts]
        return [
            Drift(column, counts / counts.sum(), int(counts.sum()))
            for column, counts in zip(self._columns, summed, strict=True)
        ]

    def _of(self, role: str) -> Iterator[tuple[int, Column]]:
        return (pair for pair in enumerate(self._columns) if pair[1].role == role)

    def _choose(self, start: int, rows: int) -> slice:
        """Which of the `rows` after `start` to count."""
        step = 2 ** _power(start if self._total is None else self._total, self._most)
        return slice(-start % step, rows, step)

    def _powers(self, start: int, chosen: slice, rows: int) -> Counts:
        """The power of two in the number of each row that was chosen; 0 when k is known."""
        numbers = start + np.arange(rows, dtype=np.int64)[chosen]
        if self._total is not None:
            return np.zeros_like(numbers)
        zeros = np.frexp((numbers & -numbers).astype(float))[1].astype(np.int64) - 1
        return np.where(numbers > 0, zeros, len(self._counts[0]) - 1)

    def _add(self, found: Mapping[int, Counts]) -> None:
        with self._lock:
            for number, counts in found.items():
                self._counts[number] += counts


def worst(drifts: Iterable[Drift]) -> list[Drift]:
    """Those with the largest index first."""
    return sorted(drifts, key=lambda drift: -drift.psi)


def most_missing(drifts: Iterable[Drift]) -> list[Drift]:
    """Those whose share of what is missing changed most first."""
    return sorted(drifts, key=lambda drift: -drift.missing_change)


def _chi_square(freedom: int) -> float:
    """What a chi-square variable exceeds with the probability `CHANCE`, within some 3 %.

    Source: E. B. Wilson and M. M. Hilferty, "The Distribution of Chi-Square", 1931.
    """
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NormalDist().inv_cdf(1 - CHANCE) * sqrt(spread)) ** 3)


def _power(rows: int, most: int) -> int:
    """The least k for which every 2**k-th of `rows` are at most `most`."""
    return max(0, -(-rows // most) - 1).bit_length()


def _count(column: Column, values: Any, powers: Counts, like: Counts) -> Counts:
    """Count `values` (n_rows) by their powers and bins: the shape of `like`."""
    places = powers * like.shape[1] + column.bins.place(values)
    return np.bincount(places, minlength=like.size).reshape(like.shape)


def shares_by_bin(drift: Drift) -> Sequence[tuple[str, float, float]]:
    """Name, share at training and share now of each bin that is not empty in both."""
    rows = zip(
        drift.trained.bins.names, drift.trained.shares, map(float, drift.shares), strict=True
    )
    return [row for row in rows if row[1] or row[2]]
