"""Queries that can't see the future, whatever their author wrote: to compare the author's with.

Each table that a query reads is cut at a parameter, by the column that says when a row came about.
"""

from collections.abc import Iterator, Mapping

from sqlglot import exp

from pipeline.errors import QueryError
from pipeline.warehouse.parsing import is_cte, parse

# What differs from one run to the next, or between today and then.
_MOODS = {
    "CURRENT_DATE": exp.CurrentDate,
    "CURRENT_DATETIME": exp.CurrentDatetime,
    "CURRENT_TIME": exp.CurrentTime,
    "CURRENT_TIMESTAMP": exp.CurrentTimestamp,
    "GENERATE_UUID": exp.Uuid,
    "RAND": exp.Rand,
    "SESSION_USER": exp.SessionUser,
}


def find_sources(text: str) -> list[str]:
    """The tables that a query reads, in small letters, each once."""
    return list(dict.fromkeys(name_of(table) for table in _tables(parse(text))))


def refuse_moods(name: str, text: str) -> None:
    """Raise `QueryError` for a function whose value is another on another day, or each time."""
    tree = parse(text)
    for word, kind in _MOODS.items():
        if tree.find(kind):
            raise QueryError(
                f"{name} uses {word}, whose value is another when the same date is asked for again."
                " Use @date, or a column."
            )


def cut(text: str, columns: Mapping[str, str], parameter: str) -> str:
    """The query with each table of `columns` (name -> column) cut before `@parameter`."""
    tree = parse(text).copy()
    for table in list(_tables(tree)):
        column = columns.get(name_of(table))
        if column:
            table.replace(_cut(table, column, parameter))
    return tree.sql("bigquery", comments=False)


def count_later(table: str, column: str, parameter: str) -> str:
    """A query for the days from `@parameter` on of which a table has rows; and one row in any case.

    Its key is `k`.
    """
    source = ".".join(f"`{part}`" for part in table.split("."))
    days = f"SELECT DATE({column}) AS k FROM {source}"  # noqa: S608 - run with the user's rights
    later = f"{days} WHERE DATE({column}) >= @{parameter}"
    return f"SELECT k FROM ({later} UNION DISTINCT SELECT DATE '0001-01-01') AS days"  # noqa: S608


def name_of(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts).lower()


def _tables(tree: exp.Query) -> Iterator[exp.Table]:
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not is_cte(table):
            yield table


def _cut(table: exp.Table, column: str, parameter: str) -> exp.Subquery:
    alias = table.alias or table.parts[-1].name
    source = exp.Table(this=table.this, db=table.args.get("db"), catalog=table.args.get("catalog"))
    # Compared as days: the column may be a day or a moment.
    moment = exp.func("DATE", exp.column(column), dialect="bigquery")
    before = exp.LT(this=moment, expression=exp.Parameter(this=exp.var(parameter)))
    return exp.select("*").from_(source).where(before).subquery(alias)
