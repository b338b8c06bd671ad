"""How much a model leans on each feature: permutation importance.

A feature's values are shuffled among rows held out, and it is told by how much the main metric gets
worse. Features that say the same stand in for each other, so that each of them may seem to matter
little. Source: Breiman, Random Forests (2001), section 10.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prediction.core import classes
from prediction.core.config import LOWER_IS_BETTER
from prediction.core.errors import ModelError, told

MAIN = {"binary": "roc_auc", "multiclass": "accuracy", "regression": "rmse"}
ROWS, LEAST_ROWS = 20_000, 1_000
PREDICTIONS = 200_000  # in all, so that many features cost no more than ten
REPEATS = 3  # of a small sample, whose shuffle is a matter of luck


@dataclass(frozen=True)
class Importance:
    """By how much `metric` gets worse, by feature, the most important first; on `rows` rows.

    `why_not` tells why nothing is known.
    """

    metric: str = ""
    rows: int = 0
    worse_by: tuple[tuple[str, float], ...] = ()
    why_not: str = ""


def measure(
    kind: str, model: Any, data: pd.DataFrame, label: str, score: str, seed: int
) -> Importance:
    """Shuffle each feature of a seeded sample of `data` (n_rows, n_features + label)."""
    dice = np.random.default_rng(seed)
    rows = data.iloc[_sample(kind, data[label], data.shape[1] - 1, dice)]
    features, truth = rows.drop(columns=label), rows[label].to_numpy()
    metric = MAIN[kind]
    sign = 1 if metric in LOWER_IS_BETTER else -1

    def ask(given: pd.DataFrame) -> float:
        predicted = classes.predict(model, given)[score]
        if predicted.isna().any():
            raise ModelError(f"predict returned nulls in column {score!r}")
        return sign * _METRICS[metric](truth, predicted.to_numpy())

    try:
        usual = ask(features.copy())
        found = {
            name: float(np.mean([ask(given) - usual for given in _shuffled(features, name, dice)]))
            for name in features.columns
        }
    # A shuffled row may be one that the model never meets; what it then does must end no training.
    except Exception as error:  # noqa: BLE001
        return Importance(why_not=f"with shuffled features, {told(error)}")
    ranked = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return Importance(metric, len(rows), tuple(ranked))


def _roc_auc(truth: Any, score: Any) -> float:
    """From the sum of the true rows' ranks (Mann and Whitney 1947)."""
    truth = truth.astype(bool)
    true, ranks = int(truth.sum()), pd.Series(score).rank().to_numpy()
    return float((ranks[truth].sum() - true * (true + 1) / 2) / (true * (len(truth) - true)))


def _accuracy(truth: Any, guess: Any) -> float:
    return float(np.mean(truth == guess))


def _rmse(truth: Any, value: Any) -> float:
    return float(np.mean((truth.astype(float) - value.astype(float)) ** 2) ** 0.5)


def _shuffled(
    features: pd.DataFrame, name: str, dice: np.random.Generator
) -> Iterator[pd.DataFrame]:
    """`features` with the values of column `name` in another order, some times over."""
    for _ in range(REPEATS if len(features) <= LEAST_ROWS else 1):
        order = dice.permutation(len(features))
        values = features[name].iloc[order].set_axis(features.index)
        yield features.assign(**{name: values})


def _sample(
    kind: str, label: pd.Series, features: int, dice: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Numbers of rows, in order. Of binary labels as many of each class as there are, up to half.

    The area under the ROC curve does not depend on how frequent a class is.
    """
    most = min(ROWS, max(LEAST_ROWS, PREDICTIONS // features))
    every = np.arange(len(label))
    if kind != "binary":
        return _some(every, most, dice)
    truth = label.to_numpy().astype(bool)
    rare, common = sorted((every[truth], every[~truth]), key=len)
    chosen = _some(rare, most // 2, dice)
    return np.sort(np.concatenate([chosen, _some(common, most - len(chosen), dice)]))


def _some(
    rows: npt.NDArray[np.int64], most: int, dice: np.random.Generator
) -> npt.NDArray[np.int64]:
    return rows if len(rows) <= most else np.sort(dice.choice(rows, most, replace=False))


# Only the one that is shown: all metrics would take longer than the predictions.
_METRICS: Mapping[str, Callable[[Any, Any], float]] = {
    "roc_auc": _roc_auc,
    "accuracy": _accuracy,
    "rmse": _rmse,
}
