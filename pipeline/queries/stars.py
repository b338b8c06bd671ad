"""The columns behind a `*`, as far as a query's own text tells them."""

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from pipeline.warehouse.parsing import parse


def find_columns(text: str) -> tuple[str, ...] | None:
    """What a query returns, a `*` of its own subqueries written out; names in small letters.

    None where a `*` is that of a table, whose columns only the warehouse knows.
    """
    try:
        tree = qualify(parse(text).copy(), dialect="bigquery", validate_qualify_columns=False)
    except SqlglotError:
        return None
    known = isinstance(tree, exp.Query) and not tree.is_star
    return tuple(tree.named_selects) if known else None
