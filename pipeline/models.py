"""Which model a date is to be predicted by: the one in force by the schedule, or a pinned one."""

import datetime

from pipeline.dates import days_before, parse_day, training_date
from pipeline.errors import DateError
from pipeline.layout import Run
from pipeline.opening import current_layout, current_pipeline, current_schedule

MODEL = "model"


def model_date(date: datetime.date) -> datetime.date:
    """When the model that is to predict `date` is trained.

    Raises `DateError` when the pinned one is later than the date.
    """
    pinned = _pinned()
    if pinned and pinned > date:
        raise DateError(
            f"model_date = {pinned} under [pipeline] is after {date}, and no date is predicted by"
            " a model that was trained after it. Choose a later date, or take the setting out for"
            " this command: --pipeline-model-date ''"
        )
    return model_date_in_force(date)


def model_date_in_force(date: datetime.date) -> datetime.date:
    """The same for a date that is only looked at: a model that is pinned later does not count."""
    pinned = _pinned()
    return pinned if pinned and pinned <= date else training_date(current_schedule(), date)


def oldest_needed(date: datetime.date) -> datetime.date:
    """No model that was trained before this day can be asked for by `date` or a later one."""
    first = days_before(date, current_pipeline().fallback_days)
    return min(training_date(current_schedule(), first), _pinned() or date)


def training_run(date: datetime.date) -> Run:
    """The training that `date` waits for."""
    return current_layout().run("training", model_date(date))


def _pinned() -> datetime.date | None:
    text = current_pipeline().model_date
    return parse_day(text) if text else None
