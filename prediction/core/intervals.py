"""Where a metric would lie with other rows of the same kind: 95 % confidence intervals.

| metric | by |
|---|---|
| roc_auc | DeLong, DeLong and Clarke-Pearson (1988), by ranks as in Sun and Xu (2014) |
| log_loss, brier, mae | the normal approximation of a mean over rows |
| rmse | the root of the interval of the mean squared error |
| r2 | its influence function (van der Vaart 1998, section 20.1), by the normal approximation |
| accuracy, precision, recall | Wilson (1927), of a share |
| average_precision, f1 | the bootstrap (Efron 1979) over counts: every row counts, none is copied |

They tell of the luck of the rows held out, which are taken for independent of each other. They tell
nothing of another fit, or of a world that changes. A metric that cannot have one is left out.
"""

from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import average_precision_score

from prediction.core import metrics

Interval = tuple[float, float]
Numbers = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

LEVEL = 0.95
REPLICATES = 500
GROUPS = 500  # of rows with neighbouring scores, for the bootstrap

_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


def measure(
    kind: str, label: pd.Series, predicted: pd.DataFrame, score: str, seed: int
) -> dict[str, Interval]:
    """The intervals of what `metrics.measure` finds, by the metric's name."""
    if kind == "binary":
        found = _binary(label.to_numpy().astype(bool), predicted[score].to_numpy(float), seed)
    elif kind == "multiclass":
        found = _multiclass(label, predicted, score, seed)
    else:
        found = _regression(label.to_numpy(float), predicted[score].to_numpy(float))
    return {name: each for name, each in found.items() if each is not None}


def mean(values: Numbers) -> Interval | None:
    """Of the mean of `values` (n_rows); None for a single row."""
    if len(values) < 2:
        return None
    return _around(float(values.mean()), float(values.std(ddof=1)) / len(values) ** 0.5)


def share(hits: int, rows: int) -> Interval | None:
    """Of the share of `rows` that are `hits`; None without rows."""
    if not rows:
        return None
    found, part = hits / rows, _Z**2 / rows
    middle = (found + part / 2) / (1 + part)
    half = _Z / (1 + part) * (found * (1 - found) / rows + part / (4 * rows)) ** 0.5
    # At the ends they are 0 and 1, but for the last bits.
    return middle - half if hits else 0.0, middle + half if hits < rows else 1.0


def auc(truth: Truths, score: Numbers) -> Interval | None:
    """Of the area under the ROC curve; None when a class has a single row."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if min(positives, negatives) < 2:
        return None
    ranks = _ranks(score)
    above = (ranks[truth] - _ranks(score[truth])) / negatives
    below = 1 - (ranks[~truth] - _ranks(score[~truth])) / positives
    variance = above.var(ddof=1) / positives + below.var(ddof=1) / negatives
    return _clipped(_around(float(above.mean()), float(variance) ** 0.5))


def average_precision(truth: Truths, score: Numbers, seed: int) -> Interval | None:
    """Of the average precision; None without a positive or without a negative row."""
    if truth.all() or not truth.any():
        return None
    counts = _grouped(truth, score)
    rows = len(truth)
    drawn = np.random.default_rng(seed).multinomial(rows, counts.ravel() / rows, REPLICATES)
    found = _average_precisions(drawn.reshape(REPLICATES, *counts.shape))
    return _from_replicates(
        float(average_precision_score(truth, score)),
        found - _average_precisions(counts[np.newaxis])[0],
    )


def f1(hits: int, guessed: int, true: int, rows: int, seed: int) -> Interval | None:
    """Of F1 of a class: of `rows`, so many were guessed, were true, and were both (`hits`)."""
    if not hits:
        return None
    cells = np.array([hits, guessed - hits, true - hits, rows - guessed - true + hits])
    drawn = np.random.default_rng(seed).multinomial(rows, cells / rows, REPLICATES)
    both = 2 * drawn[:, 0]
    with np.errstate(invalid="ignore"):
        found = both / (both + drawn[:, 1] + drawn[:, 2])
    point = 2 * hits / (guessed + true)
    return _from_replicates(point, found - point)


def r2(truth: Numbers, value: Numbers) -> Interval | None:
    """Of the coefficient of determination; None when all of `truth` is the same."""
    if len(truth) < 2 or not truth.var():
        return None
    squares, spread = (truth - value) ** 2, (truth - truth.mean()) ** 2
    ratio = squares.mean() / spread.mean()
    influence = (squares - ratio * spread) / spread.mean()
    return _around(1 - float(ratio), float(influence.std(ddof=1)) / len(truth) ** 0.5)


def _binary(truth: Truths, chance: Numbers, seed: int) -> dict[str, Interval | None]:
    sure = np.clip(np.where(truth, chance, 1 - chance), np.finfo(float).eps, 1)
    return {
        "roc_auc": auc(truth, chance),
        "average_precision": average_precision(truth, chance, seed),
        "log_loss": _positive(mean(-np.log(sure))),
        "brier": _positive(mean((truth - chance) ** 2)),
    }


def _multiclass(
    label: pd.Series, predicted: pd.DataFrame, score: str, seed: int
) -> dict[str, Interval | None]:
    truth, guess = label.to_numpy(), predicted[score].to_numpy()
    agree = truth == guess
    rows = len(truth)
    found = {"accuracy": share(int(agree.sum()), rows)}
    true, guessed, hits = (pd.Series(v).value_counts() for v in (truth, guess, truth[agree]))
    for one in sorted(label.unique()):
        right, taken, there = (int(each.get(one, 0)) for each in (hits, guessed, true))
        found[f"precision_{one}"] = share(right, taken)
        found[f"recall_{one}"] = share(right, there)
        found[f"f1_{one}"] = f1(right, taken, there, rows, seed)
    surprises = metrics.surprises(label, predicted)
    if surprises is not None:
        found["log_loss"] = _positive(mean(surprises))
    return found


def _regression(truth: Numbers, value: Numbers) -> dict[str, Interval | None]:
    squares = _positive(mean((truth - value) ** 2))
    return {
        "rmse": (squares[0] ** 0.5, squares[1] ** 0.5) if squares else None,
        "mae": _positive(mean(np.abs(truth - value))),
        "r2": r2(truth, value),
    }


def _ranks(values: Numbers) -> Numbers:
    """1 is the lowest; equal ones share the mean of their ranks."""
    return np.asarray(pd.Series(values).rank(), float)


def _grouped(truth: Truths, score: Numbers) -> npt.NDArray[np.int64]:
    """Count negative and positive rows (n_groups, 2), the highest scores first.

    Rows of one score are never parted.
    """
    order = np.argsort(-score, kind="stable")
    truth, score = truth[order], score[order]
    ends = np.append(np.flatnonzero(np.diff(score)) + 1, len(score))
    if len(ends) > GROUPS:
        marks = np.linspace(0, len(score), GROUPS + 1)[1:]
        ends = np.unique(ends[np.searchsorted(ends, marks)])
    positives = np.diff(np.cumsum(truth)[ends - 1], prepend=0)
    return np.column_stack([np.diff(ends, prepend=0) - positives, positives])


def _average_precisions(counts: Any) -> Numbers:
    """Of each table of counts (n_tables, n_groups, 2); NaN where there is no positive row."""
    seen = counts.cumsum(axis=1)
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(seen[..., 1] / seen.sum(axis=2))
        found: Numbers = (precision * counts[..., 1]).sum(axis=1) / seen[:, -1, 1]
    return found


def _from_replicates(point: float, deviations: Numbers) -> Interval | None:
    known = deviations[np.isfinite(deviations)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _clipped((point + float(low), point + float(high)))


def _around(middle: float, error: float) -> Interval:
    return middle - _Z * error, middle + _Z * error


def _clipped(interval: Interval) -> Interval:
    return max(0.0, interval[0]), min(1.0, interval[1])


def _positive(interval: Interval | None) -> Interval | None:
    return interval and (max(0.0, interval[0]), interval[1])
