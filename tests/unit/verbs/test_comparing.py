"""Two answers compared: what is noise of the last digits, and what is a difference."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import storage
from pipeline.verbs.comparing import find_differences
from pipeline.warehouse import Extraction

NAN, INF = float("nan"), float("inf")


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


def test_nan_is_not_null(tmp_path):
    assert differing(tmp_path, [NAN], [None], pa.float64())


def test_what_is_no_float_must_be_the_same(tmp_path):
    [found] = differing(tmp_path, ["a", "b", "c"], ["a", "x", "y"], pa.string())
    assert (found.column, found.values, found.count) == ("x", ("b", "x"), "2 rows differ")


def test_a_row_that_is_in_one_answer_alone_is_a_difference(tmp_path):
    [found] = differing(tmp_path, [1, 2], [1], pa.int64())
    assert (found.column, found.key, found.values) == (None, "id = 1", (True, None))


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
@pytest.mark.parametrize(
    ("one", "other"),
    [(1.0, NAN), (NAN, 1.0), (1.0, INF), (INF, 1.0), (INF, -INF), (INF, NAN), (1.0, None)],
)
def test_what_is_no_number_is_near_to_none(tmp_path, kind, one, other):
    [found] = differing(tmp_path, [0.0, one], [0.0, other], kind)
    assert (found.column, found.rows, found.key) == ("x", 1, "id = 1")


@pytest.mark.parametrize("same", [NAN, INF, -INF, None])
def test_what_is_no_number_is_the_same_as_itself(tmp_path, same):
    assert differing(tmp_path, [same], [same], pa.float64()) == []


@pytest.mark.parametrize(("kind", "rest"), [(pa.float64(), 2e-17), (pa.float32(), 1e-9)])
def test_what_is_left_of_numbers_that_cancel_out_is_noise(tmp_path, kind, rest):
    assert differing(tmp_path, [rest, 0.0], [0.0, -rest], kind) == []


def test_a_small_number_is_not_nothing(tmp_path):
    assert differing(tmp_path, [1e-9], [0.0], pa.float64())


def test_columns_can_have_any_name(tmp_path):
    columns = [{"here": pa.array([n, None]), "plain": pa.array([0, 0])} for n in (1, 2)]
    answers = [answer(tmp_path / str(n), **each) for n, each in enumerate(columns)]
    [found] = find_differences(*answers, ["id"])
    assert (found.column, found.values) == ("here", (1, 2))
