"""`promote`: which version's predictions the views show, and whose drift and evaluations."""

from pipeline import opening, views
from pipeline.errors import TableError, TableMissingError
from pipeline.layout import drift_table_of, evaluations_table_of, table_of
from pipeline.times import today


def promote(version: int) -> None:
    """Have the views show the tables of `version`. Raises `TableError` without predictions.

    A version may have none of the other tables yet: then the view stays, and where there is one,
    that is said. So is that somebody's table has its name.
    """
    _show(views.PREDICTIONS, table_of(version))
    others = {
        views.DRIFT: drift_table_of(version),
        views.EVALUATIONS: evaluations_table_of(version),
    }
    for view, table in others.items():
        try:
            _show(view, table)
        except TableMissingError:
            if _is_there(view):
                print(f"There is no {table} yet, so that the view {view} stays as it is.")
        except TableError as error:
            print(f"No view shows {table}: {error}")


def _is_there(view: str) -> bool:
    try:
        opening.open_warehouse().read(view, today(), rows=0)
    except TableMissingError:
        return False
    return True


def _show(view: str, table: str) -> None:
    opening.open_warehouse().publish(view, table, replace=True)
    print(f"The view {view} shows {table}.")
