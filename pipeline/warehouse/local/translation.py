"""A query in BigQuery's dialect, told in DuckDB's."""

import datetime
import re
from collections.abc import Callable, Mapping

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from pipeline.errors import QueryError
from pipeline.warehouse.parsing import is_cte

# BigQuery's NUMERIC. DuckDB's DECIMAL without a size keeps three decimals only.
_NUMERIC_PRECISION, _NUMERIC_SCALE = 38, 9


def translate(
    tree: exp.Query,
    parameters: Mapping[str, datetime.date],
    resolve: Callable[[str], str],
) -> exp.Query:
    """A copy of `tree` with dates for its parameters, and with `resolve(name)` for each table."""
    tree = tree.copy()
    values = {name.lower(): value for name, value in parameters.items()}
    for parameter in list(tree.find_all(exp.Parameter)):
        parameter.replace(_literal(parameter, values))
    for kind in tree.find_all(exp.DataType):
        if kind.this in (exp.DType.DECIMAL, exp.DType.BIGDECIMAL) and not kind.expressions:
            kind.replace(exp.DataType.build(f"DECIMAL({_NUMERIC_PRECISION}, {_NUMERIC_SCALE})"))
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Identifier) and not is_cte(table):
            _rename(table, resolve)
    return tree


def to_duckdb(tree: exp.Query) -> str:
    """Raise `QueryError` naming what DuckDB has no words for."""
    try:
        return tree.sql("duckdb", comments=False, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        reason = re.sub(r"\s+", " ", str(error)).strip().rstrip(".")
        raise QueryError(
            f"The local warehouse can't run the query: {reason}. Write it another way, or use"
            " BigQuery."
        ) from None


def _literal(parameter: exp.Parameter, values: Mapping[str, datetime.date]) -> exp.Expression:
    name = parameter.this.name.lower()
    if name not in values:
        raise QueryError(f"The query uses @{name}, which has no value.")
    return exp.cast(exp.Literal.string(values[name].isoformat()), "DATE")


def _rename(table: exp.Table, resolve: Callable[[str], str]) -> None:
    """Keep the table's own name as alias, as columns may be called by it."""
    name = ".".join(part.name for part in table.parts)
    alias = table.alias or table.parts[-1].name
    table.set("this", exp.to_identifier(resolve(name), quoted=True))
    table.set("db", None)
    table.set("catalog", None)
    if not table.alias:
        table.set("alias", exp.TableAlias(this=exp.to_identifier(alias, quoted=True)))
