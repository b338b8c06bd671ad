"""The chain once more, when the truth has come: how good the predictions for a date were.

    ApplyModel(D) -> ExtractData("evaluation", D) -> MeasurePredictions(D)
        -> EvaluatePredictions(D)

It is complete on D + `horizon_days`. Before that a task is refused when it is made.
"""

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING

import luigi

from pipeline import opening
from pipeline.dates import Dates, DayParameter, refuse_untold
from pipeline.layout import marker_date
from pipeline.opening import current_evaluations_family, current_pipeline
from pipeline.tasks import ApplyModel, ExtractData, JobTask, RunTask
from pipeline.times import now

if TYPE_CHECKING:
    from pipeline.compute import Compute
    from pipeline.records import Source


class MeasurePredictions(JobTask):
    """Compare the predictions for `date` with what has happened since.

    In today's image, whatever that of the model is: its predictions are read, it is not loaded.
    """

    action = "evaluation"
    priority = 5

    def check_dates(self) -> None:
        super().check_dates()
        refuse_untold(self.dates, current_pipeline().horizon_days)

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {
            "data": ExtractData("evaluation", date),
            "predictions": ApplyModel((date,), strict=True),
        }

    def constants(
        self, date: datetime.date, inputs: Mapping[str, "Source"], job: str
    ) -> Mapping[str, object]:
        from pipeline import finished

        predictions = finished.read_marker(inputs["predictions"].marker)
        model = marker_date(predictions.made_from["model"].marker)
        return {
            "date": {"type": "date", "value": str(date)},
            "model_date": {"type": "date", "value": str(model)},
            "run_id": predictions.job,
            "evaluated_at": {"type": "timestamp", "value": now()},
        }


class EvaluatePredictions(RunTask):
    """Replace the partition `date` of the table of evaluations, and draw what is known so far."""

    date = DayParameter()

    @property
    def dates(self) -> Dates:
        return (self.date,)

    @property
    def runs_family(self) -> str:
        return current_evaluations_family()

    def check_dates(self) -> None:
        super().check_dates()
        refuse_untold(self.dates, current_pipeline().horizon_days)

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {"evaluation": MeasurePredictions((date,))}

    def open_compute(self) -> "Compute":
        return opening.open_evaluation_delivery()
