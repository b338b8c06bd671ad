"""When a training has failed for good: which older model may take its place, and who is told.

A training is given up by whoever sees it fail for good, with a record beside its last claim. The
command that fills a date by an older model fails once that is done, so that its exit status and
the notices say it; the next command finds the date done, unless this one was killed before people
knew.
"""

import datetime
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pipeline import claims, finished, storage, untold
from pipeline.dates import days_before
from pipeline.errors import (
    DataError,
    FallbackError,
    JobFailedError,
    ObjectMissingError,
    Problem,
)
from pipeline.inventory import find_newest
from pipeline.layout import Run, given_up, untold_beside
from pipeline.model_package import read_sealed
from pipeline.models import MODEL, training_run
from pipeline.opening import current_layout, current_pipeline
from pipeline.queries import FEATURES
from pipeline.records import GivenUp
from pipeline.targets import RunTarget
from pipeline.times import now

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")

# The newest claim of a training, by folder, when this command first looked at it. The workers that
# Luigi forks know it.
_found: dict[str, int] = {}


def find_model(date: datetime.date) -> Run | None:
    """The finished model that predicts `date`; None when there is none that may.

    That is the one whose query has made its data already, else its own, else the newest allowed.
    """
    own = training_run(date)
    bound = _maker_of_data(date)
    if bound and RunTarget(bound).exists():
        return bound
    return own if RunTarget(own).exists() else _newest_allowed(own, date)


def is_settled(date: datetime.date) -> bool:
    """Whether it is known which model predicts `date`, so that no training is to be tried."""
    own = training_run(date)
    bound = _maker_of_data(date)
    if RunTarget(own).exists() or (bound and RunTarget(bound).exists()):
        return True
    number = claims.read_standing(own).number
    _found.setdefault(own.folder, number)
    return _read_given_up(own, number) is not None and _newest_allowed(own, date) is not None


def is_tried(run: Run) -> bool:
    """Whether a training is done, or was given up since this command first looked at it."""
    return RunTarget(run).exists() or _given_up_since(run) is not None


@contextmanager
def trying() -> Iterator[None]:
    """Let trainings fail for good in the block, and only say so: an older model may do."""
    try:
        yield
    except JobFailedError as error:
        if not all(problem.for_good for problem in error.problems):
            # The next command tries again.
            raise
        logger.warning("%s", error)


@contextmanager
def recording(runs: Iterable[Run]) -> Iterator[None]:
    """Give those of the trainings up that fail for good in the block."""
    try:
        yield
    except JobFailedError as error:
        problems = {problem.date: problem for problem in error.problems}
        for run in runs:
            problem = problems.get(run.date)
            if problem and problem.for_good:
                record = GivenUp(problem.reason, problem.log, now(), problem.detail)
                # Somebody else may have claimed the next attempt by now: that one is not over.
                storage.write_once(given_up(run, problem.claim), record.dump())
        raise


def reason_given_up(run: Run) -> str | None:
    """Why the newest attempt at a training was the last one; None when it was not."""
    record = _newest_record(run)
    return record.reason if record else None


def settle(date: datetime.date) -> None:
    """Say which model predicts `date`, whose own training was tried, unless it is its own.

    Raises `JobFailedError` when there is none that may.
    """
    own, found = training_run(date), find_model(date)
    if found is None:
        record = _newest_record(own)
        reason = record.reason if record else "why is not known"
        raise JobFailedError(f"{own} failed: {reason}\n{_no_model(date)}", _problems(own, record))
    if found != own:
        logger.warning("%s is to be predicted by the model of %s.", date, found.date)


def refuse_mix(date: datetime.date, model: Run) -> None:
    """Raise `DataError` when the data of `date` were made by another query than that of `model`."""
    made_by = _maker_of_data(date)
    if made_by is None or (made_by == model and _has_query_of_data(date, model)):
        return
    other = "an earlier model" if made_by == model else "the model"
    raise DataError(
        f"The data for application of {date} were made by the query of {other} of {made_by.date},"
        f" and the model of {model.date} is to predict them. Have them made again:"
        f" python -m pipeline forget ExtractData {date}"
    )


def note(load: Run) -> None:
    """Leave it to whoever comes next to tell of a date, should this command be killed before."""
    if _older_model(load.date):
        untold.note(load)


def tell(load: Run) -> None:
    """Raise `FallbackError` when the predictions of a date are by an older model than its own."""
    date, own = load.date, training_run(load.date)
    used = _older_model(date)
    if used is None:
        if current_pipeline().fallback_days:
            untold.take_back([untold_beside(load)])
        return
    reason = reason_given_up(own)
    raise FallbackError(
        f"{date} is loaded, but its predictions are by the model of {used.date}, as the {own}"
        f" failed. When that is mended, type: luigi --module pipeline TrainModel --date {own.date}"
        f"{f'. Why it failed: {reason}' if reason else ''}",
        own.date,
        untold_beside(load),
    )


def _older_model(date: datetime.date) -> Run | None:
    """The model that has predicted `date` in place of its own, which is not there by now."""
    own = training_run(date)
    used = _model_of(current_layout().run("application", date))
    is_older = used is not None and used.date < own.date and not RunTarget(own).exists()
    return used if is_older else None


def _newest_record(run: Run) -> GivenUp | None:
    """That the newest attempt at a training was given up; None when it was not."""
    return _read_given_up(run, claims.read_standing(run).number)


def _read_given_up(run: Run, number: int) -> GivenUp | None:
    url = given_up(run, number)
    try:
        return GivenUp.parse(storage.open(url).read(url), url)
    except ObjectMissingError:
        return None


def _given_up_since(run: Run) -> GivenUp | None:
    """What is said of a training that was given up since this command first looked at it."""
    number = claims.read_standing(run).number
    return _read_given_up(run, number) if number > _found.get(run.folder, number) else None


def _problems(run: Run, record: GivenUp | None) -> list[Problem]:
    if record is None:
        return []
    return [Problem(run.date, record.reason, record.detail, record.log, for_good=True)]


def _maker_of_data(date: datetime.date) -> Run | None:
    """The model whose query has made the data of `date`: the one that fits them."""
    data = current_layout().run("data/application", date)
    return _model_of(data) if RunTarget(data).exists() else None


def _has_query_of_data(date: datetime.date, model: Run) -> bool:
    """Whether the data of `date` were made by the query that is sealed with `model`.

    It may have been trained again since, with another one.
    """
    data = current_layout().run("data/application", date).marker
    if finished.read_marker(data).made_from[MODEL] == finished.seal(model):
        return True
    return read_sealed(data, FEATURES) == read_sealed(model.marker, FEATURES)


def _model_of(run: Run) -> Run | None:
    """The model that a finished run was made from."""
    source = finished.read_marker(run.marker).made_from.get(MODEL)
    return current_layout().run_at(source.marker) if source else None


def _newest_allowed(own: Run, date: datetime.date) -> Run | None:
    first = days_before(date, current_pipeline().fallback_days)
    return find_newest(current_layout(), first, own.date)


def _no_model(date: datetime.date) -> str:
    newest = find_newest(current_layout(), datetime.date.min, training_run(date).date)
    found = f"the newest before it is of {newest.date}" if newest else "there is none before it"
    days = current_pipeline().fallback_days
    return f"No other model may predict {date}: fallback_days is {days}, and {found}."
