"""The points of the card's plots, few enough to be drawn and kept: numbers, no drawings.

All of it can be said in JSON. Scores and labels are (n_rows).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import precision_recall_curve, roc_curve

Numbers = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Points = list[list[float]]

POINTS = 200
DRAWN_ROWS = 400
BINS = 20
GROUPS = 10
CLASSES = 12


def binary(truth: Truths, scores: Mapping[str, Numbers]) -> dict[str, Any]:
    """The curves of each of `scores`, by its name; how they are spread for "model" alone."""
    return {
        "roc": {name: roc(truth, score) for name, score in scores.items()},
        "precision_recall": {
            "base": float(truth.mean()),
            **{name: precision_recall(truth, score) for name, score in scores.items()},
        },
        "calibration": {
            name: by_groups(score, truth.astype(float)) for name, score in scores.items()
        },
        "scores": scores_by_class(truth, scores["model"]),
    }


def regression(truth: Numbers, value: Numbers, seed: int) -> dict[str, Any]:
    """Some rows and the means of groups, where the middle 99 % of both are; the residuals."""
    bounds = np.quantile([truth, value], [0.005, 0.995], axis=1)
    low, high = float(bounds[0].min()), float(bounds[1].max())
    rows = np.random.default_rng(seed).permutation(len(truth))[:DRAWN_ROWS]
    drawn = np.column_stack([value, truth])[rows]
    within = ((drawn >= low) & (drawn <= high)).all(axis=1)
    return {
        "predicted_and_true": {
            "range": [low, high],
            "rows": drawn[within].tolist(),
            "groups": by_groups(value, truth),
        },
        "residuals": histogram(truth - value),
    }


def roc(truth: Truths, score: Numbers) -> Points:
    """At most POINTS of (false positive rate, true positive rate), from (0, 0) to (1, 1)."""
    false, true, _ = roc_curve(truth, score)
    return _thinned(false, true, along=false + true)


def precision_recall(truth: Truths, score: Numbers) -> Points:
    """At most POINTS of (recall, precision), by rising recall from the first positive row on."""
    precision, recall, _ = precision_recall_curve(truth, score)
    # The last point is one that sklearn adds, and no threshold has.
    precision, recall = precision[-2::-1], recall[-2::-1]
    return _thinned(recall, precision, along=recall)


def by_groups(score: Numbers, truth: Numbers) -> list[dict[str, float]]:
    """Mean score and mean truth in GROUPS groups of about as many rows, by rising score."""
    order = np.argsort(score, kind="stable")
    groups = [rows for rows in np.array_split(order, GROUPS) if len(rows)]
    return [
        {
            "predicted": float(score[rows].mean()),
            "true": float(truth[rows].mean()),
            "rows": len(rows),
        }
        for rows in groups
    ]


def scores_by_class(truth: Truths, score: Numbers) -> dict[str, list[float]]:
    """Share of the false and of the true rows in each of BINS bins of the chances 0 to 1."""
    edges = np.linspace(0, 1, BINS + 1)
    found = {"edges": edges.tolist()}
    for name, rows in (("false", ~truth), ("true", truth)):
        found[name] = (np.histogram(score[rows], edges)[0] / max(1, rows.sum())).tolist()
    return found


def histogram(values: Numbers) -> dict[str, list[float]]:
    """Rows in each of BINS bins. What is beyond the middle 99 % counts in the outer bins."""
    low, high = np.quantile(values, [0.005, 0.995])
    if low == high:
        return {"edges": [float(low), float(high)], "rows": [len(values)]}
    edges = np.linspace(low, high, BINS + 1)
    return {
        "edges": edges.tolist(),
        "rows": np.histogram(np.clip(values, low, high), edges)[0].tolist(),
    }


def confusion(label: pd.Series, guessed: pd.Series) -> dict[str, Any]:
    """How many rows of each class were taken for each class: `rows`[true][guessed].

    Beyond the CLASSES most frequent classes all are "other".
    """
    truth, guess = label.astype(str).to_numpy(), guessed.astype(str).to_numpy()
    frequent = pd.Series(truth).value_counts()
    names = sorted(frequent.index[:CLASSES])
    more = len(frequent) > CLASSES or not set(guess) <= set(names)
    places = [_codes(each, names) for each in (truth, guess)]
    size = len(names) + 1
    counts = np.bincount(places[0] * size + places[1], minlength=size**2).reshape(size, size)
    if not more:
        counts = counts[:-1, :-1]
    return {"classes": names + ["other"] * more, "rows": counts.tolist()}


def _codes(values: Any, names: list[str]) -> npt.NDArray[np.int64]:
    """The place of each value in `names`; after the last one for what is not there."""
    codes = pd.Index(names).get_indexer(values)
    found: npt.NDArray[np.int64] = np.where(codes < 0, len(names), codes)
    return found


def _thinned(x: Numbers, y: Numbers, along: Numbers) -> Points:
    """The points nearest to even steps of `along`, which never falls; the ends among them."""
    if len(x) > POINTS:
        steps = np.linspace(along[0], along[-1], POINTS)
        places = np.unique(np.searchsorted(along, steps).clip(0, len(x) - 1))
        places[0], places[-1] = 0, len(x) - 1
        x, y = x[places], y[places]
    points: Points = np.column_stack([x, y]).tolist()
    return points
