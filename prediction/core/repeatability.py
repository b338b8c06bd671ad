"""Whether a prediction depends on its own row only.

Application gives the model batches, several at once. A model that takes a mean of the batch, or
keeps something between calls, would predict otherwise for each number of threads.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Barrier

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from prediction.core import classes, predictions
from prediction.core.classes import Model
from prediction.core.columns import Types
from prediction.core.errors import ModelError

ROWS = 1000
ROUNDS = 5
RELATIVE = {pa.float64(): 1e-9, pa.float32(): 1e-5, pa.float16(): 1e-2}  # noise of the last bits

Truths = npt.NDArray[np.bool_]
Place = npt.NDArray[np.int64]
Pieces = list[tuple[Place, pa.Table]]
Ask = Callable[[Place], pa.Table]


def check(model: Model, data: pd.DataFrame, types: Types, seed: int) -> None:
    """Predict some rows of `data` (n_rows, n_features) in several ways, and compare.

    Raises `ModelError` that names the column and the way in which the predictions differ.
    """
    rows = data.iloc[np.unique(np.linspace(0, len(data) - 1, ROWS).astype(int))]

    def ask(place: Place) -> pa.Table:
        predicted = classes.predict(model, rows.iloc[place])
        return pa.table(predictions.arrays(predicted, types), names=list(types))

    every = np.arange(len(rows))
    whole = ask(every)
    for way, pieces in _ways(ask, every, seed):
        for place, given in pieces:
            _compare(whole.take(pa.array(place)), given, way, rows.index[place])


def _ways(ask: Ask, every: Place, seed: int) -> Iterator[tuple[str, Pieces]]:
    yield "a second time", [(every, ask(every))]
    pieces = np.split(every, [cut for cut in (1, 3, 10, 100) if cut < len(every)])
    yield "in pieces", [(piece, ask(piece)) for piece in pieces]
    shuffled = np.random.default_rng(seed).permutation(every)
    yield "shuffled", [(shuffled, ask(shuffled))]
    yield "from two threads at once", _at_once(ask, every)


def _at_once(ask: Ask, every: Place) -> Pieces:
    """Ask for both halves at the same moment, some times over."""
    barrier = Barrier(2)

    def repeat(half: Place) -> Pieces:
        barrier.wait()
        return [(half, ask(half)) for _ in range(ROUNDS)]

    ends = (0, len(every) // 2, len(every))
    halves = [every[start:end] for start, end in pairwise(ends)]
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(repeat, [half if len(half) else every for half in halves])
        return [piece for pieces in found for piece in pieces]


def _compare(expected: pa.Table, given: pa.Table, way: str, keys: pd.Index) -> None:
    for name in expected.column_names:
        one, other = expected[name].combine_chunks(), given[name].combine_chunks()
        differs = _differs(one, other)
        if differs.any():
            row = int(np.argmax(differs))
            raise ModelError(
                f"predict is not repeatable: when the same {ROWS:,} rows are given {way}, column "
                f"{name!r} differs in {differs.sum():,} rows (key {keys[row]}: {one[row]}, then "
                f"{other[row]}). Let a prediction depend on its own row only: compute what "
                "concerns all rows in fit, and keep nothing in predict."
            )


def _differs(one: pa.Array, other: pa.Array) -> Truths:
    if one.type in RELATIVE:
        left, right = (np.asarray(a.to_numpy(zero_copy_only=False), float) for a in (one, other))
        tolerance = RELATIVE[one.type]
        close: Truths = np.isclose(
            left, right, rtol=tolerance, atol=tolerance * 1e-3, equal_nan=True
        )
        return ~close
    return np.array(
        [left != right for left, right in zip(one.to_pylist(), other.to_pylist(), strict=True)]
    )
