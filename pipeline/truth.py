"""The truth about a date: the labels of its horizon, by the query that its model learned from."""

import datetime
import json
from dataclasses import dataclass

from pipeline import finished, queries, storage
from pipeline.errors import DataError
from pipeline.layout import base_name
from pipeline.marking import describe, mark
from pipeline.model_package import read_sealed, sealed_key
from pipeline.queries import LABELS
from pipeline.records import Marker, RunRequest
from pipeline.times import now
from pipeline.warehouse import Warehouse


@dataclass(frozen=True)
class TruthExtraction:
    """Makes the labels of [D, D + `horizon_days`) for the predictions for D.

    The query is the one sealed with the model that made them, whatever model is in force by now.
    """

    horizon_days: int
    warehouse: Warehouse

    def __call__(self, request: RunRequest, results: str) -> Marker:
        began = now()
        model = finished.read_marker(request.inputs["predictions"].marker).made_from["model"].marker
        refuse_untruthful(model)
        self._check_horizon(model)
        labels, key = read_sealed(model, LABELS), sealed_key(model)
        stop = request.date + datetime.timedelta(days=self.horizon_days)
        query = queries.compose_evaluation(labels, key, request.date, stop)
        extraction = self.warehouse.extract(query.text, query.parameters, key, results)
        text = f"{results}/{LABELS}"
        made = {**extraction.files, text: storage.open(text).write(text, labels.encode())}
        return mark(
            "data/evaluation",
            request,
            results,
            began,
            rows=extraction.rows,
            files=[describe(url, stat, request.folder) for url, stat in made.items()],
            about={
                **extraction.about,
                "columns": dict(extraction.columns),
                "truth_window": {"labels_from": str(request.date), "labels_until": str(stop)},
            },
        )

    def _check_horizon(self, model: str) -> None:
        """Raise `DataError` when the model learned from labels of another horizon."""
        window = finished.read_marker(finished.read_marker(model).made_from["data"].marker).about
        days = _horizon_days(window.get("training_window"))
        if days not in (None, self.horizon_days):
            raise DataError(
                f"{model} was trained on labels of {days} days, and horizon_days under [pipeline]"
                f" in luigi.cfg is {self.horizon_days}: that would be another truth. Set it to"
                f" {days} for this command (--pipeline-horizon-days {days}); a new horizon wants a"
                " new `version`."
            )


def has_truth(model: str) -> bool:
    """Whether the predictions of the model whose marker is at the URL can ever be evaluated."""
    try:
        refuse_untruthful(model)
    except DataError:
        return False
    return True


def refuse_untruthful(model: str) -> None:
    """Raise `DataError` when no label belongs to the model, or no query of labels."""
    names = {base_name(each.path) for each in finished.read_marker(model).files}
    if LABELS not in names:
        raise DataError(
            f"Evaluation needs {LABELS}, and {model} was sealed without one: its data were files."
            f" Write the query into the model package's `queries`, and train again."
        )
    if _kind(model) == "none":
        raise DataError(
            f'{model} is of "kind": "none": it has no label, so that there is no truth to compare'
            " its predictions with. Evaluate models that learn from a label."
        )


def _kind(model: str) -> object:
    """What the sealed config says; `sealed_key` tells what is wrong with one that says nothing."""
    try:
        return json.loads(read_sealed(model, "training.json")).get("kind")
    except (ValueError, AttributeError):
        return None


def _horizon_days(window: object) -> int | None:
    if not isinstance(window, dict):
        return None
    try:
        first, last = (window[name] for name in ("labels_from", "labels_until"))
        return (datetime.date.fromisoformat(last) - datetime.date.fromisoformat(first)).days
    except (KeyError, TypeError, ValueError):
        return None
