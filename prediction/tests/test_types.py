import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from prediction.tests.bench import Bench

MODEL = "prediction.tests.models:Dtypes"
KEYS = {"model": MODEL, "kind": "none", "label": None}

NUMERIC = pa.decimal128(38, 9)
DAY = datetime.date(1998, 4, 1)
CASES = {
    "NUMERIC": (NUMERIC, [Decimal("1.5"), None], "float64", [1.5, None]),
    "INT64": (pa.int64(), [7, None], "float64", [7.0, None]),
    "BOOL": (pa.bool_(), [True, None], "float64", [1.0, None]),
    "FLOAT64": (pa.float64(), [0.5, None], "float64", [0.5, None]),
    "STRING": (pa.string(), ["a", None], "str", ["a", None]),
    "DATE": (pa.date32(), [DAY, None], "datetime64[us]", [datetime.datetime(1998, 4, 1), None]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_batch_with_nulls_and_one_without_are_the_same_to_the_model(
    bench: Bench, name: str
) -> None:
    type_, values, dtype, seen = CASES[name]
    column = pa.array(values, type_)
    assert bench.train({"id": [1, 2], "x": column}, **KEYS) == 0
    for batch_rows in (1, 2):
        assert bench.apply({"id": [1, 2], "x": column}, batch_rows=batch_rows) == 0
        assert bench.predictions["x_is"].to_pylist() == [dtype, dtype]
        assert bench.predictions["x_was"].to_pylist() == seen


@pytest.mark.parametrize("make", [pa.decimal32, pa.decimal64, pa.decimal128, pa.decimal256])
def test_decimals_of_any_width_are_numbers(bench: Bench, make: Any) -> None:
    column = pa.array([Decimal("1.50"), None], make(9, 2))
    assert bench.train({"id": [1, 2], "x": column}, **KEYS) == 0
    assert bench.apply({"id": [1, 2], "x": column}) == 0
    assert bench.predictions["x_was"].to_pylist() == [1.5, None]


def test_a_moment_is_given_in_utc_whatever_its_zone(bench: Bench) -> None:
    moment = datetime.datetime(1998, 3, 31, 23, 30, tzinfo=datetime.UTC)
    column = pa.array([moment], pa.timestamp("us", "Europe/Stockholm"))
    assert bench.train({"id": [1], "x": column}, **KEYS) == 0
    assert bench.apply({"id": [1], "x": column}) == 0
    assert bench.predictions["x_was"].to_pylist() == [moment.replace(tzinfo=None)]


@pytest.mark.parametrize("type_", [pa.int32(), pa.float32(), NUMERIC, pa.null()])
def test_any_number_may_stand_for_another_and_nulls_for_all(bench: Bench, type_: Any) -> None:
    assert bench.train({"id": [1, 2], "x": pa.array([1, 2], pa.int64())}, **KEYS) == 0
    values = pa.nulls(1) if pa.types.is_null(type_) else pa.array([3]).cast(type_)
    assert bench.apply({"id": [1], "x": values}) == 0
    assert bench.predictions["x_is"].to_pylist() == ["float64"]


def test_text_in_a_dictionary_is_text(bench: Bench) -> None:
    column = pa.array(["a", "b", "a"])
    assert (
        bench.train({"id": column.dictionary_encode().cast(pa.string()), "x": column}, **KEYS) == 1
    )
    columns = {"id": [1, 2, 3], "x": column.dictionary_encode(), "z": [1, None, 3]}
    assert bench.train(columns, **KEYS) == 0
    assert bench.apply({**columns, "x": column}) == 0
    assert bench.predictions["x_is"].to_pylist() == ["str"] * 3
    assert bench.predictions["z_is"].to_pylist() == ["float64"] * 3


def test_a_csv_file_is_read_with_the_types_of_training(bench: Bench) -> None:
    data = bench.folder / "training.csv"
    data.write_text("id,x,flag,name\n1,1,true,a\n2,2,false,7\n")
    assert bench.train(data, **KEYS) == 0
    other = bench.folder / "application.csv"
    other.write_text("name,flag,x,id\n8,,1.5,3\n9,,,4\n")
    assert bench.apply(other) == 0
    table = bench.predictions
    assert table["name_was"].to_pylist() == ["8", "9"]
    assert table["x_was"].to_pylist() == [1.5, None]
    assert table["flag_is"].to_pylist() == ["float64"] * 2
    assert str(table.schema.field("id").type) == "int64"


BIG = 2**53 + 1


def test_a_whole_number_that_would_be_rounded_is_refused(bench: Bench) -> None:
    data = bench.folder / "training.csv"
    data.write_text("id,x\n1,0.5\n2,1.5\n")
    assert bench.train(data, **KEYS) == 0
    other = bench.folder / "application.csv"
    other.write_text(f"id,x\n1,0.5\n2,-{BIG}\n")
    assert bench.apply(other) == 1
    assert f"column 'x' has the whole number -{BIG}, which is beyond 2**53" in bench.error
    assert not bench.output.exists()
    data.write_text(f"id,x\n1,0.5\n2,{BIG}\n")
    assert bench.train(data, **KEYS) == 1
    assert f"column 'x' has the whole number {BIG}" in bench.error
    data.write_text("id,x\n1,1\n2,36893488147419103233\n")
    assert bench.train(data, **KEYS) == 1
    assert "column 'x' has the whole number 36893488147419103233" in bench.error


def test_a_large_number_that_float64_has_is_fine(bench: Bench) -> None:
    data = bench.folder / "training.csv"
    data.write_text(f"id,x\n1,1e300\n2,{2**60}\n3,{BIG}.25\n")
    assert bench.train(data, **KEYS) == 0
    assert bench.apply(data) == 0
    assert bench.predictions["x_was"].to_pylist() == [1e300, float(2**60), float(f"{BIG}.25")]


def test_a_key_in_a_csv_file_may_be_any_whole_number(bench: Bench) -> None:
    data = bench.folder / "training.csv"
    data.write_text(f"id,x\n{BIG},1\n{BIG + 1},2\n")
    assert bench.train(data, **KEYS) == 0
    assert bench.apply(data) == 0
    assert bench.predictions["id"].to_pylist() == [BIG, BIG + 1]


@pytest.mark.parametrize(
    ("values", "odd"),
    [(["1", "2.5", "much"], "much"), (["true", "x", "false"], "x"), (["1998-04-01", "-", ""], "-")],
)
def test_a_column_of_a_csv_file_that_is_text_by_a_slip_is_refused(
    bench: Bench, values: list[str], odd: str
) -> None:
    data = bench.folder / "training.csv"
    rows = [f"{number},{value},1" for number, value in enumerate([*values, *values[:1]])]
    data.write_text("\n".join(["id,x,z", *rows, ""]))
    assert bench.train(data, **KEYS) == 1
    assert f"the first is {odd!r}; all others could be" in bench.error
    assert bench.train(data, types={"x": "string"}, **KEYS) == 0
    assert bench.train(data, ignore=["x"], **KEYS) == 0


def test_the_config_can_say_the_type_of_a_csv_column(bench: Bench) -> None:
    data = bench.folder / "training.csv"
    data.write_text("id,x\n007,1\n008,2\n")
    assert bench.train(data, types={"id": "string"}, **KEYS) == 0
    assert bench.apply(data) == 0
    assert bench.predictions["id"].to_pylist() == ["007", "008"]
