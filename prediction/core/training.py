"""Training: read, fit, measure, see that it repeats, and seal, with a card of all that."""

from typing import Any

import pandas as pd

from prediction.core import (
    card,
    classes,
    holdout,
    metrics,
    predictions,
    previous,
    reference,
    repeatability,
    samples,
    sealing,
    writing,
)
from prediction.core.columns import Types
from prediction.core.config import TrainingConfig, check_beside
from prediction.core.errors import DataError
from prediction.core.measured import Measured, evaluate
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
    check_beside(config.model_path)
    sample = samples.read(config)
    measured = _measured(config, sample, progress)
    found = measured.metrics if measured else {}
    metrics.check(found, config.floors, config.ceilings)
    old = previous.measure(config, sample, measured)
    previous.check(found, old, config)
    progress.warn(previous.warnings(old, config))
    told = card.describe(config, sample, measured, old)
    model, seen = (measured.model, measured.predicted) if measured else (None, None)
    # The rows held out are not needed twice while all rows are fitted on.
    del measured, old
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
        card.write(told, config, progress.config, types, draft)
        kept = _reference(config, sample, seen, model)
        with writing.naming(config.model_path):
            kept.write(draft)
            sealing.write(_seal(config, sample, types, found), saved, config.model_path)
    return len(sample.data)


def _measured(config: TrainingConfig, sample: Sample, progress: Progress) -> Measured | None:
    """Fit on a part, measure on the rest; None when nothing can be measured."""
    own = hasattr(classes.find(config.model), "evaluate")
    if config.holdout == 0 or (config.kind == "none" and not own):
        return None
    held = _held_out(config, sample)
    if held.all() or not held.any():
        raise DataError(
            f"`holdout` {config.holdout} of {len(held):,} rows leaves nothing to fit on, or to "
            "measure on. Change it, or bring more rows."
        )
    _tell(progress, "fitting")
    model = _fitted(config, sample.data[~held])
    _tell(progress, "evaluating")
    data = sample.data[held]
    return Measured(model, held, data, *evaluate(config, config.score, model, data))


def _held_out(config: TrainingConfig, sample: Sample) -> holdout.Rows:
    if sample.dates is not None and sample.dates.nunique() > 1:
        return holdout.latest(sample.dates, config.holdout)
    classed = config.label if config.kind in ("binary", "multiclass") else None
    label = sample.data[classed] if classed else None
    return holdout.by_key(sample.data.index, label, config.holdout, config.seed)


def _fitted(config: TrainingConfig, data: pd.DataFrame) -> Any:
    model = classes.make(config.model, config.parameters)
    model.fit(data.copy())
    return model


def _reference(
    config: TrainingConfig, sample: Sample, predicted: pd.DataFrame | None, model: Any
) -> Reference:
    """What later data are compared with.

    The score is that in `predicted`, of rows which the model had not seen, as it will not have seen
    later ones: many a model is surer of the rows that it was fitted on. Where none were held out it
    is that of these.
    """
    found = reference.of_features(sample.data, sample.features, config.seed)
    if config.score is None:
        return Reference(found)
    if predicted is None:
        rows = reference.sample(sample.data, config.seed)[list(sample.features)]
        predicted = classes.predict(model, rows)
    chosen = reference.sample(predicted, config.seed)
    return Reference([*found, *reference.of_score(chosen, config.score, config.key)])


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
