"""Two answers of the warehouse compared, row by row and column by column."""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline import storage
from pipeline.warehouse import Extraction

# Sums of floats differ in their last digits by the order in which they were added up; near zero,
# where numbers cancel out, those digits are all that is left. Training's check has the same bounds.
_TOLERANCES = {"double": 1e-9, "float": 1e-5, "halffloat": 1e-2}
_NEAR_ZERO = 1e-3
# Says that an answer has the row. No column of BigQuery's can have this name.
_HERE = '"here?"'


@dataclass(frozen=True)
class Difference:
    """What `rows` rows differ in: a `column`, or None when they are in one answer alone.

    `key` tells one of these rows, as text; `values` are its two values.
    """

    column: str | None
    rows: int
    key: str
    values: tuple[object, object]

    @property
    def count(self) -> str:
        return f"{self.rows:,} rows differ" if self.rows > 1 else "one row differs"


def find_differences(
    plain: Extraction, other: Extraction, key: Sequence[str]
) -> Iterator[Difference]:
    """In what two answers differ, a difference for each column; none when they are the same."""
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as base:
        for name, answer in (("plain", plain), ("other", other)):
            _view(base, name, answer, Path(folder))
        named = {each.lower() for each in key}
        columns = [each for each in plain.columns if each.lower() not in named]
        using = ", ".join(map(_quote, key))
        here, there = f"plain.{_HERE}", f"other.{_HERE}"
        alone, both = f"{here} IS NULL OR {there} IS NULL", f"{here} AND {there}"
        joined = f"plain FULL JOIN other USING ({using})"
        yield from _find(base, joined, alone, key, None, f"{here}, {there}")
        for column in columns:
            left, right = f"plain.{_quote(column)}", f"other.{_quote(column)}"
            differs = f"{both} AND {_differs(left, right, plain, column)}"
            yield from _find(base, joined, differs, key, column, f"{left}, {right}")


def _find(
    base: duckdb.DuckDBPyConnection,
    joined: str,
    condition: str,
    key: Sequence[str],
    column: str | None,
    values: str,
) -> Iterator[Difference]:
    keys = ", ".join(map(_quote, key))
    query = f"SELECT {keys}, {values}, count(*) OVER () FROM {joined} WHERE {condition}"
    for *row, left, right, count in base.sql(f"{query} ORDER BY {keys} LIMIT 1").fetchall():
        told = ", ".join(f"{name} = {value}" for name, value in zip(key, row, strict=True))
        yield Difference(column, count, told, (left, right))


def _differs(left: str, right: str, answer: Extraction, column: str) -> str:
    tolerance = _TOLERANCES.get(answer.columns[column])
    if tolerance is None:
        return f"{left} IS DISTINCT FROM {right}"
    largest = f"greatest(abs({left}), abs({right}), {_NEAR_ZERO})"
    near = f"abs({left} - {right}) <= {tolerance} * {largest}"
    # Else anything were near: DuckDB takes NaN for the greatest number and equal to itself.
    finite = f"isfinite({left}) AND isfinite({right})"
    return f"{left} IS DISTINCT FROM {right} AND NOT coalesce({finite} AND {near}, false)"


def _view(base: duckdb.DuckDBPyConnection, name: str, answer: Extraction, folder: Path) -> None:
    paths = []
    for number, url in enumerate(answer.files):
        path = folder / f"{name}-{number}.parquet"
        storage.open(url).download(url, path)
        paths.append(f"'{path}'")
    files = f"read_parquet([{', '.join(paths)}])"
    base.execute(f"CREATE VIEW {name} AS SELECT *, true AS {_HERE} FROM {files}")


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
