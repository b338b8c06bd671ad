"""BigQuery's words for what is wrong with a query; bqemulator 1.4.0 has sqlglot's and DuckDB's.

BigQuery says where, as [line:column] of the text that it was sent. Its messages are not in its
documentation; these are as its users quote them.
"""

import re

from bqemulator.domain.errors import DomainError, InvalidQueryError
from sqlglot.dialects.bigquery import BigQuery
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokens import Token, TokenType

_OUR_TYPES = {"INT32": "int64", "DOUBLE": "double", "BOOL": "bool", "DECIMAL": "NUMERIC"}

# What DuckDB says as it binds a query, and what of it is named in the text.
_BINDING = {
    re.compile(r'Referenced column "(?P<name>[^"]+)" not found'): "Unrecognized name: {name}",
    re.compile(
        r'Ambiguous reference to column name "(?P<name>[^"]+)"'
    ): "Column name {name} is ambiguous",
    re.compile(r"Function not found: (?P<name>[\w.]+)"): "Function not found: {name}",
    re.compile(
        r"not provided for the following parameters: (?P<name>\w+)"
    ): "Query parameter '{name}' not found",
}
_BAD_VALUE = re.compile(r"Could not convert string '(?P<value>.*?)' to (?P<type>\w+)")


class BadValueError(InvalidQueryError):
    """A value in a row, of which no dry run knows."""


def explain(error: Exception, text: str) -> DomainError:
    """The error in BigQuery's words; the same when there are none for it."""
    if isinstance(error, SqlglotError):
        return InvalidQueryError(f"Syntax error: {_syntax(error, text)}", location="query")
    said = str(error)
    if found := _BAD_VALUE.search(said):
        kind = _OUR_TYPES.get(found["type"], found["type"].lower())
        return BadValueError(f"Bad {kind} value: {found['value']}", location="query")
    for pattern, words in _BINDING.items():
        if found := pattern.search(said):
            name, place = _find(found["name"], text)
            return InvalidQueryError(f"{words.format(name=name)} at {place}", location="query")
    return error if isinstance(error, DomainError) else InvalidQueryError(said, location="query")


def _syntax(error: SqlglotError, text: str) -> str:
    if not isinstance(error, ParseError) or not error.errors:
        return f"Unclosed string literal at {_place(text, _open_quote(text))}"
    tokens = BigQuery().tokenize(text)
    first = tokens[0]
    if first.token_type == TokenType.VAR:
        return f"Unexpected {_describe(first)} at {_place(text, first.start)}"
    about = error.errors[0]
    met = [token for token in tokens if (token.line, token.col) == (about["line"], about["col"])]
    if not met or "missing" in about["description"]:
        following = [token for token in tokens if met and token.start > met[0].start]
        met = following[:1]
    if not met:
        return f"Unexpected end of script at {_place(text, len(text.rstrip()))}"
    where = _place(text, met[0].start)
    if expected := re.match(r"Expecting (\S)", about["description"]):
        return f'Expected "{expected[1]}" but got {_describe(met[0])} at {where}'
    return f"Unexpected {_describe(met[0])} at {where}"


def _describe(token: Token) -> str:
    if token.token_type in (TokenType.VAR, TokenType.IDENTIFIER):
        return f'identifier "{token.text}"'
    if token.token_type == TokenType.STRING:
        return "string literal"
    if token.token_type == TokenType.NUMBER:
        return f'integer literal "{token.text}"'
    if token.text.isalpha():
        return f"keyword {token.text.upper()}"
    return f'"{token.text}"'


def _find(name: str, text: str) -> tuple[str, str]:
    """A name as it is written in the text, and where."""
    found = re.search(rf"(?<![\w`]){re.escape(name)}\b", text, re.IGNORECASE)
    found = found or re.search(re.escape(name), text, re.IGNORECASE)
    if found is None:
        return name, "[1:1]"
    start = found.start()
    return found[0], _place(text, start - 1 if text[start - 1 : start] in ("@", "`") else start)


def _open_quote(text: str) -> int:
    return max(text.rfind("'"), text.rfind('"'), 0)


def _place(text: str, index: int) -> str:
    before = text[:index]
    return f"[{before.count(chr(10)) + 1}:{index - before.rfind(chr(10))}]"
