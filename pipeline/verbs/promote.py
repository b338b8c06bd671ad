"""`promote`: which version's predictions, and whose drift, the views show."""

from contextlib import suppress

from pipeline import opening
from pipeline.delivery import DRIFT_VIEW, VIEW
from pipeline.errors import TableMissingError
from pipeline.layout import drift_table_of, table_of


def promote(version: int) -> None:
    """Have the views show the tables of `version`. Raises `TableError` when there is none.

    A version may have no table of drift: then the view of drift stays.
    """
    _show(VIEW, table_of(version))
    with suppress(TableMissingError):
        _show(DRIFT_VIEW, drift_table_of(version))


def _show(view: str, table: str) -> None:
    opening.open_warehouse().publish(view, table, replace=True)
    print(f"The view {view} shows {table}.")
