"""The example's own tests: they go when the model is replaced."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

from prediction.tests.bench import Bench

CONFIGS = Path("prediction/configs")
LABEL = "churned"


class Shipped(Bench):
    """The shipped configs, with what they write moved into the bench."""

    def keys(self, action: str, **change: Any) -> dict[str, Any]:
        shipped = json.loads((CONFIGS / f"{action}.json").read_text())
        moved = {"model_path": self.model}
        if action == "application":
            moved["output_path"] = self.output
        return {**shipped, **moved, **change}

    def do(self, action: str, **change: Any) -> int:
        return self.run(action, self.config("c.json", **self.keys(action, **change)))


@pytest.fixture
def shipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shipped:
    monkeypatch.chdir(Path(__file__).parents[2])
    return Shipped(tmp_path, capsys)


def test_the_shipped_configs_train_and_apply(shipped: Shipped) -> None:
    assert shipped.do("training") == 0
    metrics = shipped.description["metrics"]
    assert 0.7 < metrics["roc_auc"] < 0.95
    assert metrics["log_loss"] < 0.5
    assert shipped.do("application") == 0
    table = shipped.predictions
    assert table.column_names == ["customer_id", "label", "probability"]
    probability = table["probability"].to_numpy()
    assert ((probability > 0) & (probability < 1)).all()
    assert (table["label"].to_numpy() == (probability > 0.5)).all()
    asked = pa.csv.read_csv(shipped.keys("application")["data_path"])
    assert table["customer_id"].to_pylist() == asked["customer_id"].to_pylist()
    # Recent buyers are less likely to be lost.
    recency = asked["recency_days"].to_numpy()
    assert probability[recency < 30].mean() < probability[recency > 180].mean() - 0.2


def test_the_label_does_not_leak_into_the_features(shipped: Shipped) -> None:
    assert shipped.do("training") == 0
    names = [one["name"] for one in shipped.description["features"]]
    assert len(names) == 10
    assert LABEL not in names
    assert "customer_id" not in names
    # Labels dealt anew at random cannot be predicted, unless something tells them.
    table = pa.csv.read_csv(shipped.keys("training")["data_path"])
    dealt = np.random.default_rng(0).permutation(table[LABEL].to_numpy(zero_copy_only=False))
    place = table.schema.get_field_index(LABEL)
    data = shipped.folder / "dealt.csv"
    pa.csv.write_csv(table.set_column(place, LABEL, pa.array(dealt)), data)
    assert shipped.do("training", data_path=data, floors={}, ceilings={}) == 0
    assert 0.4 < shipped.description["metrics"]["roc_auc"] < 0.6


def test_the_same_data_make_the_same_model(shipped: Shipped) -> None:
    assert shipped.do("training") == 0
    first = shipped.description["files"]
    assert shipped.do("training") == 0
    assert shipped.description["files"] == first


def test_a_model_without_its_label_says_so(shipped: Shipped) -> None:
    assert shipped.do("training", parameters={"label": "lost"}) == 1
    assert "label 'lost' is missing. Name it in `parameters`" in shipped.error
