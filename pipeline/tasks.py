"""The chain: what must exist for a date, and in which order.

    ExtractData("training", T) -> TrainModel(T) -> ExtractData("application", D)
        -> ApplyModel(D) -> LoadToBigQuery(D)

A task is complete when each of its runs has a marker. Where runs lie is for `layout` to say, how
jobs are watched for `jobs`, how data are made for `extraction`. What follows when the truth has
come is in `evaluation`, ranges of dates are in `backfill`.
"""

import datetime
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import luigi
from luigi.configuration import get_config

from pipeline import detaching, notices, opening, settings, untold
from pipeline.dates import (
    Dates,
    DayParameter,
    DaysParameter,
    TodayParameter,
    days_after,
    refuse_future,
    refuse_untold,
    training_date,
)
from pipeline.errors import FallbackError, PipelineError
from pipeline.layout import Run, marker_date
from pipeline.models import MODEL, model_date, training_run
from pipeline.opening import (
    current_action,
    current_layout,
    current_load_family,
    current_pipeline,
    current_schedule,
)
from pipeline.targets import RunTarget
from pipeline.times import now
from pipeline.untold import ToldTarget

if TYPE_CHECKING:
    from pipeline.compute import Compute
    from pipeline.records import Source

ACTIONS = ("training", "application", "evaluation")
# Where the model package may have a query that tells whether data are complete.
READY = "queries/ready.sql"


class StrictParameter(luigi.BoolParameter):
    """Whether a date is predicted by no model but its own, whatever `fallback_days` says."""

    def __init__(self) -> None:
        super().__init__(
            significant=False, description="no model but the one in force, despite fallback_days"
        )


class RunTask(luigi.Task):
    """A task whose results are runs of one family, one run for each of its dates.

    Making one checks the settings and refuses a date after today, before anything is scheduled.
    """

    # The source whose image its runs must be carried out in: none, unless a task says otherwise.
    image_from: ClassVar[str | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        settings.check()
        self.check_dates()
        detaching.install()

    @property
    @abstractmethod
    def dates(self) -> Dates: ...

    def check_dates(self) -> None:
        """Raise `DateError` for a date that can't be asked for yet."""
        refuse_future(self.dates)

    @property
    @abstractmethod
    def runs_family(self) -> str:
        """What the layout calls this task's runs."""

    @abstractmethod
    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        """The tasks that the run of `date` is made from, by what they are to it."""

    def compared_with(self, date: datetime.date) -> Mapping[str, Run]:
        """Finished runs that the run of `date` is compared with, if there are any by then."""
        return {}

    @abstractmethod
    def open_compute(self) -> "Compute":
        """Where this task's jobs are carried out."""

    def requires(self) -> list[luigi.Task]:
        return [task for date in self.dates for task in self.sources(date).values()]

    def output(self) -> list[RunTarget]:
        return [RunTarget(current_layout().run(self.runs_family, date)) for date in self.dates]

    def complete(self) -> bool:
        done: bool = super().complete()  # type: ignore[no-untyped-call]
        if not done:
            # Here, and not in each of the workers that Luigi forks.
            from pipeline import running

            running.preload(self)
        return done

    def run(self) -> None:
        from pipeline import running

        running.run(self)

    def on_failure(self, exception: BaseException) -> str:
        """What luigid's page shows: the reason alone where we know it."""
        if isinstance(exception, PipelineError):
            return str(exception)
        return str(super().on_failure(exception))  # type: ignore[no-untyped-call]

    def constants(
        self, date: datetime.date, inputs: Mapping[str, "Source"], job: str
    ) -> Mapping[str, object]:
        """What becomes columns of the results: nothing, unless a task says otherwise."""
        return {}

    def conclude(self) -> None:
        """What is left to do once all runs are done: nothing, unless a task says otherwise."""


class ExtractData(RunTask):
    """The data of `action` ("training", "application" or "evaluation") for `date`, as files.

    Made by the user's queries, or, where `data` is set under [training] or [application] in
    luigi.cfg, a list of files that are there already. Application uses the query that was sealed
    with the model in force, evaluation that of the model which has predicted.
    """

    action = luigi.ChoiceParameter(choices=ACTIONS)
    date = DayParameter()
    strict = StrictParameter()

    @property
    def priority(self) -> int:  # type: ignore[override]  # luigi asks the task, too
        # Before what it is for, so that as many dates as can be share a job. Luigi lends it to what
        # a task stands on: here to ApplyModel, whose batches it would break up.
        return {"training": 50, "application": 30, "evaluation": 8}[self.action]

    @property
    def dates(self) -> Dates:
        return (self.date,)

    @property
    def runs_family(self) -> str:
        return f"data/{self.action}"

    def check_dates(self) -> None:
        super().check_dates()
        if self.action == "evaluation":
            refuse_untold(self.dates, current_pipeline().horizon_days)

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        if self.action == "evaluation":
            # Who evaluates takes what is there: only who loads falls back, and tells of it.
            return {"predictions": ApplyModel((date,), strict=True)}
        if self.action == "training" or current_action(self.action).data:
            return {}
        return {MODEL: model_for(date, strict=self.strict)}

    def requires(self) -> list[luigi.Task]:
        sources = super().requires()
        if self._may_be_late:
            sources.append(SourcesReady(self._end))  # type: ignore[no-untyped-call]
        return sources

    def open_compute(self) -> "Compute":
        return opening.open_extraction(self.action)

    @property
    def _end(self) -> datetime.date:
        """The data are about what happened before this day."""
        is_evaluated = self.action == "evaluation"
        return days_after(self.date, current_pipeline().horizon_days if is_evaluated else 0)

    @property
    def _may_be_late(self) -> bool:
        """Whether somebody has to ask if the sources are complete. Not for files of one's own."""
        package: Path = current_pipeline().prediction
        # The truth is asked for by a query, whatever the predictions were made of.
        by_query = self.action == "evaluation" or not current_action(self.action).data
        return by_query and (package / READY).exists()


class SourcesReady(luigi.ExternalTask):
    """That what the queries read is complete up to `date`, as the package's ready.sql says.

    The pipeline can only wait for that: Luigi calls it missing data.
    """

    date = DayParameter()

    def complete(self) -> bool:
        from pipeline import readiness

        return readiness.is_ready(self.date)

    @property
    def dates(self) -> Dates:
        return (self.date,)

    def why_missing(self) -> str:
        """What people are told of it; empty as long as it is too early to tell."""
        from pipeline import readiness

        ready_by = current_pipeline().ready_by
        return readiness.explain(self.date, ready_by, datetime.datetime.now(datetime.UTC))


class JobTask(RunTask):
    """An action of the model package, for one date or several in one job.

    Luigi joins tasks that are ready into one, up to `max_dates_per_job`.
    """

    action: ClassVar[str]
    date = DaysParameter()

    @property
    def dates(self) -> Dates:
        dates: Dates = self.date
        return dates

    @property
    def max_batch_size(self) -> int:  # type: ignore[override]  # a setting in our case
        return current_action(self.action).max_dates_per_job

    def process_resources(self) -> dict[str, int]:
        """One machine, however many dates, where `machines` under [resources] bounds them.

        Nothing else: luigi takes 1 for the bound of a resource that is not mentioned, and luigid
        does not know our defaults.
        """
        bounded = get_config().has_option("resources", "machines")
        return {"machines": 1} if bounded else {}

    @property
    def runs_family(self) -> str:
        return self.action

    def open_compute(self) -> "Compute":
        return opening.open_compute()


class TrainModel(JobTask):
    """Fit the model on the data of `date`, and seal it with its queries, configs and image."""

    action = "training"
    priority = 40

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {"data": ExtractData("training", date)}

    def compared_with(self, date: datetime.date) -> Mapping[str, Run]:
        from pipeline import inventory
        from pipeline.records import PREVIOUS

        newest = inventory.find_newest(current_layout(), datetime.date.min, before=date)
        return {PREVIOUS: newest} if newest else {}

    def run(self) -> None:
        from pipeline import fallback

        with fallback.recording(target.run for target in self.output()):
            super().run()

    def conclude(self) -> None:
        from pipeline import running

        first = min(self.dates)
        constants = _constants(first, first, job="")
        runs = [target.run for target in self.output()]
        running.check_promises(runs, constants)
        running.tell_warnings(runs)


class TryTraining(TrainModel):
    """The same where an older model may do: done as well when it is given up in this command.

    A task of its own, since Luigi holds back all that stands on one that failed.
    """

    told_as = TrainModel.__name__

    def complete(self) -> bool:
        from pipeline import fallback

        return all(fallback.is_tried(each.run) for each in self.output()) or super().complete()

    def run(self) -> None:
        from pipeline import fallback

        with fallback.trying():
            super().run()


class ModelInForce(RunTask):
    """A model that may predict `date`: its own, or an older one when its training is given up."""

    runs_family = TrainModel.action
    told_as = TrainModel.__name__
    date = DayParameter()
    priority = 40

    @property
    def training(self) -> TryTraining:
        return TryTraining((model_date(self.date),))

    @property
    def dates(self) -> Dates:
        return self.training.dates

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {"training": self.training}

    def open_compute(self) -> "Compute":
        return self.training.open_compute()

    def complete(self) -> bool:
        from pipeline import fallback

        return fallback.is_settled(self.date)

    def requires(self) -> list[luigi.Task]:
        return [] if self.complete() else super().requires()

    def output(self) -> list[RunTarget]:
        from pipeline import fallback

        return [RunTarget(fallback.find_model(self.date) or training_run(self.date))]

    def run(self) -> None:
        from pipeline import fallback

        fallback.settle(self.date)


class Retrain(luigi.WrapperTask):
    """The model that is in force today (UTC): for a schedule, which knows no dates."""

    today = TodayParameter()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        settings.check()
        detaching.install()

    def requires(self) -> luigi.Task:
        return TrainModel((training_date(current_schedule(), self.today),))


class ApplyModel(JobTask):
    """Predict for `date` with the model that was in force then."""

    action = "application"
    strict = StrictParameter()
    image_from = MODEL
    priority = 10

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {
            "data": ExtractData("application", date, strict=self.strict),
            MODEL: model_for(date, strict=self.strict),
        }

    def run(self) -> None:
        from pipeline import fallback

        for date in self.dates:
            [target] = model_for(date, strict=self.strict).output()
            fallback.refuse_mix(date, target.run)
        super().run()

    def constants(
        self, date: datetime.date, inputs: Mapping[str, "Source"], job: str
    ) -> Mapping[str, object]:
        # Of the model that is taken: by now the date's own may be there as well.
        return _constants(date, marker_date(inputs[MODEL].marker), job)

    def conclude(self) -> None:
        from pipeline import running

        running.tell_warnings([target.run for target in self.output()])


class LoadToBigQuery(RunTask):
    """Replace the partition `date` of this version's table by the predictions for `date`."""

    date = DayParameter()
    strict = StrictParameter()

    @property
    def dates(self) -> Dates:
        return (self.date,)

    @property
    def runs_family(self) -> str:
        return current_load_family()

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {"predictions": ApplyModel((date,), strict=self.strict)}

    def output(self) -> list[RunTarget]:
        done = super().output()
        falls_back = current_pipeline().fallback_days
        return [ToldTarget(target.run) for target in done] if falls_back else done

    def run(self) -> None:
        from pipeline import fallback

        for target in self.output():
            fallback.note(target.run)
        super().run()

    def conclude(self) -> None:
        from pipeline import fallback

        for target in self.output():
            fallback.tell(target.run)

    def on_failure(self, exception: BaseException) -> str:
        if isinstance(exception, FallbackError) and not notices.wanted():
            # Nobody else wants to know than who has read it just now.
            untold.take_back([exception.untold])
        return super().on_failure(exception)

    def open_compute(self) -> "Compute":
        return opening.open_delivery()


def model_for(date: datetime.date, *, strict: bool) -> TrainModel | ModelInForce:
    """What `date` waits for before it is predicted. `strict`: nothing but its own model will do."""
    if strict or not current_pipeline().fallback_days:
        return TrainModel((model_date(date),))
    return ModelInForce(date)


def _constants(
    date: datetime.date, trained: datetime.date | None, job: str
) -> Mapping[str, object]:
    """The columns of every row that is predicted for `date`."""
    return {
        "date": {"type": "date", "value": str(date)},
        "model_date": {"type": "date", "value": str(trained)},
        "run_id": job,
        "scored_at": {"type": "timestamp", "value": now()},
    }
