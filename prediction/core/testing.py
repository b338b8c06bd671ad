"""Testing: how good a finished model is on rows with labels that it has not seen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from prediction.core import classes, columns, keys, labels, metrics, reading, sealing, writing
from prediction.core.application import as_read, known
from prediction.core.config import TestingConfig
from prediction.core.errors import DataError
from prediction.core.progress import Progress
from prediction.core.sealing import Seal


@dataclass(frozen=True)
class Found:
    """Metrics on `rows` rows; `trained` are those that training found on the rows it held out."""

    rows: int
    metrics: Mapping[str, float]
    trained: Mapping[str, float]


def test(config: TestingConfig, progress: Progress) -> int:
    """Measure the model on `data_path` and write `metrics_path`; returns the number of rows.

    Limits that were set for training are not looked at: this only tells.
    """
    seal, model = sealing.read(config.model_path)
    progress.phase("reading", 0, 2)
    data = _read(config, seal)
    progress.phase("measuring", 1, 2)
    found = Found(len(data), _measure(seal, model, data), seal.metrics)
    content = {"rows": found.rows, "metrics": dict(found.metrics), "trained": dict(found.trained)}
    with writing.replacing(config.metrics_path) as draft:
        draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return found.rows


def _read(config: TestingConfig, seal: Seal) -> pd.DataFrame:
    """The rows (n_rows, n_features + label), indexed by the key. Raises `DataError`."""
    if seal.label is None:
        raise DataError(
            f"The model in {config.model_path} was trained without a label, so there is nothing to"
            " compare its predictions with."
        )
    files = reading.find(config.data_path)
    reading.check_columns(files, {**seal.key, **seal.features}, known(seal))
    for file in files:
        if seal.label not in file.names:
            raise DataError(
                f"{file.path}: the label {seal.label!r} is missing. There are:"
                f" {', '.join(file.names)}. Test on rows whose label is known."
            )
    batch = reading.whole(files, as_read(seal), seal.ignored)
    keys.check_nulls(batch.select(list(seal.key)))
    label = batch.column(seal.label)
    labels.check_known(seal.label, label)
    labels.check_kind(seal.kind, seal.label, label)
    data = columns.frame(batch, list(seal.key), seal.features)
    data[seal.label] = columns.label(label)
    return data


def _measure(seal: Seal, model: object, data: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    if seal.label and seal.score:
        predicted = classes.predict(model, data.drop(columns=seal.label))  # type: ignore[arg-type]
        found = metrics.measure(seal.kind, data[seal.label], predicted, seal.score)
    return {**found, **classes.evaluate(model, data)}
