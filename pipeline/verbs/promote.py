"""`promote`: which version's predictions the view shows."""

from pipeline import opening
from pipeline.delivery import VIEW
from pipeline.layout import table_of


def promote(version: int) -> None:
    """Have the view show the table of `version`. Raises `TableError` when there is none."""
    table = table_of(version)
    opening.open_warehouse().publish(VIEW, table, replace=True)
    print(f"The view {VIEW} shows {table}.")
