"""Whether the sources are complete up to a date, as the user's ready.sql tells."""

import datetime
import logging
from functools import cache

from pipeline import opening, queries, settings, waits
from pipeline.errors import QueryError
from pipeline.model_package import read_ready

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")

_ready: set[datetime.date] = set()


def is_ready(date: datetime.date) -> bool:
    """What ready.sql says of `date`. A yes is not asked again in this process.

    Raises `QueryError` when the query does not return one truth value.
    """
    if date not in _ready and _ask(date):
        _ready.add(date)
        waits.take_back(opening.current_layout(), date)
    if date not in _ready:
        _tell(date)
    return date in _ready


def explain(date: datetime.date, ready_by: str, now: datetime.datetime) -> str:
    """Why `date` waits, for people; empty before `ready_by` ("06:00", UTC) of the date."""
    limit = datetime.datetime.combine(date, datetime.time.fromisoformat(ready_by), datetime.UTC)
    if now < limit:
        return ""
    return f"{_not_ready(date)}, and it is past {ready_by} (UTC): find out why they are late"


def _ask(date: datetime.date) -> bool:
    text = read_ready(settings.pipeline().prediction)
    if text is None:
        return True
    query = queries.compose_ready(text, date)
    answer = opening.open_warehouse().ask(query.text, query.parameters)
    if not isinstance(answer, bool):
        raise QueryError(
            f"{queries.READY} returns {answer!r} for {date}. It must return TRUE or FALSE: whether"
            " all that the other queries read has come."
        )
    return answer


@cache
def _tell(date: datetime.date) -> None:
    """Once in a process: Luigi asks again and again."""
    waits.note(opening.current_layout(), date)
    logger.warning("%s. The date waits; type the command again later.", _not_ready(date))


def _not_ready(date: datetime.date) -> str:
    return f"the data before {date} are not complete, says {queries.READY}"
