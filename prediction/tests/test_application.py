import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from prediction.tests.bench import Bench

MODELS = "prediction.tests.models:"


@pytest.fixture
def trained(bench: Bench) -> Bench:
    assert bench.train() == 0
    return bench


def rows(count: int, start: int = 0) -> dict[str, np.ndarray]:
    return {"id": np.arange(start, start + count), "x": np.linspace(-2, 2, count)}


@pytest.mark.parametrize("threads", [1, 4])
def test_rows_come_out_as_they_went_in_whatever_the_batches(trained: Bench, threads: int) -> None:
    assert trained.apply(rows(1000)) == 0
    whole = trained.predictions
    assert whole["id"].to_pylist() == list(range(1000))
    assert trained.apply(rows(1000), batch_rows=7, threads=threads) == 0
    assert trained.predictions["id"].equals(whole["id"])
    np.testing.assert_allclose(trained.predictions["probability"], whole["probability"], rtol=1e-12)


def test_a_folder_of_files_of_both_kinds_is_read_in_the_order_of_names(trained: Bench) -> None:
    folder = trained.folder / "parts"
    folder.mkdir()
    trained.write("parts/part-1.parquet", rows(30))
    trained.write("parts/part-2.csv", rows(30, 30))
    trained.write("parts/_SUCCESS.csv", {"nothing": [1]})
    assert trained.apply(folder) == 0
    assert trained.predictions["id"].to_pylist() == list(range(60))
    files = [str(folder / name) for name in ("part-2.csv", "part-1.parquet")]
    assert trained.apply(folder, data_path=files) == 0
    assert trained.predictions["id"].to_pylist() == [*range(30, 60), *range(30)]


def test_predictions_can_be_csv(trained: Bench) -> None:
    output = trained.folder / "out" / "predictions.csv.gz"
    constants = {"date": {"type": "date", "value": "1998-04-01"}}
    assert trained.apply(rows(3), output_path=output, constants=constants) == 0
    table = pa.csv.read_csv(output)
    assert table.column_names == ["id", "label", "probability", "date"]
    assert table["date"].to_pylist() == [datetime.date(1998, 4, 1)] * 3


def test_constants_become_columns_of_the_types_that_they_name(trained: Bench) -> None:
    constants = {
        "date": {"type": "date", "value": "1998-04-01"},
        "scored_at": {"type": "timestamp", "value": "1998-04-01T02:00:00+02:00"},
        "run_id": "r1",
        "version": 3,
        "share": 0.5,
        "trial": False,
        "none_yet": {"type": "double", "value": 1},
    }
    assert trained.apply(rows(5), constants=constants, batch_rows=2) == 0
    table = trained.predictions
    types = [str(table.schema.field(name).type) for name in constants]
    assert types[:3] == ["date32[day]", "timestamp[us, tz=UTC]", "string"]
    assert types[3:] == ["int64", "double", "bool", "double"]
    midnight = datetime.datetime(1998, 4, 1, tzinfo=datetime.UTC)
    assert table["scored_at"].to_pylist() == [midnight] * 5


@pytest.mark.parametrize(
    ("constants", "words"),
    [
        ({"id": 1}, "constant 'id' is also a column of the key or of the predictions"),
        ({"probability": 1}, "constant 'probability' is also a column"),
        ({"d": {"type": "date", "value": "April"}}, "'d' is no date: Invalid isoformat string"),
        ({"d": {"type": "day", "value": 1}}, "an object with `type` (one of bool, date,"),
        ({"d": None}, "'d' must be a text, a number, true, false"),
    ],
)
def test_constants_that_cannot_be_are_refused(trained: Bench, constants: Any, words: str) -> None:
    assert trained.apply(rows(3), constants=constants) == 1
    assert words in trained.error


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"id": [1]}, "column 'x', which the model was trained with, is missing"),
        ({"id": [1], "x": [0.5], "z": [1]}, "column 'z' was not there at training"),
        ({"id": [1], "x": ["much"]}, "column 'x' is string, and was double at training"),
        ({"id": [1], "x": [True]}, "column 'x' is bool, and was double at training"),
        ({"id": ["1"], "x": [0.5]}, "column 'id' is string, and was int64 at training"),
        ({"id": [1, None], "x": [0.5, 1]}, "key 'id' is null in 1 rows, the first is row 2"),
        (
            {"id": [1, 2], "x": [0.5, -np.inf]},
            "column 'x' is infinite in 1 rows, the first with",
        ),
        ({"id": np.zeros(0, int), "x": np.zeros(0)}, "application.parquet has no rows"),
    ],
)
def test_data_unlike_those_of_training_are_refused(
    trained: Bench, columns: Any, words: str
) -> None:
    assert trained.apply(columns) == 1
    assert words in trained.error
    assert not trained.output.exists()


def test_the_label_may_be_there_and_is_not_read(trained: Bench) -> None:
    assert trained.apply({**rows(3), "y": ["unread"] * 3}) == 0
    assert trained.predictions.num_rows == 3


def test_columns_that_training_ignored_may_be_there(bench: Bench) -> None:
    assert bench.train(bench.training_data(name=["a"] * 400), ignore=["name"]) == 0
    assert [one["name"] for one in bench.description["features"]] == ["x"]
    assert bench.apply({**rows(3), "name": [["any"]] * 3}) == 0
    assert bench.apply(rows(3)) == 0


@pytest.mark.parametrize("batch_rows", [3, 1000])
@pytest.mark.parametrize(
    "ids",
    [
        [*range(50), 49, 50],  # neighbours
        [*range(50), 3],  # the order breaks at the very end
        [9, *range(20), 30],  # no order at all
    ],
)
def test_a_key_that_is_there_twice_is_named_however_far_apart(
    trained: Bench, ids: Any, batch_rows: int
) -> None:
    assert trained.apply({"id": ids, "x": np.zeros(len(ids))}, batch_rows=batch_rows) == 1
    twice = next(one for one in ids if ids.count(one) > 1)
    assert f"some keys have several rows: {twice}. Make it one row per key" in trained.error
    assert not trained.output.exists()
    assert not list(trained.folder.glob(".*"))


def test_keys_in_any_order_are_fine_when_each_is_there_once(trained: Bench) -> None:
    ids = np.random.default_rng(0).permutation(500) - 250
    assert trained.apply({"id": ids, "x": np.zeros(500)}, batch_rows=30) == 0
    assert trained.predictions["id"].to_pylist() == ids.tolist()


def test_keys_in_any_order_are_fine_where_files_keep_a_feature_in_other_types(
    trained: Bench,
) -> None:
    folder = trained.folder / "parts"
    folder.mkdir()
    # As pandas writes them: whole numbers, and doubles where one is null.
    trained.write("parts/part-0.parquet", {"id": range(100, 110), "x": [*range(10)]})
    trained.write("parts/part-1.parquet", {"id": range(10), "x": [1.0, None, *[2.0] * 8]})
    assert trained.apply(folder) == 0
    assert trained.predictions["id"].to_pylist() == [*range(100, 110), *range(10)]
    trained.write("parts/part-2.parquet", {"id": [105], "x": [1]})
    assert trained.apply(folder) == 1
    assert "some keys have several rows: 105. Make it one row per key" in trained.error


@pytest.mark.parametrize("type_", [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()])
def test_keys_without_a_sign_are_compared_like_others(bench: Bench, type_: pa.DataType) -> None:
    data = bench.training_data(rows=200)
    assert bench.train({**data, "id": pa.array(data["id"], type_)}) == 0
    apart = pa.array([9, 5, 3, 1, 2, 4, 7], type_)
    assert bench.apply({"id": apart, "x": np.zeros(7)}) == 0
    twice = pa.array([9, 5, 3, 1, 2, 4, 9, 8], type_)
    assert bench.apply({"id": twice, "x": np.zeros(8)}) == 1
    assert "some keys have several rows: 9. Make it one row per key" in bench.error


def test_a_key_may_be_text_or_several_columns(bench: Bench) -> None:
    columns = bench.training_data()
    names = [f"customer é {number}" for number in columns.pop("id")]
    for key in ({"name": names}, {"name": names, "day": [datetime.date(1998, 1, 1)] * 400}):
        assert bench.train({**columns, **key}, key=list(key)) == 0
        shuffled = {name: values[::-1] for name, values in {"x": columns["x"], **key}.items()}
        assert bench.apply(shuffled, batch_rows=30) == 0
        assert bench.predictions["name"].to_pylist() == names[::-1]
        twice = {name: [*values, values[7]] for name, values in {"x": columns["x"], **key}.items()}
        assert bench.apply(twice, batch_rows=30) == 1
        assert "customer é 7" in bench.error


def test_a_model_that_later_returns_other_columns_or_types_is_refused(bench: Bench) -> None:
    assert bench.train(model=MODELS + "Moody") == 0
    assert bench.apply({"id": [1], "x": [1500.0]}) == 1
    assert "predict returned the columns verdict, probability, and at training label" in bench.error
    assert bench.apply({"id": [1], "x": [2500.0]}) == 1
    assert "predict returned column 'label' as string, and at training as bool" in bench.error
    assert not bench.output.exists()


def test_a_failure_midway_leaves_what_was_there_before(trained: Bench) -> None:
    assert trained.apply(rows(10)) == 0
    before = trained.predictions
    broken = rows(100)
    broken["x"][-1] = np.inf
    assert trained.apply(broken, batch_rows=5) == 1
    assert trained.predictions.equals(before)
    assert not list(trained.folder.glob(".*"))
