"""A range of dates in one command: what is missing of it, and no more."""

import datetime
from collections.abc import Sequence
from typing import Any

import luigi

from pipeline import detaching, settings, targets
from pipeline.dates import (
    Dates,
    OptionalDayParameter,
    TodayParameter,
    choose_days,
    refuse_future,
    refuse_untold,
)
from pipeline.evaluation import EvaluatePredictions
from pipeline.opening import (
    current_evaluations_family,
    current_layout,
    current_load_family,
    current_pipeline,
)
from pipeline.tasks import LoadToBigQuery, RunTask

_OF = ("LoadToBigQuery", "EvaluatePredictions")
_CHAIN = ("training", "application", "data/training", "data/application")


class Backfill(luigi.Task):
    """The task `of` for every date in [`start`, `stop`), or for the `last` = N ones.

    The last ones are today (UTC) and the N - 1 days before it; of EvaluatePredictions those of the
    last N days whose horizon is over that were predicted, by a model that has labels. Dates that
    are done already cost one listing, however many they are.
    """

    of = luigi.ChoiceParameter(choices=_OF, default=_OF[0])
    start = OptionalDayParameter(description="the first date")
    stop = OptionalDayParameter(description="the date after the last one")
    last = luigi.OptionalIntParameter(default=None, description="how many days up to today")
    today = TodayParameter()
    fallback = luigi.BoolParameter(
        description="let fallback_days hold; else each date waits for the model of its own"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        settings.check()
        refuse_future(self.dates)
        if self._evaluates:
            refuse_untold(self.dates, self._horizon_days)
        detaching.install()

    @property
    def dates(self) -> Dates:
        """The dates to fill. Raises `DateError` when there are none, or it is unclear which."""
        days = self._horizon_days
        return choose_days(self.start, self.stop, self.last, horizon_days=days, up_to=self.today)

    def complete(self) -> bool:
        # One listing for all dates. Only when some are missing, the other families' follow.
        self._survey([self._family])
        missing = bool(self._missing(self.dates))
        if missing:
            self._survey(self._families())
            # What nobody predicted is not missing either.
            missing = bool(self.requires())
        return not missing

    def requires(self) -> Sequence[luigi.Task]:
        missing = self._missing(self.dates)
        if self._evaluates and self.last is not None:
            # By a schedule: it must not predict today what nobody asked for at its time.
            return [task for task in missing if _can_be_evaluated(task)]
        return missing

    def run(self) -> None:
        """Nothing to do but to have required."""

    @property
    def _evaluates(self) -> bool:
        return bool(self.of == "EvaluatePredictions")

    @property
    def _horizon_days(self) -> int:
        return current_pipeline().horizon_days if self._evaluates else 0

    @property
    def _family(self) -> str:
        return current_evaluations_family() if self._evaluates else current_load_family()

    def _families(self) -> Sequence[str]:
        """Those that the task `of` stands on."""
        return (*_CHAIN, "data/evaluation", "evaluation") if self._evaluates else _CHAIN

    def _survey(self, families: Sequence[str]) -> None:
        targets.survey(map(current_layout().family, families))

    def _missing(self, dates: Dates) -> list[RunTask]:
        tasks = map(self._task, dates)
        return [task for task in tasks if not all(run.exists() for run in task.output())]

    def _task(self, date: datetime.date) -> RunTask:
        if self._evaluates:
            return EvaluatePredictions(date)
        return LoadToBigQuery(date, strict=not self.fallback)


def _can_be_evaluated(task: RunTask) -> bool:
    """Whether the predictions for the dates of a task are there, of a model that has labels."""
    from pipeline import finished
    from pipeline.truth import has_truth

    runs = [current_layout().run("application", date) for date in task.dates]
    return all(
        targets.RunTarget(run).exists()
        and has_truth(finished.read_marker(run.marker).made_from["model"].marker)
        for run in runs
    )
