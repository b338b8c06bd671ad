"""What a user's query must be before it is composed: one SELECT, cut at its parameter.

sqlglot only reads the text, to refuse early, and by line, what no warehouse could run or what
would see the future.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pipeline.errors import QueryError

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

_NAME = re.compile(r"[^\W\d]\w*")
_FIRST_WORDS = ("SELECT", "WITH", "FROM", "L_PAREN")
_PLACEHOLDER = "?"


@dataclass(frozen=True)
class Body:
    """A query that can stand between parentheses; `name` is the file that messages call it by.

    `columns` are the names that it returns, or None where only the warehouse knows (`SELECT *`).
    """

    name: str
    text: str
    columns: tuple[str, ...] | None

    def check_key(self, key: Sequence[str]) -> None:
        """Raise `QueryError` unless each name of `key` is a column, as far as can be seen here."""
        if not key:
            raise QueryError("The key is empty. Name the columns that tell one row from another.")
        for name in key:
            if not _NAME.fullmatch(name):
                raise QueryError(
                    f"The key {name!r} is no name of a column. Use letters, digits, underscores."
                )
            if self.columns is not None and name.lower() not in map(str.lower, self.columns):
                raise QueryError(
                    f"{self.name} returns no column {name}, which is the key. Select it, or"
                    " correct the key."
                )


@cache
def read(
    name: str, text: str, *, parameters: tuple[str, ...], required: str | None, named: bool = True
) -> Body:
    """The query `text` of the file `name`, which may use `parameters`, and must use `required`.

    Each of its columns must have a name, unless `named` is false.
    A backfill has the same text for many dates: it is read once.
    """
    tokens = _tokenize(name, text)
    statement = _cut_semicolon(name, text, tokens)
    tree = _parse(name, text)
    _check_parameters(name, _find_parameters(tree), parameters, required)
    body = Body(name, statement, None if tree.is_star else tuple(tree.named_selects))
    if named:
        _check_columns(body)
    return body


def _tokenize(name: str, text: str) -> "list[Token]":
    import sqlglot
    import sqlglot.errors

    try:
        return sqlglot.tokenize(text, read="bigquery")
    except sqlglot.errors.TokenError:
        raise QueryError(
            f"{name}, line {_line_of_open_end(text)}: a quote or comment that begins here is not"
            " closed. Close it."
        ) from None


def _line_of_open_end(text: str) -> int:
    """The line after the longest beginning, in whole lines, that can be tokenized."""
    import sqlglot
    import sqlglot.errors

    lines = text.splitlines(keepends=True)
    for count in range(len(lines) - 1, 0, -1):
        try:
            sqlglot.tokenize("".join(lines[:count]), read="bigquery")
        except sqlglot.errors.TokenError:
            continue
        return count + 1
    return 1


def _cut_semicolon(name: str, text: str, tokens: "list[Token]") -> str:
    """The one statement of `text`, with its comments and without what ends it."""
    words = [token for token in tokens if token.token_type.name != "SEMICOLON"]
    if not words:
        raise QueryError(f"{name} holds no query. Write one SELECT.")
    if words[0].token_type.name not in _FIRST_WORDS:
        first = " ".join(words[0].text.split())
        raise QueryError(
            f"{name}, line {words[0].line}: {first} is no query. Write one SELECT, which may begin"
            " with WITH."
        )
    ends = [token for token in tokens if token.token_type.name == "SEMICOLON"]
    for end in reversed(ends):
        if end.start < words[-1].start:
            raise QueryError(
                f"{name}, line {end.line}: a second statement follows this semicolon. Write one"
                " SELECT, which may begin with WITH."
            )
        text = text[: end.start] + text[end.end + 1 :]
    return text.strip("\n")


def _parse(name: str, text: str) -> "exp.Query":
    import sqlglot
    import sqlglot.errors

    try:
        tree = sqlglot.parse(text, read="bigquery")[0]
    except sqlglot.errors.ParseError as error:
        first = error.errors[0]
        raise QueryError(
            f"{name}, line {first['line']}, column {first['col']}, near {first['highlight']!r}:"
            f" {first['description']}. Correct the query."
        ) from None
    if not isinstance(tree, sqlglot.exp.Query):
        raise QueryError(f"{name} is no query. Write one SELECT, which may begin with WITH.")
    return tree


def _find_parameters(tree: "exp.Query") -> set[str]:
    """Names in small letters, as BigQuery ignores case; a system variable @@x is `@x`."""
    from sqlglot import exp

    names = {_PLACEHOLDER for _ in tree.find_all(exp.Placeholder)}
    for parameter in tree.find_all(exp.Parameter):
        if not isinstance(parameter.parent, exp.Parameter):
            inner = parameter.this
            names.add(f"@{inner.name}" if isinstance(inner, exp.Parameter) else inner.name.lower())
    return names


def _check_parameters(
    name: str, used: set[str], parameters: Collection[str], required: str | None
) -> None:
    given = " and ".join(f"@{each}" for each in parameters)
    for each in sorted(used - set(parameters)):
        shown = each if each == _PLACEHOLDER else f"@{each}"
        raise QueryError(f"{name} uses {shown}, which has no value here. Use only {given}.")
    if required and required not in used:
        raise QueryError(
            f"{name} does not use @{required}, so nothing keeps the future out. Cut each table at"
            f" `< @{required}`."
        )


def _check_columns(body: Body) -> None:
    names = [name.lower() for name in body.columns or ()]
    if "" in names:
        raise QueryError(
            f"Column {names.index('') + 1} of {body.name} has no name. Give it one with AS."
        )
    for name in names:
        if names.count(name) > 1:
            raise QueryError(f"{body.name} returns {name} twice. Rename one of them with AS.")
