"""`promote`: which version's predictions the view shows, and which one's evaluations."""

from pipeline import opening
from pipeline.delivery import VIEW
from pipeline.errors import TableError
from pipeline.evaluation_delivery import VIEW as EVALUATIONS
from pipeline.layout import evaluations_table_of, table_of
from pipeline.times import today


def promote(version: int) -> None:
    """Have the views show the tables of `version`. Raises `TableError` without predictions."""
    table = table_of(version)
    opening.open_warehouse().publish(VIEW, table, replace=True)
    print(f"The view {VIEW} shows {table}.")
    _promote_evaluations(version)


def _promote_evaluations(version: int) -> None:
    """No-op where nothing was ever evaluated."""
    table = evaluations_table_of(version)
    if _is_there(table):
        opening.open_warehouse().publish(EVALUATIONS, table, replace=True)
        print(f"The view {EVALUATIONS} shows {table}.")
    elif _is_there(EVALUATIONS):
        print(
            f"The view {EVALUATIONS} is left as it is: no date of version {version} is evaluated"
            " yet. Type this again when one is."
        )


def _is_there(table: str) -> bool:
    """Whether the warehouse has a table, or a view."""
    try:
        opening.open_warehouse().read(table, today(), rows=0)
    except TableError:
        return False
    return True
