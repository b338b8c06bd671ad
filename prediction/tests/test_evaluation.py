"""Predictions against what has happened since."""

import datetime
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from prediction.tests.bench import Bench

MOMENT = "2024-06-01T04:00:00+00:00"
CONSTANTS = {
    "date": {"type": "date", "value": "2024-03-05"},
    "run_id": "toy-application-1",
    "evaluated_at": {"type": "timestamp", "value": MOMENT},
}


def evaluate(bench: Bench, labels: Mapping[str, Any], name: str = "labels.parquet") -> int:
    """Measure what `bench` has predicted by `labels`."""
    return bench.run(
        "evaluation",
        bench.config(
            "evaluation.json",
            data_path=bench.write(name, labels),
            predictions_path=bench.output,
            model_path=bench.model,
            evaluation_path=bench.folder / "evaluation",
            constants=CONSTANTS,
        ),
    )


def row(bench: Bench) -> dict[str, Any]:
    [found] = pq.read_table(bench.folder / "evaluation" / "part-0.parquet").to_pylist()
    return dict(found)


def told(bench: Bench) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((bench.folder / "evaluation/metrics.json").read_text())
    return content


def rows(count: int = 300, **more: Any) -> dict[str, Any]:
    return {"id": np.arange(count), "x": np.random.default_rng(1).normal(size=count), **more}


@pytest.fixture
def applied(bench: Bench) -> Bench:
    """A binary model that has predicted 300 rows, with keys from 0 to 299."""
    assert bench.train() == 0
    assert bench.apply(rows()) == 0
    return bench


def truth(count: int = 300) -> np.ndarray:
    random = np.random.default_rng(2)
    return rows(count)["x"] + random.normal(size=count) > 0


@pytest.mark.parametrize("name", ["labels.parquet", "labels.csv"])
def test_chances_are_measured_as_scikit_learn_measures_them(applied: Bench, name: str) -> None:
    # In another order than the predictions: rows meet by their key.
    order = np.random.default_rng(3).permutation(300)
    assert evaluate(applied, {"id": order, "y": truth()[order]}, name) == 0
    chance = applied.predictions["probability"].to_numpy()
    found = row(applied)
    assert found["rows"] == 300
    assert found["unlabelled"] == 0
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth(), chance))
    assert found["average_precision"] == pytest.approx(sk.average_precision_score(truth(), chance))
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth(), chance))
    assert found["brier"] == pytest.approx(sk.brier_score_loss(truth(), chance))
    assert found["actual"] == pytest.approx(truth().mean())
    assert found["predicted"] == pytest.approx(chance.mean())


def test_the_row_has_the_constants_and_the_types_of_a_table(applied: Bench) -> None:
    assert evaluate(applied, {"id": np.arange(300), "y": truth()}) == 0
    found = row(applied)
    assert found["date"] == datetime.date(2024, 3, 5)
    assert found["run_id"] == "toy-application-1"
    assert found["evaluated_at"] == datetime.datetime.fromisoformat(MOMENT)
    schema = pq.read_schema(applied.folder / "evaluation" / "part-0.parquet")
    assert {schema.field(name).type for name in ("roc_auc", "brier", "actual")} == {pa.float64()}


def test_the_model_itself_is_not_needed(applied: Bench) -> None:
    (applied.model / "model.joblib").unlink()
    assert evaluate(applied, {"id": np.arange(300), "y": truth()}) == 0


def test_predictions_without_a_label_are_counted_and_left_out(applied: Bench) -> None:
    # Labels of keys that were not predicted for are nobody's mistake.
    assert evaluate(applied, {"id": np.arange(100, 400), "y": truth()}) == 0
    found = row(applied)
    assert (found["rows"], found["unlabelled"]) == (200, 100)
    chance = applied.predictions["probability"].to_numpy()[100:]
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth()[:200], chance))


def test_predictions_without_a_finite_score_are_counted_and_left_out(bench: Bench) -> None:
    assert bench.train(model="prediction.tests.models:Unsure") == 0
    x = rows()["x"]
    x[0], x[1] = np.nan, 2000
    assert bench.apply({"id": np.arange(300), "x": x}) == 0
    assert bench.predictions["probability"].null_count == 1
    assert evaluate(bench, {"id": np.arange(290), "y": truth()[:290]}) == 0
    counts = {"rows": 288, "unlabelled": 10, "unscored": 2}
    assert {name: row(bench)[name] for name in counts} == counts
    assert {name: told(bench)[name] for name in counts} == counts
    chance = bench.predictions["probability"].to_numpy()[2:290]
    assert row(bench)["brier"] == pytest.approx(sk.brier_score_loss(truth()[2:290], chance))
    assert evaluate(bench, {"id": [0, 1], "y": [True, False]}) == 1
    assert "No prediction that has a label has a finite 'probability'" in bench.error


def test_what_training_held_out_is_told_beside_it(applied: Bench) -> None:
    assert evaluate(applied, {"id": np.arange(300), "y": truth()}) == 0
    assert told(applied)["trained"] == applied.description["metrics"]
    assert told(applied)["metrics"]["roc_auc"] == row(applied)["roc_auc"]


def test_a_picture_shows_tenths_of_the_rows(applied: Bench) -> None:
    assert evaluate(applied, {"id": np.arange(300), "y": truth()}) == 0
    groups = told(applied)["reliability"]
    assert [each["rows"] for each in groups] == [30] * 10
    assert [each["predicted"] for each in groups] == sorted(each["predicted"] for each in groups)
    picture = (applied.folder / "evaluation" / "reliability.svg").read_text()
    assert picture.startswith("<svg")
    assert "src=" not in picture  # nothing is fetched


def test_one_class_leaves_empty_what_needs_two(applied: Bench) -> None:
    assert evaluate(applied, {"id": np.arange(300), "y": np.full(300, fill_value=True)}) == 0
    found = row(applied)
    assert found["roc_auc"] is found["average_precision"] is None
    assert found["log_loss"] > 0
    assert found["actual"] == 1.0


def test_a_label_may_be_stored_as_a_dictionary(bench: Bench) -> None:
    grades = pa.array(np.where(truth(), "high", "low")).dictionary_encode()
    named = {"model": "prediction.tests.models:Classes", "kind": "multiclass", "label": "grade"}
    assert bench.train({**rows(), "grade": grades}, **named) == 0
    assert bench.apply(rows()) == 0
    assert evaluate(bench, {"id": np.arange(300), "grade": grades}) == 0
    assert row(bench)["accuracy"] > 0.6


def test_zero_and_one_are_a_binary_label_too(applied: Bench) -> None:
    assert evaluate(applied, {"id": np.arange(300), "y": truth().astype(int)}) == 0
    assert 0.6 < row(applied)["roc_auc"] < 1


def test_classes_are_measured_in_columns_that_stay_the_same(bench: Bench) -> None:
    label = np.where(truth(), "high", "low")
    named = {"model": "prediction.tests.models:Classes", "kind": "multiclass", "label": "grade"}
    assert bench.train({**rows(), "grade": label}, **named) == 0
    assert bench.apply(rows()) == 0
    assert evaluate(bench, {"id": np.arange(300), "grade": label}) == 0
    guess = bench.predictions["label"].to_pylist()
    found = row(bench)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(label, guess))
    assert found["f1"] == pytest.approx(sk.f1_score(label, guess, average="macro"))
    assert found["log_loss"] == pytest.approx(
        sk.log_loss(label == "high", bench.predictions["probability_high"].to_numpy())
    )
    assert told(bench)["trained"]["f1"] > 0
    names = set(found)
    assert evaluate(bench, {"id": np.arange(300), "grade": ["low"] * 300}) == 0
    assert set(row(bench)) == names
    assert not (bench.folder / "evaluation" / "reliability.svg").exists()


def test_a_models_own_metrics_are_no_classes(bench: Bench) -> None:
    label = np.where(truth(), "high", "low")
    named = {"model": "prediction.tests.models:OwnClasses", "kind": "multiclass", "label": "grade"}
    assert bench.train({**rows(), "grade": label}, **named) == 0
    assert bench.apply(rows()) == 0
    assert evaluate(bench, {"id": np.arange(300), "grade": label}) == 0
    held_out = bench.description["metrics"]
    for name in ("precision", "recall", "f1"):
        mean = (held_out[f"{name}_high"] + held_out[f"{name}_low"]) / 2
        assert told(bench)["trained"][name] == pytest.approx(mean)


def test_values_are_measured_as_scikit_learn_measures_them(bench: Bench) -> None:
    value = rows()["x"] * 2 + 1
    named = {"model": "prediction.tests.models:Value", "kind": "regression", "label": "spent"}
    assert bench.train({**rows(), "spent": value}, **named) == 0
    assert bench.apply(rows()) == 0
    assert evaluate(bench, {"id": np.arange(300), "spent": value}) == 0
    guess = bench.predictions["label"].to_numpy()
    found = row(bench)
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(value, guess))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(value, guess))
    assert found["r2"] == pytest.approx(sk.r2_score(value, guess))
    assert found["actual"] == pytest.approx(value.mean())
    assert found["predicted"] == pytest.approx(guess.mean())


def test_a_key_may_have_several_columns_of_any_type(bench: Bench) -> None:
    days = [datetime.date(2024, 1, 1 + n % 3) for n in range(300)]
    key = {"shop": [f"s{n // 3}" for n in range(300)], "day": days}
    data = {**key, "x": rows()["x"], "y": truth()}
    assert bench.train(data, key=["shop", "day"]) == 0
    assert bench.apply({name: data[name] for name in ("shop", "day", "x")}) == 0
    order = np.random.default_rng(3).permutation(300)[:250]
    labels = {name: [values[n] for n in order] for name, values in key.items()}
    assert evaluate(bench, {**labels, "y": truth()[order]}) == 0
    chance = bench.predictions["probability"].to_numpy()
    found = row(bench)
    assert (found["rows"], found["unlabelled"]) == (250, 50)
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth()[order], chance[order]))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"id": [1, 2]}, "column 'y' is missing. There are: id. Return it from the query of"),
        ({"y": [True, False]}, "column 'id' is missing. There are: y."),
        ({"id": [1, 2], "y": [True, None]}, "label 'y' is null in 1 rows. Leave such rows out in"),
        ({"id": [1, 2, 3], "y": [1.0, float("nan"), 0.0]}, "label 'y' is NaN in 1 rows. Leave"),
        ({"id": [1, 2], "y": [1, 2]}, "label 'y' has the values 1, 2. A binary label is BOOL"),
        ({"id": [1, 2], "y": ["True", "False"]}, "label 'y' has the values True, False."),
        ({"id": [1, 1], "y": [True, False]}, "some keys have several rows: 1."),
        ({"id": [1, None], "y": [True, False]}, "key 'id' is null in 1 rows"),
        ({"id": ["a", "b"], "y": [True, False]}, "key 'id' is string, and was int64 at training"),
        ({"id": [1000], "y": [True]}, "None of the 300 predictions has a label"),
    ],
)
def test_labels_that_are_no_labels_are_refused(
    applied: Bench, labels: dict[str, Any], words: str
) -> None:
    assert evaluate(applied, labels) == 1
    assert words in applied.error
    assert not (applied.folder / "evaluation").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_value_that_is_no_number_is_refused(bench: Bench, value: Any) -> None:
    named = {"model": "prediction.tests.models:Value", "kind": "regression", "label": "spent"}
    assert bench.train({**rows(), "spent": rows()["x"]}, **named) == 0
    assert bench.apply(rows()) == 0
    assert evaluate(bench, {"id": [1, 2, 3], "spent": [0.5, value, 1.5]}) == 1
    assert "label 'spent' is " in bench.error


def test_a_model_without_a_label_has_no_truth(bench: Bench) -> None:
    assert bench.train(kind="none", label=None, ignore=["y"]) == 0
    assert bench.apply(rows()) == 0
    assert evaluate(bench, {"id": [1], "y": [True]}) == 1
    assert "was trained without a label (kind none), so there is no truth" in bench.error


def test_a_constant_that_is_a_figure_is_refused(
    applied: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONSTANTS, "brier", "x")
    assert evaluate(applied, {"id": np.arange(300), "y": truth()}) == 1
    assert "constant 'brier' is also a figure of the evaluation. Rename it." in applied.error
