"""How good predictions are, on rows that the model was not fitted on.

| kind | metrics | reads |
|---|---|---|
| binary | roc_auc, average_precision, log_loss, brier | `score`: chance that the label is true |
| multiclass | accuracy; precision_, recall_, f1_ of each class | `score`: the class |
| | log_loss, when there are chances of all classes | `probability_<class>`: its chance |
| regression | rmse, mae, r2 | `score`: the value |
| none | none | |

Log loss, Brier, RMSE and MAE are better when lower: they belong under `ceilings`, the rest under
`floors`.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from statistics import fmean

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics as sk

from prediction.core.errors import DataError, ModelError, QualityError

PER_CLASS = ("precision", "recall", "f1")
# What a table of figures over dates has: the same names whichever classes come on a date.
STABLE = {
    "binary": ("roc_auc", "average_precision", "log_loss", "brier"),
    "multiclass": ("accuracy", *PER_CLASS, "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}


def measure(kind: str, label: pd.Series, predicted: pd.DataFrame, score: str) -> dict[str, float]:
    """Compare `label` (n_rows) with `predicted` (n_rows, n_columns), in the same order.

    Raises `ModelError` when there is no column `score`, or it cannot be what it should be, and
    `DataError` when the rows held out cannot tell.
    """
    if score not in predicted.columns:
        raise ModelError(
            f"predict returned no column {score!r}, which the metrics of kind {kind} read. Return "
            "it, or name another under `score`."
        )
    if predicted[score].isna().any():
        raise ModelError(f"predict returned nulls in column {score!r}, so no metric is possible.")
    if kind == "binary":
        return _binary(label, predicted[score])
    if kind == "multiclass":
        return _multiclass(label, predicted, score)
    return _regression(label, predicted[score])


def measure_any(
    kind: str, label: pd.Series, predicted: pd.DataFrame, score: str
) -> dict[str, float]:
    """As `measure`, where one class is no error: what needs both classes is left out."""
    if kind == "binary" and label.nunique() == 1 and predicted[score].notna().all():
        return _surprise(*_read_binary(label, predicted[score]))
    return measure(kind, label, predicted, score)


def stable(kind: str, found: Mapping[str, float | None]) -> dict[str, float | None]:
    """The figures of `STABLE`: None for one that was not found or is no number.

    `found` is in the order of `measure`; a model's own metrics come after it. Precision, recall and
    F1 of several classes are means over the classes that came.
    """
    if kind == "multiclass":
        found = {**found, **_means(found)}
    return {name: _finite(found.get(name)) for name in STABLE[kind]}


def check(
    metrics: Mapping[str, float], floors: Mapping[str, float], ceilings: Mapping[str, float]
) -> None:
    """Raise `QualityError` when a metric is below its floor or above its ceiling, or is NaN."""
    for name in [*floors, *ceilings]:
        if name not in metrics:
            raise QualityError(
                f"there is no metric {name!r} to compare with its limit. There are: "
                f"{', '.join(metrics)}. Correct `floors` or `ceilings`."
            )
    below = [
        (name, "below its floor", limit)
        for name, limit in floors.items()
        if not metrics[name] >= limit
    ]
    above = [
        (name, "above its ceiling", limit)
        for name, limit in ceilings.items()
        if not metrics[name] <= limit
    ]
    if wrong := [
        f"{name} is {metrics[name]:.6g}, {how} {limit:.6g}" for name, how, limit in below + above
    ]:
        raise QualityError(
            f"{'; '.join(wrong)}. Nothing was saved. Look at the data and the model, or move "
            "the limit."
        )


def _binary(label: pd.Series, score: pd.Series) -> dict[str, float]:
    truth, chance = _read_binary(label, score)
    if truth.all() or not truth.any():
        raise DataError(f"the rows held out have one class of {label.name!r}. Raise `holdout`.")
    return {
        "roc_auc": float(sk.roc_auc_score(truth, chance)),
        "average_precision": float(sk.average_precision_score(truth, chance)),
        **_surprise(truth, chance),
    }


def _read_binary(label: pd.Series, score: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """What came, as truth values, and the chance that was given to it."""
    chance = score.to_numpy(dtype=float)
    if chance.min() < 0 or chance.max() > 1:
        raise ModelError(f"predict returned {score.name!r} outside 0..1. Return a chance.")
    return label.to_numpy().astype(bool), chance


def _surprise(truth: np.ndarray, chance: np.ndarray) -> dict[str, float]:
    return {
        "log_loss": float(sk.log_loss(truth, chance, labels=[False, True])),
        "brier": float(sk.brier_score_loss(truth, chance, labels=[False, True])),
    }


def _means(found: Mapping[str, float | None]) -> dict[str, float | None]:
    """Of precision, recall and F1 over the classes, whose precisions follow the accuracy.

    A model's own `precision_at_10` is further on, and `at_10` no class.
    """
    after = list(found)[1:]
    precisions = list(takewhile(lambda name: name.startswith("precision_"), after))
    classes = [name.removeprefix("precision_") for name in precisions]
    return {name: _mean([found[f"{name}_{one}"] for one in classes]) for name in PER_CLASS}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _multiclass(label: pd.Series, predicted: pd.DataFrame, score: str) -> dict[str, float]:
    guessed = predicted[score]
    if pd.api.types.is_string_dtype(label) != pd.api.types.is_string_dtype(guessed):
        raise ModelError(
            f"predict returned column {score!r} as {guessed.dtype}, and the label {label.name!r} "
            f"is {label.dtype}. Return the label's own values."
        )
    if pd.api.types.is_float_dtype(guessed) and (guessed % 1 != 0).any():
        raise ModelError(
            f"predict returned column {score!r} with fractions, and a class that is a number is a "
            "whole one. Return the label's own values."
        )
    truth, guess = label.to_numpy(), guessed.to_numpy()
    classes = sorted(label.unique())
    per_class = sk.precision_recall_fscore_support(truth, guess, labels=classes, zero_division=0)
    found = {"accuracy": float(np.mean(truth == guess))}
    for name, values in zip(PER_CLASS, per_class, strict=False):
        found |= {f"{name}_{one}": float(value) for one, value in zip(classes, values, strict=True)}
    surprise = surprises(label, predicted)
    if surprise is not None:
        found["log_loss"] = float(surprise.mean())
    return found


def surprises(label: pd.Series, predicted: pd.DataFrame) -> npt.NDArray[np.float64] | None:
    """Surprise (n_rows) at the true class, with chances scaled to a sum of 1.

    None when `predicted` has no chances `probability_<class>` of all classes of `label`.
    """
    names = [name for name in predicted.columns if str(name).startswith("probability_")]
    if not names or not {f"probability_{one}" for one in label.unique()} <= set(names):
        return None
    scaled = predicted[names].to_numpy(dtype=float)
    scaled = scaled / scaled.sum(axis=1, keepdims=True)
    # The place of each class once, and not of each row.
    codes, classes = pd.factorize(label)
    places = np.array([names.index(f"probability_{one}") for one in classes])
    true = scaled[np.arange(len(label)), places[codes]]
    surprise: npt.NDArray[np.float64] = -np.log(np.clip(true, np.finfo(float).eps, 1))
    return surprise


def _regression(label: pd.Series, score: pd.Series) -> dict[str, float]:
    truth, value = label.to_numpy(dtype=float), score.to_numpy(dtype=float)
    return {
        "rmse": float(sk.root_mean_squared_error(truth, value)),
        "mae": float(sk.mean_absolute_error(truth, value)),
        "r2": float(sk.r2_score(truth, value)) if len(truth) > 1 else float("nan"),
    }
