"""SQL as it was sent: what kind of statement it is, which tables it names, and how it is run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import sqlglot
from bqemulator.jobs.executor import classify_statement_type, parse_export_data
from sqlglot import exp

from tests.cloud.bigquery.messages import explain
from tests.cloud.bigquery.names import Name

_DIALECT = "bigquery"


@dataclass(frozen=True)
class Statement:
    """The text of a query job; scripts have several statements, but no declarations and blocks.

    Raises `InvalidQueryError` with BigQuery's words when it is made of a text that is no SQL.
    """

    text: str
    project: str
    dataset: tuple[str, str] | None = None  # project and dataset of tables named without one

    def __post_init__(self) -> None:
        assert self._trees is not None

    @cached_property
    def kind(self) -> str:
        """The API's statementType, such as SELECT, DROP_TABLE or SCRIPT."""
        return "SCRIPT" if len(self._trees) > 1 else str(classify_statement_type(self.sql))

    @cached_property
    def sql(self) -> str:
        """What is run: the text with a dataset before every table."""
        return ";\n".join(tree.sql(_DIALECT, comments=False) for tree in self._trees)

    @cached_property
    def export(self) -> tuple[str, object] | None:
        """The query of an EXPORT DATA, and its options."""
        found = parse_export_data(self.sql)
        return None if found is None else (found.select_sql, found.options)

    @cached_property
    def names(self) -> list[Name]:
        """The tables that it names, each once."""
        found = [
            Name.parse(each.catalog or self.project, each.db, each.name)
            for tree in self._trees
            for each in tree.find_all(exp.Table)
            if each.db
        ]
        return list(dict.fromkeys(found))

    @cached_property
    def _trees(self) -> list[exp.Expression]:
        try:
            parsed = sqlglot.parse(self.text, read=_DIALECT)
        except sqlglot.errors.SqlglotError as error:
            raise explain(error, self.text) from error
        trees = [tree for tree in parsed if tree and not isinstance(tree, exp.Semicolon)]
        for tree in trees:
            for table in _tables_without_dataset(tree) if self.dataset else ():
                table.set("catalog", exp.to_identifier(self.dataset[0], quoted=True))
                table.set("db", exp.to_identifier(self.dataset[1], quoted=True))
        return trees


def _tables_without_dataset(tree: exp.Expression) -> Iterator[exp.Table]:
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Identifier) and not table.db and not _is_of_with(table):
            yield table


def _is_of_with(table: exp.Table) -> bool:
    """Whether a WITH in sight has given the name, whatever its case.

    A query of WITH sees those before it, and itself only when it is RECURSIVE. Sources:
    cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#cte_rules and
    cloud.google.com/bigquery/docs/reference/standard-sql/lexical#case_sensitivity
    """
    inner: exp.Expression = table
    seen: list[exp.Expression] = []
    while inner.parent is not None:
        outer = inner.parent
        if isinstance(outer, exp.With):
            position = next(n for n, each in enumerate(outer.expressions) if each is inner)
            seen += outer.expressions if outer.recursive else outer.expressions[:position]
            outer = outer.parent
        elif clause := outer.args.get("with_"):
            seen += clause.expressions
        inner = outer
    return table.name.lower() in {each.alias.lower() for each in seen}


def repeated(columns: Sequence[str]) -> list[str]:
    """Names that come more than once, whatever their case."""
    low = [column.lower() for column in columns]
    return list(dict.fromkeys(column for column in low if low.count(column) > 1))
