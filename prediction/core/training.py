"""Training: read, fit, measure, see that it repeats, and seal."""

from typing import Any

import pandas as pd

from prediction.core import (
    classes,
    holdout,
    metrics,
    predictions,
    reference,
    repeatability,
    samples,
    sealing,
    writing,
)
from prediction.core.columns import Types
from prediction.core.config import TrainingConfig
from prediction.core.errors import DataError, ModelError
from prediction.core.progress import Progress
from prediction.core.reference import Reference
from prediction.core.samples import Sample
from prediction.core.sealing import Seal

PHASES = ("reading", "fitting", "evaluating", "fitting on all rows", "checking", "saving")


def train(config: TrainingConfig, progress: Progress) -> int:
    """Train as `config` says and seal the model in `model_path`; returns the number of rows.

    Nothing is changed at `model_path` when it fails.
    """
    _tell(progress, "reading")
    sample = samples.read(config)
    model, found = _measured(config, sample, progress)
    measured = model
    metrics.check(found, config.floors, config.ceilings)
    if model is None or config.refit:
        _tell(progress, PHASES[3] if model is not None else "fitting")
        model = _fitted(config, sample.data)
    features = sample.data[list(sample.features)]
    predicted = classes.predict(model, features.iloc[: repeatability.ROWS])
    types = predictions.types(predicted, config.key)
    with sealing.drafting(config.model_path) as draft:
        _tell(progress, "checking")
        with writing.naming(config.model_path):
            saved = classes.save(model, draft)
        # What was saved is what is checked: it is what application will load.
        repeatability.check(classes.load(type(model), saved), features, types, config.seed)
        _tell(progress, "saving")
        kept = _reference(config, sample, measured, model)
        with writing.naming(config.model_path):
            kept.write(draft)
            sealing.write(_seal(config, sample, types, found), saved, config.model_path)
    return len(sample.data)


def _measured(
    config: TrainingConfig, sample: Sample, progress: Progress
) -> tuple[Any, dict[str, float]]:
    """Fit on a part, measure on the rest; (None, {}) when nothing can be measured."""
    own = hasattr(classes.find(config.model), "evaluate")
    if config.holdout == 0 or (config.kind == "none" and not own):
        return None, {}
    held = _held_out(config, sample)
    if held.all() or not held.any():
        raise DataError(
            f"`holdout` {config.holdout} of {len(held):,} rows leaves nothing to fit on, or to "
            "measure on. Change it, or bring more rows."
        )
    _tell(progress, "fitting")
    model = _fitted(config, sample.data[~held])
    _tell(progress, "evaluating")
    return model, _evaluated(config, model, sample.data[held])


def _held_out(config: TrainingConfig, sample: Sample) -> holdout.Rows:
    if sample.dates is not None and sample.dates.nunique() > 1:
        return holdout.latest(sample.dates, config.holdout)
    classed = config.label if config.kind in ("binary", "multiclass") else None
    label = sample.data[classed] if classed else None
    return holdout.by_key(sample.data.index, label, config.holdout, config.seed)


def _evaluated(config: TrainingConfig, model: Any, data: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    if config.label and config.score:
        predicted = classes.predict(model, data.drop(columns=config.label))
        found = metrics.measure(config.kind, data[config.label], predicted, config.score)
    own = classes.evaluate(model, data)
    if twice := sorted(set(found) & set(own)):
        raise ModelError(f"evaluate returned {twice[0]!r}, which is measured already. Rename it.")
    return {**found, **own}


def _fitted(config: TrainingConfig, data: pd.DataFrame) -> Any:
    model = classes.make(config.model, config.parameters)
    model.fit(data.copy())
    return model


def _reference(config: TrainingConfig, sample: Sample, measured: Any, final: Any) -> Reference:
    """What later data are compared with.

    The score is that of rows which the model had not seen, as it will not have seen later ones:
    many a model is surer of the rows that it was fitted on. Where none were held out it is that of
    these.
    """
    model, rows = final, sample.data
    if measured is not None:
        model, rows = measured, sample.data[_held_out(config, sample)]
    found = reference.of_features(sample.data, sample.features, config.seed)
    if config.score is None:
        return Reference(found)
    features = reference.sample(rows, config.seed)[list(sample.features)]
    predicted = classes.predict(model, features)
    return Reference([*found, *reference.of_score(predicted, config.score, config.key)])


def _seal(
    config: TrainingConfig, sample: Sample, predicted: Types, found: dict[str, float]
) -> Seal:
    date = [config.date_column] if config.date_column else []
    return Seal(
        model=config.model,
        parameters=config.parameters,
        kind=config.kind,
        label=config.label,
        score=config.score,
        key=sample.key,
        features=sample.features,
        predicted=predicted,
        ignored=(*config.ignore, *date),
        rows=len(sample.data),
        metrics=found,
        training_window=config.training_window,
        description=config.description,
    )


def _tell(progress: Progress, phase: str) -> None:
    progress.phase(phase, PHASES.index(phase), len(PHASES))
