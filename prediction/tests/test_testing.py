import json
from typing import Any

import numpy as np
import pytest

from prediction.tests.bench import Bench


@pytest.fixture
def trained(bench: Bench) -> Bench:
    assert bench.train() == 0
    return bench


def measure(bench: Bench, data: dict[str, Any], name: str = "unseen.parquet", **keys: Any) -> int:
    path = bench.write(name, data)
    usual = {"data_path": path, "model_path": bench.model, "metrics_path": metrics_file(bench)}
    return bench.run("testing", bench.config("testing.json", **{**usual, **keys}))


def metrics_file(bench: Bench) -> Any:
    return bench.folder / "out" / "tested.json"


def unseen(rows: int = 300, noise: float = 1.0) -> dict[str, Any]:
    random = np.random.default_rng(1)
    x = random.normal(size=rows)
    return {"id": np.arange(rows), "x": x, "y": x + noise * random.normal(size=rows) > 0}


@pytest.mark.parametrize("name", ["unseen.parquet", "unseen.csv"])
def test_a_model_is_measured_on_rows_that_it_has_not_seen(trained: Bench, name: str) -> None:
    assert measure(trained, unseen(), name) == 0
    found = json.loads(metrics_file(trained).read_text())
    assert found["rows"] == 300
    assert set(found["metrics"]) == {"roc_auc", "average_precision", "log_loss", "brier"}
    assert 0.7 < found["metrics"]["roc_auc"] < 1
    assert found["trained"] == trained.description["metrics"]


def test_rows_that_are_easier_are_measured_as_such(trained: Bench) -> None:
    assert measure(trained, unseen(noise=0.0)) == 0
    assert json.loads(metrics_file(trained).read_text())["metrics"]["roc_auc"] == 1.0


def test_rows_without_a_label_are_refused(trained: Bench) -> None:
    data = unseen()
    del data["y"]
    assert measure(trained, data) == 1
    assert "the label 'y' is missing. There are: id, x." in trained.error
    assert not metrics_file(trained).exists()


def test_a_label_that_is_null_is_refused(trained: Bench) -> None:
    data = unseen(3)
    data["y"] = [True, None, False]
    assert measure(trained, data) == 1
    assert "label 'y' is null in 1 rows" in trained.error


def test_a_model_without_a_label_can_not_be_tested(bench: Bench) -> None:
    assert bench.train(kind="none", label=None, ignore=["y"]) == 0
    assert measure(bench, unseen()) == 1
    assert "was trained without a label" in bench.error


def test_the_metrics_go_into_a_json_file(trained: Bench) -> None:
    assert measure(trained, unseen(), metrics_path=str(trained.folder / "tested.txt")) == 1
    assert "`metrics_path` is" in trained.error
    assert "it must end in .json" in trained.error
