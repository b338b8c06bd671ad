"""The model's class: found by its name, made from its parameters, asked for predictions.

A class needs `fit(data)` and `predict(data)` only. It may have `evaluate(data)`, and its own way to
be kept: `save(path)` together with a classmethod `load(path)`.
"""

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from prediction.core.errors import ModelError


class Model(Protocol):
    """What a model class must have."""

    def fit(self, data: pd.DataFrame) -> Any:
        """Learn from features and label (n_rows, n_features + 1), indexed by the key."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        """Predict from features (n_rows, n_features) one row for each, with the same index."""


def find(name: str) -> type:
    """Import the class that `name`, as in "prediction.model:Model", tells.

    Raises `ModelError` when it is not there or is no model.
    """
    module, _, class_name = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError, SyntaxError) as error:
        raise ModelError(
            f"{name} cannot be imported: {error}. Correct `model` or the module, or install what "
            "it needs."
        ) from error
    missing = [
        method for method in ("fit", "predict") if not callable(getattr(found, method, None))
    ]
    if not inspect.isclass(found) or missing:
        raise ModelError(f"{name} has no {' and no '.join(missing) or 'class'}. Write it.")
    if hasattr(found, "save") != hasattr(found, "load"):
        raise ModelError(f"{name} has only one of `save` and `load`. Write both, or none.")
    return found


def make(name: str, parameters: Mapping[str, Any]) -> Any:
    """Make an unfitted model. Raises `ModelError` when the class does not take `parameters`."""
    found = find(name)
    try:
        inspect.signature(found).bind(**parameters)
    except TypeError as error:
        raise ModelError(f"{name} does not take these `parameters`: {error}.") from error
    return found(**parameters)


def predict(model: Model, data: pd.DataFrame) -> pd.DataFrame:
    """Ask `model` for its predictions (n_rows, n_columns), and see that they are those of `data`.

    Raises `ModelError` when they are no data frame, or have other rows.
    """
    predicted = model.predict(data)
    if not isinstance(predicted, pd.DataFrame):
        raise ModelError(f"predict returned {type(predicted).__name__}. Return a DataFrame.")
    if len(predicted) != len(data):
        raise ModelError(
            f"predict returned {len(predicted):,} rows for {len(data):,}. Return one for each."
        )
    if not predicted.index.equals(data.index):
        raise ModelError(
            "predict returned another index than it was given. Make the result with "
            "index=data.index."
        )
    return predicted


def evaluate(model: Any, data: pd.DataFrame) -> dict[str, float]:
    """Ask `model` for metrics of its own on features and label; none when it has no `evaluate`.

    Raises `ModelError` when they are no numbers.
    """
    if not hasattr(model, "evaluate"):
        return {}
    metrics = model.evaluate(data)
    try:
        return {str(name): float(value) for name, value in metrics.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(
            "evaluate returned no dictionary of numbers. Return {name of the metric: value}."
        ) from error


def save(model: Any, folder: Path) -> Path:
    """Keep `model` in `folder`, and return the file or folder made there.

    It is what the model's own `save` makes of `model`, or else `model.joblib`.
    """
    if hasattr(model, "save"):
        path = folder / "model"
        model.save(path)
        if not path.exists():
            raise ModelError(f"save made nothing at the path that it was given, {path.name}.")
        return path
    import joblib

    path = folder / "model.joblib"
    joblib.dump(model, path)
    return path


def load(found: Any, path: Path) -> Any:
    """Bring back what `save` kept. `path` must have been checked: unpickling runs code."""
    if hasattr(found, "load"):
        return found.load(path)
    import joblib

    return joblib.load(path)
