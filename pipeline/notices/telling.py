"""The end of a command: what failed and what has recovered, told once to whoever wants to know.

Nothing here fails the command or changes its exit status; that nobody could be told is a warning.
"""

import datetime
import logging
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline import notices, opening, settings, targets, untold
from pipeline.errors import NoticeError, PipelineError
from pipeline.notices import notes
from pipeline.notices.causes import group
from pipeline.notices.message import Message, compose
from pipeline.notices.notes import Failure
from pipeline.notices.told import Told, by_task
from pipeline.targets import RunTarget
from pipeline.times import today

logger = logging.getLogger("luigi-interface.pipeline")


def tell_of_command(folder: Path) -> None:
    """Tell of the failures that were noted in `folder`, and of what has recovered since."""
    try:
        failures = notes.take(folder)
        notes.sweep(folder)
    except (OSError, ValueError) as error:
        logger.warning("What failed can't be told: %s", error)
        return
    if wanted := notices.wanted():
        _tell(wanted, failures)


def _tell(wanted: settings.notices, failures: Sequence[Failure]) -> None:
    told = Told(opening.current_layout())
    sent = False
    try:
        message = _claim_message(wanted, failures, told)
        sent = message is None or _send(wanted, message)
    finally:
        # An interrupt, too, leaves it to the next command.
        if sent:
            untold.take_back(url for failure in failures for url in failure.untold)
        else:
            _take_back(told)


def _claim_message(
    wanted: settings.notices, failures: Sequence[Failure], told: Told
) -> Message | None:
    """What it is for this command to tell; None when that is nothing."""
    recovered: list[tuple[str, datetime.date]] = []
    # What was done in workers is known to them alone.
    targets.forget_survey()
    try:
        told.read()
        failures = [_without_done(each) for each in failures]
        fresh = [told.claim_failure(each, today()) for each in failures]
        failures = [each for each in fresh if each]
        recovered = list(_claim_recovered(told))
    except PipelineError as error:
        # Storage may be what failed: rather told twice than never.
        logger.warning("What was told before is not known: %s", error)
    if not failures and not recovered:
        return None
    model = f"{told.layout.name} v{told.layout.version}"
    groups, done = group(failures), by_task(recovered)
    return compose(model, platform.node(), groups, done, wanted.traceback_lines)


def _without_done(failure: Failure) -> Failure:
    """The failure for the dates that it left undone; for all, when it came after them."""
    if not failure.family:
        return failure
    undone = [date for date in failure.dates if not _is_done(failure.family, date)]
    return replace(failure, dates=undone or failure.dates)


def _claim_recovered(told: Told) -> Iterator[tuple[str, datetime.date]]:
    for (family, date), open_notices in told.open_failures().items():
        if _is_done(family, date) and told.claim_recovery(open_notices):
            yield family, date


def _is_done(family: str, date: datetime.date) -> bool:
    return RunTarget(opening.current_layout().run(family, date)).exists()


def _send(wanted: settings.notices, message: Message) -> bool:
    """Whether anybody could be told."""
    sent = [_try(send, message) for send in _channels(wanted)]
    return True in sent


def _channels(wanted: settings.notices) -> Iterable[Callable[[Message], None]]:
    # Most commands have nothing to tell, and need no library that sends.
    if wanted.webhook:
        from pipeline.notices import webhook

        yield lambda message: webhook.post(wanted.webhook, message)
    if wanted.email_to:
        from pipeline.notices import mail

        yield lambda message: mail.send(wanted, message)


def _try(send: Callable[[Message], None], message: Message) -> bool:
    try:
        send(message)
    except NoticeError as error:
        logger.warning("%s", error)
        return False
    return True


def _take_back(told: Told) -> None:
    try:
        told.take_back()
    except PipelineError as error:
        logger.warning("Nobody was told, and the next command will not try again: %s", error)
