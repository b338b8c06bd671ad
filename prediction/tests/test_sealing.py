import json
from typing import Any

import pytest

from prediction.tests.bench import Bench

MODELS = "prediction.tests.models:"
ROWS = {"id": [1, 2], "x": [-1.0, 1.0]}


@pytest.mark.parametrize(
    ("model", "files"),
    [
        ("Plain", ["model.joblib"]),
        ("OwnFile", ["model"]),
        ("OwnFolder", ["model/numbers.txt"]),
    ],
)
def test_a_model_is_kept_in_its_own_way_or_by_joblib(bench: Bench, model: str, files: Any) -> None:
    assert bench.train(model=MODELS + "OwnFolder") == 0
    assert bench.train(model=MODELS + model) == 0
    assert list(bench.description["files"]) == files
    found = [path for path in bench.model.rglob("*") if path.is_file()]
    names = {path.relative_to(bench.model).as_posix() for path in found}
    beside = {"model.json", "metrics.json", "card.html", "card.json", "reference.json"}
    assert names == {*files, *beside}
    assert bench.apply(ROWS) == 0
    assert bench.predictions["label"].to_pylist() == [False, True]


def test_a_model_file_that_was_changed_is_not_even_opened(bench: Bench) -> None:
    assert bench.train() == 0
    with (bench.model / "model.joblib").open("ab") as file:
        file.write(b"!")
    assert bench.apply(ROWS) == 1
    assert "model.joblib has SHA-256" in bench.error
    assert "it was changed after training, and is not loaded" in bench.error


def test_a_model_file_that_is_gone_is_named(bench: Bench) -> None:
    assert bench.train() == 0
    (bench.model / "model.joblib").unlink()
    assert bench.apply(ROWS) == 1
    assert "model.joblib does not exist, and belongs to the model" in bench.error


def test_a_model_that_is_not_there_is_named(bench: Bench) -> None:
    assert bench.apply(ROWS) == 1
    assert "model.json does not exist. Train a model, or correct `model_path`" in bench.error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"libraries": {"pandas": "0.1"}}, r"was made with pandas 0.1 (here: "),
        ({"libraries": {"nowhere": "1"}}, "was made with nowhere 1 (here: not installed)"),
        ({"python": "3.9.1"}, "was made with Python 3.9.1 (here: 3."),
        ({"format": 2}, "model.json has format 2, and this code reads 1"),
        ({"features": [{"name": "x", "type": "complex"}]}, "model.json is not what training wrote"),
        ({"model": "gone:Model"}, "gone:Model cannot be imported: No module named 'gone'"),
    ],
)
def test_a_description_that_does_not_go_with_what_is_here_is_refused(
    bench: Bench, change: Any, words: str
) -> None:
    assert bench.train() == 0
    (bench.model / "model.json").write_text(json.dumps({**bench.description, **change}))
    assert bench.apply(ROWS) == 1
    assert words in bench.error
    assert not bench.output.exists()
