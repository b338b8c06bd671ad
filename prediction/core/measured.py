"""What a model is worth on rows that it was not fitted on: its predictions, and its metrics."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from prediction.core import classes, metrics
from prediction.core.config import TrainingConfig
from prediction.core.errors import ModelError
from prediction.core.holdout import Rows

Evaluated = tuple[pd.DataFrame | None, dict[str, float]]


@dataclass(frozen=True)
class Measured:
    """A model that was fitted on a part, and how it does on `data`, the rows that `held` marks.

    `predicted` is what it returned for them; None where no label says what is right.
    """

    model: Any
    held: Rows
    data: pd.DataFrame
    predicted: pd.DataFrame | None
    metrics: dict[str, float]


def evaluate(
    config: TrainingConfig, score: str | None, model: Any, data: pd.DataFrame
) -> Evaluated:
    """Have `model` predict `data` (n_rows, n_features + label), and compare its column `score`.

    Raises `ModelError` and `DataError` as the metrics do.
    """
    predicted, found = None, dict[str, float]()
    if config.label and score:
        predicted = classes.predict(model, data.drop(columns=config.label))
        found = metrics.measure(config.kind, data[config.label], predicted, score)
    own = classes.evaluate(model, data)
    if twice := sorted(set(found) & set(own)):
        raise ModelError(f"evaluate returned {twice[0]!r}, which is measured already. Rename it.")
    return predicted, {**found, **own}
