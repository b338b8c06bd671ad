"""The previous model beside the new one, on the same rows held out.

It may have been fitted on some of these rows, as every row of its own training is used in the end:
that favours it, so that the new model is refused rather too often than too seldom.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from prediction.core import columns, sealing
from prediction.core.config import LOWER_IS_BETTER, TrainingConfig
from prediction.core.errors import QualityError, SealError, told
from prediction.core.measured import Measured, evaluate
from prediction.core.samples import Sample
from prediction.core.sealing import Seal

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Previous:
    """How the previous model does, if it is `compared`; else `why_not` tells why, if there is one.

    `predicted` is what it returned for the rows held out, and `score` names the column of it that
    was measured.
    """

    compared: bool = False
    why_not: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    predicted: pd.DataFrame | None = None
    score: str = ""
    training_window: Mapping[str, Any] = field(default_factory=dict)


def measure(config: TrainingConfig, sample: Sample, measured: Measured | None) -> Previous:
    """Measure the model in `previous_path` on the rows held out.

    Whatever is wrong with it is told in `why_not`, and in the log: it ends no training.
    """
    path = config.previous_path
    if path is None:
        if config.not_worse_by:
            logger.warning("there is no previous model, so `not_worse_by` compares nothing")
        return Previous()
    if measured is None:
        return Previous(why_not="no rows were held out to measure it on")
    try:
        return _measured(path, config, sample, measured)
    # It was made by other code, perhaps: whatever it raises must not end this training.
    except Exception as error:  # noqa: BLE001
        reason = told(error).replace(str(path), config.provenance.get("previous", str(path)))
        logger.warning("the previous model is not compared: %s", reason)
        return Previous(why_not=reason)


def check(found: Mapping[str, float], previous: Previous, config: TrainingConfig) -> None:
    """Raise `QualityError` when metrics `found` are worse than `not_worse_by` allows.

    What can't be compared is let pass: see `warnings`.
    """
    for name in config.not_worse_by:
        if name not in found:
            raise QualityError(
                f"there is no metric {name!r} to compare with the previous model's. There are: "
                f"{', '.join(found)}. Correct `not_worse_by`."
            )
    worse = [
        f"{name} is {found[name]:.6g}, and the previous model's is {previous.metrics[name]:.6g} on "
        f"the same rows: worse by more than {allowed:.6g}"
        for name, allowed in config.not_worse_by.items()
        if name in previous.metrics
        and _loss(config, name, found[name], previous.metrics[name]) > allowed
    ]
    if worse:
        raise QualityError(
            f"{'; '.join(worse)}. Nothing was saved. Look at the data and the model, or raise "
            "`not_worse_by`."
        )


def warnings(previous: Previous, config: TrainingConfig) -> list[str]:
    """What `not_worse_by` could not guard, in sentences. Of a first model nothing is said."""
    if not config.not_worse_by or config.previous_path is None:
        return []
    if not previous.compared:
        return [
            "This model may be worse than the previous one, which it was not compared with:"
            f" {previous.why_not.rstrip('.')}. It is kept all the same, so `not_worse_by` has"
            " guarded nothing. Look at its card"
        ]
    return [
        f"The previous model has no {name}, so that `not_worse_by` has not guarded it"
        for name in config.not_worse_by
        if math.isnan(previous.metrics.get(name, math.nan))
    ]


def lower_is_better(name: str, config: TrainingConfig) -> bool:
    """Whether a metric is better when lower. One of the model's own is when it has a ceiling."""
    return name in LOWER_IS_BETTER or name in config.ceilings


def _loss(config: TrainingConfig, name: str, new: float, old: float) -> float:
    """By how much `new` is worse than `old`. NaN is worse than any number, and no rival to one."""
    if math.isnan(old):
        return 0.0
    if math.isnan(new):
        return math.inf
    return new - old if lower_is_better(name, config) else old - new


def _measured(path: Path, config: TrainingConfig, sample: Sample, measured: Measured) -> Previous:
    seal, model = sealing.read(path)
    for difference in _differences(config, sample, seal):
        raise SealError(difference)
    names = [*seal.features, *filter(None, [config.label])]
    predicted, found = evaluate(config, seal.score, model, measured.data[names])
    return Previous(
        compared=True,
        metrics=found,
        predicted=predicted,
        score=seal.score or "",
        training_window=seal.training_window,
    )


def _differences(config: TrainingConfig, sample: Sample, seal: Seal) -> Iterator[str]:
    """What of the previous model does not go with the data, in words."""
    for name in ("kind", "label"):
        old, new = getattr(seal, name), getattr(config, name)
        if old != new:
            yield f"its {name} is {old!r}, and now it is {new!r}"
    if list(seal.key) != list(sample.key):
        yield f"its key is {', '.join(seal.key)}, and now it is {', '.join(sample.key)}"
    for name, type_ in seal.features.items():
        if name not in sample.features:
            yield f"it needs the feature {name!r}, which the data do not have"
        elif not columns.fits(sample.features[name], type_):
            yield f"its feature {name!r} is {type_}, and now it is {sample.features[name]}"
