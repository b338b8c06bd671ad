"""Application data compared with those of the training: the index, warnings and refusals."""

import datetime
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prediction.core import bins, drift
from prediction.core.drift import Drift, Tally
from prediction.core.reference import FEATURE, Column, Reference, of_features, of_score
from prediction.tests.bench import Bench

RUN = {
    "date": {"type": "date", "value": "1998-04-02"},
    "model_date": {"type": "date", "value": "1998-04-01"},
    "run_id": "job-1",
}
DICE = np.random.default_rng(5)


@pytest.fixture
def trained(bench: Bench) -> Bench:
    assert bench.train() == 0
    return bench


def normal(rows: int, mean: float = 0.0) -> dict[str, np.ndarray]:
    """Columns id and x; x is distributed as at training when `mean` is 0."""
    return {"id": np.arange(rows), "x": np.random.default_rng(1).normal(mean, size=rows)}


def told(bench: Bench) -> Any:
    return json.loads((bench.folder / "drift.json").read_text())


def by_name(bench: Bench) -> dict[str, Any]:
    return {each["feature"]: each for each in told(bench)["columns"]}


def compared(trained: Any, applied: Any, type_: pa.DataType) -> Drift:
    """The drift of one feature from `trained` to `applied`, as the model sees them."""
    [column] = of_features(pd.DataFrame({"f": trained}), {"f": type_}, seed=0)
    tally = Tally(Reference([column]), len(applied))
    tally.add_features(0, pd.DataFrame({"f": applied}))
    [found] = tally.drifts()
    return found


# The index


def test_the_index_is_that_which_one_computes_by_hand():
    expected, actual = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3])
    by_hand = (0.4 - 0.5) * math.log(0.4 / 0.5) + (0.3 - 0.2) * math.log(0.3 / 0.2)
    assert drift.stability(expected, actual) == pytest.approx(by_hand)
    empty = (1 - 0.5) * math.log(1 / 0.5) + (1e-4 - 0.5) * math.log(1e-4 / 0.5)
    assert drift.stability(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == pytest.approx(empty)


def test_the_same_data_have_no_drift():
    values = DICE.normal(size=5000)
    found = compared(values, values[::-1], pa.float64())
    assert (found.psi, found.missing_share, found.rows) == (0, 0, 5000)


def test_chance_alone_seldom_reaches_what_it_is_said_to_reach():
    same = [
        compared(DICE.normal(size=300), DICE.normal(size=200), pa.float64()) for _ in range(200)
    ]
    assert sum(one.psi > one.psi_by_chance for one in same) <= 3
    assert any(one.psi > 0.05 for one in same)


def test_few_rows_are_not_taken_for_drift():
    found = compared(DICE.normal(size=40), DICE.normal(size=5), pa.float64())
    assert found.psi > 0.25
    assert not found.exceeds(0.25)


def test_a_value_that_nearly_all_rows_had_and_few_have_now_is_seen():
    """The greatest one is no end of its own among deciles that are all the same."""
    many = np.where(np.arange(1000) < 950, 7.0, np.arange(1000) / 1000)
    few = np.where(np.arange(1000) < 300, 7.0, np.arange(1000) / 1000)
    assert compared(many, few, pa.float64()).psi > 1


def test_a_constant_feature_is_seen_to_change():
    constant = np.full(500, 3.0)
    assert compared(constant, constant, pa.int64()).psi == 0
    for other in (2.999, 3.001):
        found = compared(constant, np.full(500, other), pa.float64())
        assert found.psi > 1
        assert found.exceeds(0.25)
    [names] = [compared(constant, constant, pa.int64()).trained.bins.names]
    assert names == ["up to 3", "3", "above 3", "missing"]


def test_what_is_missing_is_a_bin_of_its_own():
    whole, empty = np.arange(1000.0), np.full(1000, np.nan)
    found = compared(whole, empty, pa.float64())
    assert found.missing_share == 1
    assert found.trained.missing_share == 0
    assert found.psi > 5
    assert compared(empty, empty, pa.float64()).psi == 0
    assert compared(empty, whole, pa.float64()).psi > 5


def test_truth_values_are_told_apart_however_rare_one_is():
    rare = np.where(np.arange(1000) < 20, 0.0, 1.0)
    assert compared(rare, rare[::-1], pa.bool_()).psi == 0
    assert compared(rare, 1 - rare, pa.bool_()).psi > 1


def test_moments_are_compared_and_named_as_days():
    days = pd.to_datetime("1998-01-01") + pd.to_timedelta(np.arange(1000) % 200, unit="D")
    later = days + pd.Timedelta(days=100)
    found = compared(days, later, pa.timestamp("us"))
    assert found.psi > 1
    assert found.trained.bins.names[0] == "up to 1998-01-20 00:00:00"
    missing = days.to_series().mask(np.arange(1000) < 500)
    assert compared(days, missing.to_numpy(), pa.timestamp("us")).missing_share == 0.5


def test_a_new_text_and_a_text_that_went_are_seen():
    cities = pd.Series(["Rome", "Oslo", "Bern", None] * 250, dtype="str")
    assert compared(cities, cities[::-1], pa.string()).psi == 0
    moved = cities.replace("Oslo", "Lima")
    found = compared(cities, moved, pa.string())
    assert found.trained.bins.names == ["Bern", "Oslo", "Rome", "other", "missing"]
    assert found.shares.tolist() == [0.25, 0, 0.25, 0.25, 0.25]
    assert found.psi > 1


def test_rare_texts_are_not_kept():
    names = pd.Series([f"customer {number}" for number in range(1000)], dtype="str")
    [column] = of_features(pd.DataFrame({"f": names}), {"f": pa.string()}, seed=0)
    assert column.bins.names == ["other", "missing"]
    assert column.shares == (1, 0)


def test_at_most_twenty_texts_have_a_bin():
    names = pd.Series([f"shop {number % 40}" for number in range(1000)], dtype="str")
    [column] = of_features(pd.DataFrame({"f": names}), {"f": pa.string()}, seed=0)
    assert len(column.bins.names) == 22


# Rows that are compared


def reference_of(values: np.ndarray) -> Reference:
    return Reference([Column.of("f", FEATURE, bins.of(pa.float64(), values), values)])


def tallied(values: np.ndarray, total: int | None, rows: int) -> Drift:
    """Compare 100 rows at most, given in batches of `rows`, the last one first."""
    tally = Tally(reference_of(np.arange(50.0)), total, most=100)
    starts = range(0, len(values), rows)
    # In their order where only that tells how many there are.
    for start in starts if total is None else reversed(starts):
        tally.add_features(start, pd.DataFrame({"f": values[start : start + rows]}))
    [found] = tally.drifts()
    return found


@pytest.mark.parametrize("count", [1, 99, 100, 101, 200, 201, 1000, 3210])
@pytest.mark.parametrize("rows", [7, 64, 5000])
def test_the_rows_compared_are_the_same_whatever_the_batches(count: int, rows: int):
    values = np.random.default_rng(count).uniform(0, 60, count)
    known, unknown = tallied(values, count, rows), tallied(values, None, rows)
    assert known.rows == unknown.rows
    assert min(count, 50) <= known.rows <= 100
    assert known.shares.tolist() == unknown.shares.tolist()
    assert known.shares.tolist() == tallied(values, count, count).shares.tolist()


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_neither_threads_nor_batches_change_what_is_told(trained: Bench, suffix: str) -> None:
    data = trained.write(f"many.{suffix}", normal(5000, 0.5))
    expected = None
    for threads, batch_rows in ((1, 5000), (4, 113), (1, 113), (4, 1000)):
        assert trained.apply(data, threads=threads, batch_rows=batch_rows, constants=RUN) == 0
        found = told(trained)
        assert expected in (None, found)
        expected = found


# What is told


def test_data_like_those_of_the_training_are_not_warned_of(trained: Bench) -> None:
    assert trained.apply(normal(2000)) == 0
    assert "warning" not in trained.told
    content = told(trained)
    assert content["warnings"] == []
    assert content["limits"]["drift_warn"] == 0.25
    assert [each["feature"] for each in content["columns"]] == ["x", "probability"]
    for each in content["columns"]:
        assert each["psi"] < 0.1
        assert each["rows_compared"] == 2000
        assert sum(one["share"] for one in each["bins"]) == pytest.approx(1)
    assert not (trained.folder / "drift.parquet").exists()


def test_a_feature_that_moved_is_named_and_so_is_the_score(trained: Bench) -> None:
    assert trained.apply(normal(2000, 3), constants=RUN) == 0
    [warning] = told(trained)["warnings"]
    assert warning.startswith("The data are unlike those of the training of 1998-04-01, by psi: ")
    assert "score probability " in warning
    assert ", x " in warning or ": x " in warning
    assert warning.endswith("(above drift_warn = 0.25)")
    assert f"warning: {warning}" in trained.told


def test_the_table_has_a_row_for_each_feature_and_one_for_the_score(trained: Bench) -> None:
    data = normal(1000)
    data["x"][:250] = np.nan
    assert trained.apply(data, constants=RUN) == 0
    table = pq.read_table(trained.folder / "drift.parquet")
    assert table.column_names[:4] == ["date", "model_date", "run_id", "feature"]
    first, second = table.to_pylist()
    assert (first["feature"], first["role"]) == ("x", "feature")
    assert (second["feature"], second["role"]) == ("probability", "score")
    for row in (first, second):
        assert row["date"] == datetime.date(1998, 4, 2)
        assert row["model_date"] == datetime.date(1998, 4, 1)
        assert row["run_id"] == "job-1"
        assert row["rows_compared"] == 1000
    assert first["missing_share"] == 0.25
    assert first["missing_share_training"] == 0
    assert first["psi"] == by_name(trained)["x"]["psi"]


def test_limits_can_be_moved_and_taken_away(trained: Bench) -> None:
    assert trained.apply(normal(2000, 3), drift_warn=None) == 0
    assert told(trained)["warnings"] == []
    assert trained.apply(normal(2000, 0.5), drift_warn=0.1) == 0
    assert "drift_warn = 0.1" in told(trained)["warnings"][0]


def test_what_is_missing_more_often_is_warned_of(trained: Bench) -> None:
    data = normal(1000)
    data["x"][:100] = np.nan
    assert trained.apply(data, drift_warn=None, missing_warn=0.05) == 0
    assert told(trained)["warnings"] == [
        "Shares of nulls are unlike those of the training: x 0 to 0.1"
        " (by more than missing_warn = 0.05)"
    ]
    assert trained.apply(data, missing_warn=0.2, drift_warn=None) == 0
    assert told(trained)["warnings"] == []


def test_drift_above_the_stop_is_refused_and_nothing_is_written(trained: Bench) -> None:
    assert trained.apply(normal(2000, 3), constants=RUN, drift_stop=0.5) == 1
    for words in (
        "is not as it was in the training of 1998-04-01: its psi is ",
        "above drift_stop = 0.5, as in 1 more. Nothing was written. Look where",
    ):
        assert words in trained.error
    assert not trained.output.exists()
    assert not list(trained.folder.glob("*drift*"))
    assert not list(trained.folder.glob(".*"))


def test_too_much_that_is_missing_is_refused(trained: Bench) -> None:
    data = normal(1000)
    data["x"][:400] = np.nan
    assert trained.apply(data, missing_stop=0.3) == 1
    assert (
        "x is not as it was in the training: its share of nulls is 0.4 and was 0, which differs by"
        " more than missing_stop = 0.3" in trained.error
    )
    assert not trained.output.exists()


@pytest.mark.parametrize("value", [0, -1, True, "much"])
def test_a_limit_must_be_above_zero(trained: Bench, value: Any) -> None:
    assert trained.apply(normal(10), drift_stop=value) == 1
    assert "`drift_stop` is" in trained.error


# What is kept


def test_a_model_that_keeps_no_reference_is_applied_all_the_same(trained: Bench) -> None:
    (trained.model / "reference.json").unlink()
    assert trained.apply(normal(2000, 3), constants=RUN, drift_stop=0.1) == 0
    assert trained.predictions.num_rows == 2000
    assert told(trained)["note"].startswith("This model keeps no reference")
    assert not (trained.folder / "drift.parquet").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 2, "columns": []}', '{"format": 1}'])
def test_a_broken_reference_is_named(trained: Bench, text: str) -> None:
    (trained.model / "reference.json").write_text(text)
    assert trained.apply(normal(10)) == 1
    assert "reference.json cannot be read: " in trained.error
    assert "Train the model anew." in trained.error


def test_the_reference_of_the_score_is_that_of_rows_held_out(bench: Bench) -> None:
    data = bench.training_data(
        day=[datetime.date(1998, 1, 1)] * 300 + [datetime.date(1998, 2, 1)] * 100
    )
    data["x"][300:] += 3
    assert bench.train(data, date_column="day", holdout=0.25) == 0
    kept = json.loads((bench.model / "reference.json").read_text())["columns"]
    assert [(each["name"], each["rows"]) for each in kept] == [("x", 400), ("probability", 100)]
    assert kept[1]["edges"][0] > 0.6


def test_a_model_without_a_score_has_its_features_compared(bench: Bench) -> None:
    assert bench.train(kind="none", label=None, ignore=["y"]) == 0
    assert bench.apply(normal(50)) == 0
    assert list(by_name(bench)) == ["x"]


def test_a_feature_may_be_called_as_the_score_is(bench: Bench) -> None:
    data = bench.training_data()
    data["probability"] = np.linspace(0, 1, 400)
    assert bench.train(data) == 0
    assert bench.apply({**normal(500), "probability": np.full(500, 9.0)}, constants=RUN) == 0
    table = pq.read_table(bench.folder / "drift.parquet").to_pylist()
    roles = {(each["feature"], each["role"]) for each in table}
    assert {("probability", "feature"), ("probability", "score")} < roles
    assert ": probability " in told(bench)["warnings"][0]


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        (["a", "b"] * 50, 1),
        ([True, False] * 50, 1),
        ([2**60, 2**60 + 1], 1),
        ([[1, 2], [3]], 0),
        ([None] * 100, 0),
    ],
)
def test_a_score_may_be_a_verdict(values: Any, kept: int) -> None:
    assert len(of_score(pd.DataFrame({"label": values}), "label", ["id"])) == kept


def test_types_of_all_kinds_are_compared(bench: Bench) -> None:
    more = {
        "city": ["Rome", "Oslo"] * 200,
        "member": [True, None] * 200,
        "since": [datetime.date(1998, 1, 1 + number % 28) for number in range(400)],
        "seen": pa.array(range(400), pa.timestamp("us", "UTC")),
        "times": list(range(400)),
    }
    data = bench.training_data(**more)
    assert bench.train(data) == 0
    assert bench.apply({name: data[name] for name in data if name != "y"}, batch_rows=70) == 0
    found = by_name(bench)
    assert set(found) == {"x", *more, "probability"}
    assert all(each["psi"] == 0 for name, each in found.items() if name != "probability")
    assert bench.apply({**{n: data[n] for n in data if n != "y"}, "city": [None] * 400}) == 0
    assert by_name(bench)["city"]["missing_share"] == 1
