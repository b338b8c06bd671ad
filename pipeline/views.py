"""The views by which people know the tables, whichever version's they show."""

import logging
from functools import cache

from pipeline.errors import TableError
from pipeline.warehouse import Warehouse

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")

PREDICTIONS, DRIFT, EVALUATIONS = "predictions", "drift", "evaluations"


@cache
def require_once(warehouse: Warehouse, view: str) -> None:
    """Raise `TableError`, before anything is loaded, when somebody's table is called as `view`."""
    warehouse.check_view(view)


@cache
def publish_once(warehouse: Warehouse, view: str, table: str) -> None:
    """Once in a process: the view that is there then stays. Raises `TableError`."""
    warehouse.publish(view, table)


@cache
def offer_once(warehouse: Warehouse, view: str, table: str) -> None:
    """The same where rows do without: that somebody's table has the name is a warning, once."""
    try:
        warehouse.publish(view, table)
    except TableError as error:
        logger.warning("%s is loaded, and no view shows it: %s", table, error)
