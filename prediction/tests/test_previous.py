"""The new model beside the previous one: compared, refused when worse, or not comparable."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prediction.tests.bench import Bench

MODELS = "prediction.tests.models:"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a good model."""
    bench = Bench(tmp_path_factory.mktemp("good"))
    assert bench.train(bench.training_data(u=np.zeros(400))) == 0
    return bench.model


@pytest.fixture
def former(bench: Bench, good: Path) -> Bench:
    """A bench with a good model in `former`."""
    shutil.copytree(good, bench.folder / "former")
    return bench


def retrain(bench: Bench, data: Any = None, /, **keys: Any) -> int:
    data = bench.training_data(u=np.zeros(400)) if data is None else data
    return bench.train(data, previous_path=bench.folder / "former", **keys)


def worse(slope: float = -1.0) -> dict[str, Any]:
    """What makes the new model the worse one: it takes the last for the first."""
    return {"parameters": {"slope": slope}}


def test_the_previous_model_is_measured_on_the_same_rows(former: Bench) -> None:
    assert retrain(former) == 0
    assert former.card["previous"]["compared"]
    for found in former.card["metrics"].values():
        assert found["previous"] == pytest.approx(found["value"], abs=0.05)
        assert found["previous_interval"][0] < found["previous"] < found["previous_interval"][1]
    assert "previous model" in former.page
    assert set(former.card["curves"]["roc"]) == {"model", "previous"}


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("roc_auc", r"roc_auc is 0.1"),
        ("log_loss", r"log_loss is 1"),
    ],
)
def test_a_model_that_is_worse_is_refused_and_leaves_nothing(
    former: Bench, metric: str, words: str
) -> None:
    assert retrain(former, **worse(), not_worse_by={metric: 0.02}) == 1
    assert words in former.error
    assert "worse by more than 0.02. Nothing was saved." in former.error
    assert "raise `not_worse_by`" in former.error
    assert not former.model.exists()


@pytest.mark.parametrize("allowed", [{"roc_auc": 0.9}, {"log_loss": 9}, {}])
def test_a_model_that_is_worse_by_less_is_kept(former: Bench, allowed: Any) -> None:
    assert retrain(former, **worse(), not_worse_by=allowed) == 0


def test_a_better_model_is_kept_whatever_the_direction(bench: Bench) -> None:
    assert bench.train(**worse()) == 0
    bench.model.rename(bench.folder / "former")
    limits = {"roc_auc": 0, "average_precision": 0, "log_loss": 0, "brier": 0}
    assert retrain(bench, bench.training_data(), not_worse_by=limits) == 0


@pytest.mark.parametrize(("keys", "status"), [({}, 1), ({"ceilings": {"largest": 99}}, 0)])
def test_a_metric_of_its_own_counts_and_a_ceiling_turns_its_direction(
    bench: Bench, keys: Any, status: int
) -> None:
    class_ = {"model": MODELS + "Sloped", "not_worse_by": {"largest": 0.5}, **keys}
    assert bench.train(model=MODELS + "Sloped", parameters={"slope": 3.0}) == 0
    bench.model.rename(bench.folder / "former")
    assert retrain(bench, bench.training_data(), **class_) == status
    if status:
        assert "largest is 1, and the previous model's is 3" in bench.error


def test_a_metric_that_only_the_new_model_has_is_not_compared(former: Bench) -> None:
    keys = {"model": MODELS + "Measured", "not_worse_by": {"largest": 0}}
    assert retrain(former, **keys) == 0
    told = "warning: The previous model has no largest, so that `not_worse_by` has not guarded it"
    assert told in former.told


def test_a_metric_that_is_not_measured_is_named(former: Bench) -> None:
    assert retrain(former, not_worse_by={"auc": 0.1}) == 1
    assert (
        "no metric 'auc' to compare with the previous model's. There are: roc_auc" in former.error
    )


def test_without_a_previous_model_nothing_is_refused_and_the_log_says_so(
    bench: Bench, caplog: Any
) -> None:
    assert bench.train(**worse(), not_worse_by={"roc_auc": 0}) == 0
    assert "there is no previous model, so `not_worse_by` compares nothing" in caplog.text
    assert "No previous model is compared: there is none." in bench.page


def test_what_is_compared_or_not_asked_for_is_no_warning(former: Bench) -> None:
    assert retrain(former, not_worse_by={"roc_auc": 0.5}) == 0
    assert "warning" not in former.told
    spoil_weights(former)
    assert retrain(former) == 0
    assert "warning" not in former.told


def test_without_rows_held_out_the_card_says_so(former: Bench) -> None:
    assert retrain(former, holdout=0) == 0
    assert "No previous model is compared: no rows were held out to measure it on." in former.page


def spoil_weights(bench: Bench) -> None:
    with (bench.folder / "former" / "model.joblib").open("ab") as file:
        file.write(b"!")


def spoil_library(bench: Bench) -> None:
    path = bench.folder / "former" / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "libraries": {"pandas": "0.1"}}))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_weights, "it was changed after training, and is not loaded"),
        (spoil_library, "was made with pandas 0.1"),
        (lambda bench: shutil.rmtree(bench.folder / "former"), "does not exist. Train a model"),
    ],
)
def test_a_previous_model_that_can_not_be_read_is_told_and_ends_nothing(
    former: Bench, caplog: Any, spoil: Any, words: str
) -> None:
    spoil(former)
    provenance = {"previous": "gs://models/training/date=2024-02-01/job"}
    assert retrain(former, **worse(), not_worse_by={"roc_auc": 0}, provenance=provenance) == 0
    assert not former.card["previous"]["compared"]
    assert words in former.card["previous"]["why_not"]
    assert str(former.folder) not in former.card["previous"]["why_not"]
    assert "the previous model is not compared: " in caplog.text
    [line] = [line for line in former.told.splitlines() if " warning: " in line]
    assert "This model may be worse than the previous one, which it was not compared with" in line
    assert words in line


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"without": "u"}, "it needs the feature &#39;u&#39;, which the data do not have"),
        ({"u": ["a", "b"] * 200}, "its feature &#39;u&#39; is double, and now it is string"),
        ({"label": "z"}, "its label is &#39;y&#39;, and now it is &#39;z&#39;"),
        ({"key": ["id", "k"]}, "its key is id, and now it is id, k"),
        (
            {"kind": "regression"},
            "its kind is &#39;binary&#39;, and now it is &#39;regression&#39;",
        ),
    ],
)
def test_a_previous_model_that_does_not_go_with_the_data_is_told(
    former: Bench, change: Any, words: str
) -> None:
    data = former.training_data(u=change.get("u", np.zeros(400)), k=np.arange(400))
    keys = {name: value for name, value in change.items() if name in ("key", "label", "kind")}
    data.pop(change.get("without", ""), None)
    if "label" in change:
        data["z"] = data.pop("y")
    if change.get("kind"):
        data["y"] = data["y"].astype(int)
        keys["model"] = MODELS + "Value"
    assert retrain(former, data, **keys) == 0
    assert words in former.page


def test_a_previous_model_that_fails_is_told(former: Bench, caplog: Any) -> None:
    data = former.training_data(copy=former.training_data()["x"])
    assert former.train(data, model=MODELS + "Fussy") == 0
    shutil.rmtree(former.folder / "former")
    former.model.rename(former.folder / "former")
    data["copy"] = data["copy"] + 1
    assert retrain(former, data) == 0
    assert "KeyError: 'x is not its copy'" in former.card["previous"]["why_not"]


def test_a_previous_model_of_fewer_features_is_compared(former: Bench) -> None:
    assert retrain(former, former.training_data(u=np.zeros(400), more=np.arange(400))) == 0
    assert former.card["previous"]["compared"]


def test_many_classes_are_compared(bench: Bench) -> None:
    columns = bench.training_data()
    columns["y"] = np.where(columns["y"], "high", "low")
    keys = {"kind": "multiclass", "model": MODELS + "Classes"}
    assert bench.train(columns, **keys) == 0
    bench.model.rename(bench.folder / "former")
    assert retrain(bench, columns, **keys, **worse(), not_worse_by={"f1_low": 0.1}) == 1
    assert "f1_low is 0." in bench.error


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"not_worse_by": {"roc_auc": -1}}, "it must have numbers of at least 0"),
        ({"not_worse_by": {"roc_auc": 1}, "holdout": 0}, "no metrics for `floors`, `ceilings` and"),
        ({"previous_path": "model.joblib"}, "`previous_path` is"),
        ({"provenance": {"name": 3}}, "it must be a text that is not empty"),
    ],
)
def test_a_config_that_can_not_be_meant_is_refused(bench: Bench, keys: Any, words: str) -> None:
    assert bench.train(**keys) == 1
    assert words in bench.error
