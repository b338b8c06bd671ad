"""Two answers compared: what is noise of the last digits, and what is a difference."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import storage
from pipeline.verbs.comparing import find_differences
from pipeline.warehouse import Extraction


def answer(path: Path, **columns: pa.Array) -> Extraction:
    table = pa.table({"id": pa.array(range(len(next(iter(columns.values()))))), **columns})
    pq.write_table(table, path)
    types = {field.name: str(field.type) for field in table.schema}
    url = str(path)
    return Extraction({url: storage.open(url).stat(url)}, table.num_rows, types)


def differing(tmp_path: Path, one: list[object], other: list[object], kind: pa.DataType) -> list:
    sides = (("one", one), ("other", other))
    answers = [answer(tmp_path / name, x=pa.array(values, kind)) for name, values in sides]
    return list(find_differences(*answers, ["id"]))


@pytest.mark.parametrize(("kind", "noise"), [(pa.float64(), 1e-10), (pa.float32(), 1e-6)])
def test_the_last_digits_of_floats_are_noise(tmp_path, kind, noise):
    assert differing(tmp_path, [1000.0, None], [1000.0 * (1 + noise), None], kind) == []


@pytest.mark.parametrize(("kind", "change"), [(pa.float64(), 1e-8), (pa.float32(), 1e-4)])
def test_more_than_the_last_digits_is_a_difference(tmp_path, kind, change):
    [found] = differing(tmp_path, [0.5, 3.0], [0.5, 3.0 * (1 + change)], kind)
    assert (found.column, found.rows, found.key) == ("x", 1, "id = 1")


def test_nan_is_the_same_as_nan_and_not_as_null(tmp_path):
    nan = float("nan")
    assert differing(tmp_path, [nan], [nan], pa.float64()) == []
    assert differing(tmp_path, [nan], [None], pa.float64())


def test_what_is_no_float_must_be_the_same(tmp_path):
    [found] = differing(tmp_path, ["a", "b", "c"], ["a", "x", "y"], pa.string())
    assert (found.column, found.values, found.count) == ("x", ("b", "x"), "2 rows differ")


def test_a_row_that_is_in_one_answer_alone_is_a_difference(tmp_path):
    [found] = differing(tmp_path, [1, 2], [1], pa.int64())
    assert (found.column, found.key, found.values) == (None, "id = 1", (True, None))
