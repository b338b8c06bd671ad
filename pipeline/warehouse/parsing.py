"""A query's text read as a tree, on every side."""

from functools import cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from pipeline.errors import QueryError
from pipeline.warehouse import refusals


@cache
def parse(query: str) -> exp.Query:
    """The tree of `query`. Raises `QueryError` with line and column.

    A backfill has the same text for many dates: its tree is made once, and nobody may change it.
    """
    try:
        statements = [each for each in sqlglot.parse(query, read="bigquery") if each is not None]
    except ParseError as error:
        first = error.errors[0]
        raise QueryError(
            f"The query has a syntax error in line {first['line']}, column {first['col']}, near"
            f" {first['highlight']!r}: {first['description']}. Correct the query."
        ) from None
    except TokenError:
        raise QueryError("The query has a quote or comment that is not closed.") from None
    statements = [each for each in statements if not isinstance(each, exp.Semicolon)]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise refusals.no_select()
    return statements[0]


def find_origins(tree: exp.Query) -> list[tuple[str, exp.Query]]:
    """Name and tree of the queries that a composed query joins; of others none."""
    sides = [tree.args.get("from_"), *(tree.args.get("joins") or ())]
    queries = [side.this for side in sides if side and isinstance(side.this, exp.Subquery)]
    return [(query.alias, query.this) for query in queries]


def is_cte(table: exp.Table) -> bool:
    """Whether the name is one that a WITH around it gives, before the place where it stands."""
    if table.db:
        return False
    passed = {id(table)}
    node = table.parent
    while node is not None:
        if isinstance(node, exp.Query) and _gives(node, table.name, passed):
            return True
        passed.add(id(node))
        node = node.parent
    return False


def _gives(query: exp.Query, name: str, passed: set[int]) -> bool:
    clause = query.args.get("with_")
    for cte in query.ctes:
        # `WITH a AS (SELECT * FROM a)` reads the table a, unless it is RECURSIVE.
        if id(cte) in passed and not (clause and clause.recursive):
            return False
        if cte.alias.lower() == name.lower():
            return True
    return False
