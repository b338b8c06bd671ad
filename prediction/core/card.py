"""The model card: what a training made, from what, how good it is, and how to make it again.

`card.json` is for programs, `card.html` shows the same to people: one page, without scripts and
without anything from outside. Nothing here decides anything.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prediction.core import baseline, curves, importance, intervals, metrics, versions, writing
from prediction.core.columns import Types
from prediction.core.config import TrainingConfig
from prediction.core.importance import Importance
from prediction.core.measured import Measured
from prediction.core.previous import Previous, lower_is_better
from prediction.core.samples import Sample

if TYPE_CHECKING:
    import jinja2

FORMAT = 1
JSON, HTML = "card.json", "card.html"
CLASSES = 12
MOST_FEATURES, MOST_METRICS = 50, 40  # that the page shows; card.json has all

_OF_A_CLASS = ("precision_", "recall_", "f1_")
# Where the files of one training lay says nothing later, and the rest is told elsewhere.
_NOT_SHOWN = {"data_path", "model_path", "previous_path", "description", "provenance"}


def describe(
    config: TrainingConfig, sample: Sample, measured: Measured | None, previous: Previous
) -> dict[str, Any]:
    """All that can be told before the model is saved, as JSON says it. The same for a seed."""
    leaned_on = _importance(config, measured)
    return {
        "format": FORMAT,
        "description": config.description,
        "kind": config.kind,
        "label": config.label,
        "score": config.score,
        "provenance": config.provenance,
        "data": _data(config, sample, measured),
        "features": _features(config, sample),
        "metrics": _metrics(config, sample, measured, previous),
        "interval_level": intervals.LEVEL,
        "previous": {
            "compared": previous.compared,
            "why_not": previous.why_not or (None if previous.compared else "there is none"),
            "training_window": dict(previous.training_window),
        },
        "limits": {name: getattr(config, name) for name in ("floors", "ceilings", "not_worse_by")},
        "importance": {
            "metric": leaned_on.metric or None,
            "rows": leaned_on.rows,
            "worse_by": dict(leaned_on.worse_by),
        },
        "curves": _curves(config, measured, previous),
        "not_measured": _not_measured(config, measured, leaned_on),
    }


def write(
    told: Mapping[str, Any], config: TrainingConfig, path: str, predicted: Types, folder: Path
) -> None:
    """Write both files into `folder`. `path` is that of the config, `predicted` what it returns."""
    card = {
        **told,
        "predicted": [{"name": name, "type": str(type_)} for name, type_ in predicted.items()],
        "made": _made(config, path),
    }
    with writing.naming(config.model_path):
        text = json.dumps(card, indent=2)
        (folder / JSON).write_text(text + "\n", encoding="utf-8")
        (folder / HTML).write_text(_page(card), encoding="utf-8")


def _data(config: TrainingConfig, sample: Sample, measured: Measured | None) -> dict[str, Any]:
    rows = len(sample.data)
    held = np.zeros(rows, bool) if measured is None else measured.held
    dates = sample.dates
    latest = dates is not None and dates.nunique() > 1
    by = f"those of the latest dates of {config.date_column}" if latest else "by key"
    label = sample.data[config.label] if config.label else None
    return {
        "training_window": config.training_window,
        "dates": _first_and_last(dates),
        "rows": rows,
        "rows_fitted": int((~held).sum()),
        "rows_held_out": int(held.sum()),
        "held_out": by if held.any() else None,
        "refitted_on_all_rows": config.refit or measured is None,
        "key": {name: str(type_) for name, type_ in sample.key.items()},
        "label_fitted": _label(config.kind, label, ~held),
        "label_held_out": _label(config.kind, label, held),
    }


def _first_and_last(dates: pd.Series | None) -> list[str] | None:
    if dates is None or dates.isna().all():
        return None
    known = dates.dropna()
    return [str(known.min()), str(known.max())]


def _label(kind: str, label: pd.Series | None, rows: Any) -> dict[str, float] | None:
    """What the labels of the `rows` are: their mean, or the share of the most frequent classes."""
    if label is None or not rows.any():
        return None
    some = label[rows]
    if kind == "multiclass":
        shares = some.value_counts(normalize=True).iloc[:CLASSES]
        return {str(one): float(share) for one, share in shares.items()}
    return {"share true" if kind == "binary" else "mean": float(some.astype(float).mean())}


def _features(config: TrainingConfig, sample: Sample) -> list[dict[str, Any]]:
    missing = sample.data[list(sample.features)].isna().mean()
    return [
        {"name": name, "type": str(type_), "missing_share": float(missing[name])}
        for name, type_ in sample.features.items()
    ]


def _metrics(
    config: TrainingConfig, sample: Sample, measured: Measured | None, previous: Previous
) -> dict[str, Any]:
    """Each metric with its interval, beside the previous model's and the base rate's."""
    if measured is None:
        return {}
    around = _intervals(config, measured, measured.predicted, config.score)
    around_previous = _intervals(config, measured, previous.predicted, previous.score)
    base = _base(config, sample, measured)
    return {
        name: {
            "value": _finite(value),
            "interval": around.get(name),
            "previous": _finite(previous.metrics.get(name)),
            "previous_interval": around_previous.get(name),
            "base_rate": _finite(base.get(name)),
            "lower_is_better": lower_is_better(name, config),
        }
        for name, value in measured.metrics.items()
    }


def _intervals(
    config: TrainingConfig, measured: Measured, predicted: pd.DataFrame | None, score: str | None
) -> dict[str, list[float]]:
    if predicted is None or not config.label or not score:
        return {}
    label = measured.data[config.label]
    found = intervals.measure(config.kind, label, predicted, score, config.seed)
    return {name: list(each) for name, each in found.items() if np.isfinite(each).all()}


def _base(config: TrainingConfig, sample: Sample, measured: Measured) -> dict[str, float]:
    if not config.label or not config.score:
        return {}
    fitted = sample.data[config.label][~measured.held]
    predicted = baseline.predict(config.kind, fitted, measured.data.index, config.score)
    return metrics.measure(config.kind, measured.data[config.label], predicted, config.score)


def _importance(config: TrainingConfig, measured: Measured | None) -> Importance:
    if measured is None or not config.label or not config.score:
        return Importance()
    model, data = measured.model, measured.data
    return importance.measure(config.kind, model, data, config.label, config.score, config.seed)


def _curves(
    config: TrainingConfig, measured: Measured | None, previous: Previous
) -> dict[str, Any]:
    if measured is None or measured.predicted is None or not config.label or not config.score:
        return {}
    label, score = measured.data[config.label], measured.predicted[config.score]
    if config.kind == "multiclass":
        return {"confusion": curves.confusion(label, score)}
    value = score.to_numpy(float)
    if config.kind == "regression":
        return curves.regression(label.to_numpy(float), value, config.seed)
    scores = {"model": value}
    if previous.predicted is not None:
        scores["previous"] = previous.predicted[previous.score].to_numpy(float)
    return curves.binary(label.to_numpy().astype(bool), scores)


def _not_measured(
    config: TrainingConfig, measured: Measured | None, leaned_on: Importance
) -> list[str]:
    found = []
    if config.kind == "none":
        own = "only its own metrics were measured" if measured else "nothing was measured"
        found.append(f"The model has no label to be compared with: {own}.")
    elif measured is None:
        found.append("No row was held out (holdout is 0): nothing was measured.")
    if leaned_on.why_not:
        found.append(f"The importance of features is not known: {leaned_on.why_not}")
    return found


def _made(config: TrainingConfig, path: str) -> dict[str, Any]:
    # What the pipeline stages is gone afterwards; its folder has the file under the same name.
    name = Path(path).name if config.provenance else path
    return {
        "model": config.model,
        "parameters": config.parameters,
        "seed": config.seed,
        "config": {
            each.name: getattr(config, each.name)
            for each in fields(config)
            if each.name not in _NOT_SHOWN
        },
        "command": f"python -m prediction.main --action training --config {name}",
        "python": versions.PYTHON,
        "libraries": versions.imported(),
    }


def _page(card: Mapping[str, Any]) -> str:
    from prediction.core import card_charts

    worse_by = card["importance"]["worse_by"]
    return _template().render(
        **card,
        ordered=sorted(card["metrics"].items(), key=lambda each: each[0].startswith(_OF_A_CLASS)),
        charts=card_charts.draw(card["curves"]),
        ranked=sorted(card["features"], key=lambda each: -worse_by.get(each["name"], 0)),
        most_features=MOST_FEATURES,
        most_metrics=MOST_METRICS,
    )


@cache
def _template() -> "jinja2.Template":
    """Compiled once for all dates of a job."""
    with versions.apart():
        import jinja2

    text = Path(__file__).with_name("card.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": _number, "percent": _percent, "pretty": _pretty}
    return environment.from_string(text)


def _finite(value: float | None) -> float | None:
    """`value`, or None for what JSON cannot say."""
    return None if value is None or not np.isfinite(value) else float(value)


def _number(value: float | None) -> str:
    """Whole numbers as they are, others with four digits at least; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, int) or 1000 <= abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share == 0 or share >= 0.001 else "< 0.1%"


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
