import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prediction.tests.bench import Bench


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_unknown_action_is_answered_with_the_ones_that_there_are(bench: Bench) -> None:
    assert bench.run("serving", bench.config("c.json")) == 2
    there_are = "application, evaluation, testing, training"
    assert bench.error == f"error: There is no action 'serving'. There are: {there_are}."
    assert len(bench.told.splitlines()) == 1


def test_a_config_that_is_not_there_is_named(bench: Bench) -> None:
    assert bench.run("training", bench.folder / "none.json") == 1
    assert bench.error.endswith(
        "none.json cannot be read: No such file or directory. Correct --config."
    )


def test_a_config_that_is_no_json_is_named_with_the_place(bench: Bench) -> None:
    path = bench.folder / "c.json"
    path.write_text("{'key': 1}")
    assert bench.run("training", path) == 1
    assert "c.json is not JSON: Expecting property name" in bench.error
    assert "line 1 column 2" in bench.error


def test_an_unknown_key_suggests_the_near_one(bench: Bench) -> None:
    assert bench.train(hold_out=0.1) == 1
    assert "training.json: unknown key `hold_out`. Did you mean `holdout`?" in bench.error


def test_a_missing_key_is_named(bench: Bench) -> None:
    assert bench.run("application", bench.config("a.json", data_path="x.csv", model_path="m")) == 1
    assert "a.json: key `output_path` is missing" in bench.error


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"holdout": 1}, "`holdout` is 1; it must be a share"),
        ({"kind": "ternary"}, '`kind` is "ternary"; it must be one of binary, multiclass'),
        ({"label": None}, "`kind` is 'binary' and `label` is null"),
        (
            {"floors": {"log_loss": 0.1}},
            "'log_loss', which is better when lower. Put it under",
        ),
        (
            {"floors": {"roc_auc": 0.1}, "holdout": 0},
            "`holdout` is 0, so that there are no",
        ),
        ({"key": ["id", "id"]}, "it names a column twice"),
        ({"model_path": "m/model.joblib"}, "it must be a folder"),
        ({"model": "models.Plain"}, "it must be a module and a class"),
        ({"types": {"id": "text"}}, "Use Arrow's names, such as string"),
        ({"seed": -1}, "it must be a whole number, at least 0"),
        ({"seed": 2**64}, "it must be a whole number below 2**64"),
    ],
)
def test_a_wrong_value_is_told_with_its_key(bench: Bench, keys: Any, words: str) -> None:
    assert bench.train(**keys) == 1
    assert words in bench.error


def test_a_wrong_config_is_told_before_anything_heavy_is_imported(bench: Bench) -> None:
    program = (
        "import sys; from prediction.main import main; status = main(sys.argv[1:]);"
        "print(status, sorted({'pandas', 'numpy', 'pyarrow', 'sklearn'} & set(sys.modules)))"
    )
    config = str(bench.config("c.json", key="id"))
    command = [sys.executable, "-c", program, "--action", "training", "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1 []\n"


def test_several_runs_in_one_process_each_stand_alone(bench: Bench) -> None:
    assert bench.train() == 0
    good = bench.write("good.parquet", {"id": [1, 2], "x": [0.1, 0.2]})
    bad = bench.write("bad.parquet", {"id": [1, 1], "x": [0.1, 0.2]})
    usual = {"model_path": bench.model}
    configs = [
        bench.config("1.json", data_path=good, output_path=bench.folder / "1.csv", **usual),
        bench.config("2.json", data_path=bad, output_path=bench.folder / "2.csv", **usual),
        bench.config("3.json", data_path=good, output="3.csv", **usual),
        bench.config("4.json", data_path=good, output_path=bench.folder / "4.csv", **usual),
    ]
    progress = bench.folder / "progress.jsonl"
    assert bench.run("application", *configs, more=["--progress", str(progress)]) == 1
    assert sorted(path.name for path in bench.folder.glob("*.csv")) == ["1.csv", "4.csv"]
    last = {line["config"]: line for line in lines(progress)}
    status = [last[str(config)]["status"] for config in configs]
    assert status == ["done", "failed", "failed", "done"]
    assert last[str(configs[0])]["rows"] == 2
    assert "some keys have several rows: 1." in last[str(configs[1])]["reason"]


def test_progress_of_a_training_names_its_phases(bench: Bench) -> None:
    progress = bench.folder / "progress.jsonl"
    bench.train()
    assert (
        bench.run("training", bench.folder / "training.json", more=["--progress", str(progress)])
        == 0
    )
    told = [(line["done"], line["total"], line["message"]) for line in lines(progress)]
    assert told[:3] == [(0, 6, "reading"), (1, 6, "fitting"), (2, 6, "evaluating")]
    assert lines(progress)[-1]["status"] == "done"


def test_a_progress_file_that_cannot_be_written_is_wrong_usage(bench: Bench) -> None:
    missing = str(bench.folder / "none" / "p.jsonl")
    assert bench.run("training", bench.config("c.json"), more=["--progress", missing]) == 2
    assert "Correct --progress." in bench.error


def test_an_error_of_the_model_is_told_with_its_traceback(bench: Bench) -> None:
    progress = bench.folder / "progress.jsonl"
    bench.train(model="prediction.tests.models:Broken")
    assert "Traceback" in bench.told
    assert bench.told.splitlines()[-1].endswith("training.json: KeyError: 'weights'")
    bench.run("training", bench.folder / "training.json", more=["--progress", str(progress)])
    last = lines(progress)[-1]
    assert last["status"] == "failed"
    assert last["reason"] == "KeyError: 'weights'"
    assert "in fit" in last["traceback"]
    assert not bench.model.exists()
