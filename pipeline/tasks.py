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
from typing import TYPE_CHECKING, Any, ClassVar

import luigi
from luigi.configuration import get_config

from pipeline import detaching, opening, settings
from pipeline.dates import (
    Dates,
    DayParameter,
    DaysParameter,
    refuse_future,
    refuse_untold,
    training_date,
)
from pipeline.errors import PipelineError
from pipeline.opening import current_layout, current_load_family, current_schedule
from pipeline.targets import RunTarget
from pipeline.times import now, today

if TYPE_CHECKING:
    from pipeline.compute import Compute

ACTIONS = ("training", "application", "evaluation")


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

    def constants(self, date: datetime.date, job: str) -> Mapping[str, object]:
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
    priority = 30

    @property
    def dates(self) -> Dates:
        return (self.date,)

    @property
    def runs_family(self) -> str:
        return f"data/{self.action}"

    def check_dates(self) -> None:
        super().check_dates()
        if self.action == "evaluation":
            refuse_untold(self.dates, settings.pipeline().horizon_days)

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        if self.action == "evaluation":
            return {"predictions": ApplyModel((date,))}
        if self.action == "training" or settings.action(self.action).data:
            return {}
        return {"model": TrainModel((model_date(date),))}

    def open_compute(self) -> "Compute":
        return opening.open_extraction(self.action)


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
        return settings.action(self.action).max_dates_per_job

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

    def conclude(self) -> None:
        from pipeline import running

        application = ApplyModel(self.dates)
        constants = application.constants(min(self.dates), job="")
        running.check_promises([target.run for target in self.output()], constants)


class Retrain(luigi.WrapperTask):
    """The model that is in force today (UTC): for a schedule, which knows no dates."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        settings.check()
        detaching.install()

    def requires(self) -> luigi.Task:
        return TrainModel((model_date(today()),))


class ApplyModel(JobTask):
    """Predict for `date` with the model that was in force then."""

    action = "application"
    image_from = "model"
    priority = 10

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {
            "data": ExtractData("application", date),
            "model": TrainModel((model_date(date),)),
        }

    def constants(self, date: datetime.date, job: str) -> Mapping[str, object]:
        return {
            "date": {"type": "date", "value": str(date)},
            "model_date": {"type": "date", "value": str(model_date(date))},
            "run_id": job,
            "scored_at": {"type": "timestamp", "value": now()},
        }


class LoadToBigQuery(RunTask):
    """Replace the partition `date` of this version's table by the predictions for `date`."""

    date = DayParameter()

    @property
    def dates(self) -> Dates:
        return (self.date,)

    @property
    def runs_family(self) -> str:
        return current_load_family()

    def sources(self, date: datetime.date) -> Mapping[str, luigi.Task]:
        return {"predictions": ApplyModel((date,))}

    def open_compute(self) -> "Compute":
        return opening.open_delivery()


def model_date(date: datetime.date) -> datetime.date:
    """When the model that is in force on `date` was trained."""
    return training_date(current_schedule(), date)
