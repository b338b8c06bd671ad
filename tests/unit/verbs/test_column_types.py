"""Types of columns: which no model takes, and where two answers differ."""

import pytest

from pipeline.verbs.column_types import find_changes, find_unusable, tell_changes
from pipeline.warehouse import Extraction

USABLE = ("int64", "double", "bool", "string", "large_string", "date32[day]", "timestamp[us]")
USABLE += ("timestamp[us, tz=UTC]", "decimal128(38, 9)", "decimal256(76, 38)")


@pytest.mark.parametrize("kind", USABLE)
def test_what_a_warehouse_returns_for_plain_columns_is_usable(kind):
    assert find_unusable({"a": kind}, ()) == {}


@pytest.mark.parametrize(
    "kind", ["list<element: int64>", "struct<a: int64>", "binary", "time64[us]", "map<a, b>"]
)
def test_what_is_nested_or_bytes_is_not_unless_it_is_not_read(kind):
    columns = {"a": kind, "b": "int64"}
    assert find_unusable(columns, ()) == {"a": kind}
    assert find_unusable(columns, ("a",)) == {}


def test_a_column_is_changed_by_another_type_or_when_it_is_gone():
    one, other = {"a": "int64", "b": "string", "c": "bool"}, {"a": "double", "b": "string"}
    assert list(find_changes(one, other)) == [("a", "int64", "double"), ("c", "bool", None)]


def test_a_change_is_told_with_both_types(capsys):
    one, other = Extraction({}, 1, {"a": "int64"}), Extraction({}, 1, {"a": "double"})
    assert tell_changes("features.sql as of 1998-01-01", one, other, "as of 1998-04-01")
    assert capsys.readouterr().out == (
        "error: features.sql as of 1998-01-01 returns a as int64, and as of 1998-04-01 as double."
        " Select it by its name, and CAST it.\n"
    )
