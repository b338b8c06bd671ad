import json
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from prediction.tests.bench import Bench

MODELS = "prediction.tests.models:"


def test_a_model_that_knows_only_fit_and_predict_is_trained_and_described(bench: Bench) -> None:
    window = {"start": "1998-01-01", "stop": "1998-04-01"}
    assert bench.train(training_window=window, parameters={"slope": 2}, description="why") == 0
    told = bench.description
    assert told["features"] == [{"name": "x", "type": "double"}]
    assert told["key"] == [{"name": "id", "type": "int64"}]
    assert [one["type"] for one in told["predicted"]] == ["bool", "double"]
    assert (told["kind"], told["label"], told["rows"]) == ("binary", "y", 400)
    assert (told["training_window"], told["parameters"]) == (window, {"slope": 2})
    assert set(told["metrics"]) == {"roc_auc", "average_precision", "log_loss", "brier"}
    assert told["metrics"] == json.loads((bench.model / "metrics.json").read_text())
    assert {"numpy", "pandas", "pyarrow"} <= set(told["libraries"])
    assert len(told["files"]["model.joblib"]["sha256"]) == 64
    assert not list(bench.folder.glob(".*"))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"floors": {"roc_auc": 0.999}}, r"roc_auc is 0.8\d+, below its floor 0.999"),
        ({"ceilings": {"brier": 0.01}}, r"brier is 0.1\d+, above its ceiling 0.01"),
        ({"floors": {"auc": 0.5}}, r"no metric 'auc'.*There are: roc_auc, average_precision"),
    ],
)
def test_a_model_that_is_not_good_enough_is_refused_and_leaves_nothing(
    bench: Bench, limits: Any, words: str
) -> None:
    assert bench.train(**limits) == 1
    assert re.search(words, bench.error)
    assert not bench.model.exists()


def test_a_refused_training_leaves_the_model_that_was_there(bench: Bench) -> None:
    assert bench.train() == 0
    before = bench.description
    assert bench.train(floors={"roc_auc": 0.999}) == 1
    assert bench.description == before


def test_the_saved_model_is_fitted_on_all_rows_unless_refit_is_false(bench: Bench) -> None:
    columns = bench.training_data()
    means = {}
    for refit in (True, False):
        assert bench.train(columns, refit=refit, model=MODELS + "OwnFile") == 0
        means[refit] = float((bench.model / "model").read_text().split()[1])
    assert means[True] == pytest.approx(columns["x"].mean(), abs=1e-12)
    assert means[False] != pytest.approx(means[True], abs=1e-6)


def test_with_several_dates_the_latest_are_held_out(bench: Bench) -> None:
    rows = 400
    columns = bench.training_data(rows, month=np.repeat(["1998-01", "1998-02"], rows // 2))
    columns["id"] = np.tile(np.arange(rows // 2), 2)
    columns["x"][: rows // 2] = np.minimum(columns["x"][: rows // 2], 1)
    columns["x"][-1] = 7.5
    assert bench.train(columns, date_column="month", model=MODELS + "Measured") == 0
    metrics = bench.description["metrics"]
    assert (metrics["held_out"], metrics["largest"]) == (rows // 2, 7.5)
    assert [one["name"] for one in bench.description["features"]] == ["x"]


def test_the_rows_held_out_do_not_depend_on_the_order_of_rows(bench: Bench) -> None:
    columns = bench.training_data()
    assert bench.train(columns) == 0
    before = bench.description["metrics"]
    backwards = {name: values[::-1] for name, values in columns.items()}
    assert bench.train(backwards, refit=False) == 0
    assert bench.description["metrics"] == pytest.approx(before, rel=1e-9)
    assert bench.train(columns, seed=1) == 0
    assert bench.description["metrics"] != pytest.approx(before, rel=1e-9)


def test_a_model_adds_metrics_of_its_own(bench: Bench) -> None:
    assert bench.train(model=MODELS + "Measured", floors={"held_out": 80}) == 0
    assert bench.description["metrics"]["held_out"] == 80


def test_regression_is_measured(bench: Bench) -> None:
    columns = bench.training_data()
    columns["y"] = columns["x"] * 2
    keys = {"kind": "regression", "model": MODELS + "Value", "parameters": {"slope": 2}}
    assert bench.train(columns, **keys) == 0
    assert bench.description["metrics"] == pytest.approx({"rmse": 0, "mae": 0, "r2": 1})


def test_many_classes_are_measured_one_by_one(bench: Bench) -> None:
    columns = bench.training_data()
    columns["y"] = np.where(columns["y"], "high", "low")
    assert bench.train(columns, kind="multiclass", model=MODELS + "Classes") == 0
    metrics = bench.description["metrics"]
    assert {"accuracy", "recall_high", "precision_low", "f1_low", "log_loss"} <= set(metrics)
    assert 0.6 < metrics["accuracy"] < 0.9


def test_predictions_of_another_type_than_the_classes_are_refused(bench: Bench) -> None:
    columns = bench.training_data()
    columns["y"] = np.where(columns["y"], "high", "low")
    assert bench.train(columns, kind="multiclass") == 1
    assert "predict returned column 'label' as bool, and the label 'y' is str" in bench.error


def test_predictions_with_fractions_are_no_classes(bench: Bench) -> None:
    data = {**bench.training_data(), "y": np.arange(400) % 3}
    assert bench.train(data, kind="multiclass", model=MODELS + "Value") == 1
    assert "predict returned column 'label' with fractions, and a class" in bench.error


def test_without_a_kind_there_are_no_metrics(bench: Bench) -> None:
    columns = bench.training_data()
    del columns["y"]
    assert bench.train(columns, kind="none", label=None) == 0
    assert bench.description["metrics"] == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"id": [7] * 400}, "some keys have several rows: 7. Make it one row per key"),
        ({"id": [None, *range(399)]}, "key 'id' is null in 1 rows, the first is row 1"),
        ({"id": np.arange(400.0)}, "key 'id' is double. Cast it to INT64, STRING"),
        (
            {"y": [None] + [True, False, True] * 133},
            "label 'y' is null in 1 rows, the first with",
        ),
        (
            {"y": [np.nan] + [1.0, 0.0, 1.0] * 133},
            "label 'y' is NaN in 1 rows, the first with key 0",
        ),
        ({"y": [True] * 400}, "label 'y' has one class only, True"),
        ({"y": np.arange(400) % 3}, "label 'y' has the values 0, 1, 2. A binary label is BOOL"),
        ({"x": [np.inf] + [1.0] * 399}, "column 'x' is infinite in 1 rows, the first with key 0"),
        ({"big": [2**53 + 1] * 400}, "column 'big' holds whole numbers beyond 2**53"),
        ({"tags": [["a"]] * 400}, "column 'tags' is list<element: string>, which no model here"),
        ({"empty": [None] * 400}, "column 'empty' is empty in every row"),
    ],
)
def test_data_that_no_model_can_learn_from_is_refused(
    bench: Bench, change: Any, words: str
) -> None:
    assert bench.train({**bench.training_data(), **change}) == 1
    assert words in bench.error
    assert not bench.model.exists()


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (pa.array([np.nan, *[1.0, 2.0, 3.0] * 133]), "label 'y' is NaN in 1 rows, the first with"),
        (pa.array([["a"], ["b"]] * 200), "label 'y' is list<element: string>, which no model here"),
        (pa.array([b"a", b"b"] * 200), "label 'y' is binary, which no model here can learn. Cast"),
        (pa.array([0.5, *[1.0, 2.0, 3.0] * 133]), "label 'y' has the value 0.5, and a class that"),
        (
            pa.array([Decimal("1.25"), Decimal("2.00")] * 200, pa.decimal128(9, 2)),
            "label 'y' has the value 1.25, and a class that is a number is a whole one. Cast it",
        ),
    ],
)
def test_a_label_that_is_no_class_is_refused(bench: Bench, label: pa.Array, words: str) -> None:
    data = {**bench.training_data(), "y": label}
    assert bench.train(data, kind="multiclass", model="prediction.tests.models:Classes") == 1
    assert words in bench.error


def test_a_value_that_would_be_rounded_is_refused_by_its_name(bench: Bench) -> None:
    data = {**bench.training_data(), "y": [2**53 + 1, *range(399)]}
    assert bench.train(data, kind="regression", model="prediction.tests.models:Value") == 1
    assert "column 'y' holds whole numbers beyond 2**53" in bench.error


def test_a_column_that_the_config_names_must_be_there(bench: Bench) -> None:
    assert bench.train(label="churned") == 1
    assert (
        "column 'churned', which the config names, is missing. There are: id, x, y" in bench.error
    )


def test_data_without_rows_are_refused(bench: Bench) -> None:
    columns = {name: values[:0] for name, values in bench.training_data().items()}
    assert bench.train(columns) == 1
    assert "training.parquet has no rows" in bench.error


def test_too_few_rows_to_hold_any_out_are_refused(bench: Bench) -> None:
    assert bench.train(bench.training_data(4), holdout=0.01) == 1
    assert "leaves nothing to fit on, or to measure on" in bench.error


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "prediction.tests.none:Plain",
            "cannot be imported: No module named 'prediction.tests.none'",
        ),
        (MODELS + "None_", "cannot be imported: module 'prediction.tests.models' has no attribute"),
        (MODELS + "NoPredict", "models:NoPredict has no predict"),
        (MODELS + "Array", "predict returned ndarray. Return a DataFrame"),
        (MODELS + "OtherIndex", "predict returned another index than it was given"),
        (MODELS + "FewerRows", "predict returned 79 rows for 80"),
        (MODELS + "NamesTheKey", "predict returned a column named 'id'"),
        (MODELS + "Value", "predict returned no column 'probability'"),
        (MODELS + "OfTheBatch", "given in pieces, column 'label' differs"),
        (
            MODELS + "Counting",
            "given a second time, column 'label' differs in 400 rows (key 0: ",
        ),
    ],
)
def test_a_class_that_does_not_keep_to_its_contract_is_refused(
    bench: Bench, model: str, words: str
) -> None:
    assert bench.train(model=model) == 1
    assert words in bench.error
    assert not bench.model.exists()


def test_a_module_that_python_cannot_read_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bench.folder / "slipped.py").write_text("class Model\n")
    monkeypatch.syspath_prepend(bench.folder)
    assert bench.train(model="slipped:Model") == 1
    assert "slipped:Model cannot be imported: expected ':' (slipped.py, line 1)" in bench.error


def test_parameters_that_the_class_does_not_take_are_refused(bench: Bench) -> None:
    assert bench.train(parameters={"depth": 3}) == 1
    assert (
        "does not take these `parameters`: got an unexpected keyword argument 'depth'"
        in bench.error
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"drift_stp": 1.0},
            "application.json: unknown key `drift_stp`. Did you mean `drift_stop`?",
        ),
        ({"drift_stop": -1}, "application.json: `drift_stop` is -1"),
    ],
)
def test_an_application_config_that_would_be_kept_with_the_model_must_be_right(
    bench, content, message
):
    bench.model.mkdir()
    (bench.model / "application.json").write_text(json.dumps(content))
    assert bench.train() == 1
    assert message in bench.told
    (bench.model / "application.json").write_text(json.dumps({"drift_stop": 1.0}))
    assert bench.train() == 0
