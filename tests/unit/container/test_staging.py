"""Inputs brought in and checked, results taken out."""

import datetime
import json
from dataclasses import replace
from pathlib import Path

import pytest

from container.staging import Stage, upload
from pipeline import checksums
from pipeline.code_versions import code_version
from pipeline.errors import ChecksumError, DataError
from pipeline.records import Marker, RunRequest, Source
from tests.unit.runs import DATE, finished


@pytest.fixture
def package(tmp_path) -> Path:
    package = tmp_path / "prediction"
    (package / "configs").mkdir(parents=True)
    (package / "queries").mkdir()
    (package / "configs" / "training.json").write_text('{"key": "id", "data_path": "mine.csv"}')
    (package / "configs" / "application.json").write_text('{"threads": 3}')
    (package / "queries" / "features.sql").write_text("SELECT 1")
    return package


def request(**inputs: Source) -> RunRequest:
    return RunRequest(DATE, "/run", inputs, {})


def test_training_gets_its_data_and_leaves_configs_and_queries_beside_the_model(tmp_path, package):
    data = finished(
        tmp_path / "data",
        {"job-1/part-0.parquet": "rows", "job-1/features.sql": "SELECT 2"},
        training_window={"features_as_of": "2024-01-01"},
    )
    staged = Stage(tmp_path / "scratch", package, "training").prepare(request(data=data))
    config = json.loads(staged.config.read_text())
    assert [Path(path).read_text() for path in config["data_path"]] == ["rows"]
    assert config["model_path"] == str(staged.results)
    assert config["training_window"] == {"features_as_of": "2024-01-01"}
    assert config["key"] == "id"
    left = {path.name: path.read_text() for path in staged.results.iterdir()}
    assert left["features.sql"] == "SELECT 2"
    assert left["application.json"] == '{"threads": 3}'


def test_neither_what_is_sealed_nor_a_draft_is_a_result(tmp_path, package):
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    staged = Stage(tmp_path / "scratch", package, "training").prepare(request(data=data))
    (staged.results / "model").mkdir()
    (staged.results / "model" / ".weights.bin.tmp").write_text("half")
    assert not staged.has_results()
    (staged.results / "model" / "training.json").write_text("{}")
    assert staged.has_results()


def test_training_is_told_where_its_model_comes_from(tmp_path, package):
    (package / "configs" / "training.json").write_text('{"provenance": {"team": "A", "name": "x"}}')
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    known = {"name": "churn", "version": "2", "job": "job-9", "code": "abc"}
    stage = Stage(tmp_path / "scratch", package, "training", known)
    config = json.loads(stage.prepare(request(data=data)).config.read_text())
    assert config["provenance"] == {
        "team": "A",
        **known,
        "date": "2024-03-01",
        "command": "luigi --module pipeline TrainModel --date 2024-03-01",
    }


def test_a_provenance_that_is_no_mapping_is_left_for_the_model_to_refuse(tmp_path, package):
    (package / "configs" / "training.json").write_text('{"provenance": "mine"}')
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    staged = Stage(tmp_path / "scratch", package, "training").prepare(request(data=data))
    assert json.loads(staged.config.read_text())["provenance"] == "mine"


def test_training_gets_the_previous_model_beside_its_data_and_keeps_its_own_configs(
    tmp_path, package
):
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    files = {"job-0/model.json": "{}", "job-0/training.json": '{"key": "old"}'}
    previous = finished(tmp_path / "previous", files, job="job-0")
    stage = Stage(tmp_path / "scratch", package, "training")
    staged = stage.prepare(request(data=data, previous=previous))
    config = json.loads(staged.config.read_text())
    assert config["model_path"] == str(staged.results)
    assert config["key"] == "id"
    assert "output_path" not in config
    assert (Path(config["previous_path"]) / "model.json").read_text() == "{}"
    assert [Path(path).read_text() for path in config["data_path"]] == ["rows"]
    assert json.loads((staged.results / "training.json").read_text())["key"] == "id"
    assert config["provenance"]["previous"] == f"{tmp_path}/previous/job-0"
    folder = config["previous_path"]
    assert staged.trace(f"{folder}/model.json is wrong") == (
        f"{tmp_path}/previous/job-0/model.json is wrong"
    )


def test_without_a_previous_model_training_hears_of_none(tmp_path, package):
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    staged = Stage(tmp_path / "scratch", package, "training").prepare(request(data=data))
    config = json.loads(staged.config.read_text())
    assert "previous_path" not in config
    assert "previous" not in config["provenance"]


def test_a_model_of_files_keeps_the_queries_that_application_may_need(tmp_path, package):
    (tmp_path / "mine.csv").write_text("id\n1\n")
    data = finished(tmp_path / "data", {str(tmp_path / "mine.csv"): "id\n1\n"})
    staged = Stage(tmp_path / "scratch", package, "training").prepare(request(data=data))
    assert (staged.results / "features.sql").read_text() == "SELECT 1"


def test_application_uses_the_config_sealed_with_the_model(tmp_path, package):
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    files = {"job-1/application.json": '{"threads": 5}', "job-1/model.joblib": ""}
    model = finished(tmp_path / "model", files)
    constants = {"run_id": "job-9"}
    asked = RunRequest(DATE, "/run", {"data": data, "model": model}, constants)
    staged = Stage(tmp_path / "scratch", package, "application").prepare(asked)
    config = json.loads(staged.config.read_text())
    assert config["threads"] == 5
    assert config["constants"] == constants
    assert Path(config["model_path"], "model.joblib").exists()
    assert Path(config["output_path"]).parent == staged.results
    assert "provenance" not in config


def predicted(tmp_path: Path) -> Source:
    """Predictions, with a table of another kind beside them, made by a model."""
    model = finished(tmp_path / "model", {"job-1/model.json": "{}", "job-1/model.joblib": "heavy"})
    # Of the model's weights nothing is left.
    (tmp_path / "model" / "job-1" / "model.joblib").unlink()
    files = {"job-2/part-0.parquet": "scores", "job-2/other.parquet": "no scores"}
    source = finished(tmp_path / "predictions", files, "job-2")
    path = Path(source.marker)
    marker = replace(Marker.parse(path.read_bytes(), source.marker), made_from={"model": model})
    path.write_bytes(marker.dump())
    return Source(source.marker, checksums.of_bytes(marker.dump()))


def test_evaluation_gets_labels_predictions_and_what_the_model_says_of_itself(tmp_path, package):
    labels = finished(
        tmp_path / "data", {"job-1/part-0.parquet": "labels", "job-1/labels.sql": "SELECT 1"}
    )
    inputs = {"data": labels, "predictions": predicted(tmp_path)}
    asked = RunRequest(DATE, "/run", inputs, {"run_id": "job-2"})
    staged = Stage(tmp_path / "scratch", package, "evaluation").prepare(asked)
    config = json.loads(staged.config.read_text())
    assert [Path(path).read_text() for path in config["data_path"]] == ["labels"]
    assert [Path(path).read_text() for path in config["predictions_path"]] == ["scores"]
    assert [path.name for path in Path(config["model_path"]).iterdir()] == ["model.json"]
    assert config["evaluation_path"] == str(staged.results)
    assert config["constants"] == {"run_id": "job-2"}
    assert not list(staged.results.iterdir())
    # What the model says of a file is told by the place that it came from.
    told = staged.trace(f"{config['model_path']}/model.json is broken")
    assert told == f"{tmp_path}/model/job-1/model.json is broken"


def test_a_shared_input_is_brought_once(tmp_path, package):
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    model = finished(tmp_path / "model", {"job-1/application.json": "{}"})
    stage = Stage(tmp_path / "scratch", package, "application")
    paths = set()
    for day in (1, 2):
        date = datetime.date(2024, 3, day)
        asked = RunRequest(date, "/run", {"data": data, "model": model}, {})
        paths.add(json.loads(stage.prepare(asked).config.read_text())["model_path"])
    assert len(paths) == 1


def test_a_previous_model_that_is_broken_or_gone_ends_no_training(tmp_path, package, caplog):
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    broken = finished(tmp_path / "broken", {"job-1/model.joblib": "weights"})
    (tmp_path / "broken" / "job-1" / "model.joblib").write_text("changed")
    gone = finished(tmp_path / "gone", {"job-1/model.joblib": "weights"})
    (tmp_path / "gone" / "_SUCCESS").unlink()
    stage = Stage(tmp_path / "scratch", package, "training")
    for day, previous in ((1, broken), (2, gone)):
        asked = replace(request(data=data, previous=previous), date=datetime.date(2024, 3, day))
        config = json.loads(stage.prepare(asked).config.read_text())
        assert "previous_path" not in config
        assert "previous" not in config["provenance"]
        assert "the previous model is not compared: " in caplog.text
        caplog.clear()


def test_a_date_whose_data_are_broken_leaves_the_others_of_its_job_alone(tmp_path, package):
    broken = finished(tmp_path / "broken", {"job-1/part-0.parquet": "rows"})
    (tmp_path / "broken" / "job-1" / "part-0.parquet").write_text("sour")
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    stage = Stage(tmp_path / "scratch", package, "training")
    with pytest.raises(ChecksumError):
        stage.prepare(request(data=broken))
    asked = replace(request(data=data), date=datetime.date(2024, 4, 1))
    [path] = json.loads(stage.prepare(asked).config.read_text())["data_path"]
    assert Path(path).read_text() == "rows"


@pytest.mark.parametrize("name", ["training.json", "application.json"])
@pytest.mark.parametrize(("text", "words"), [("{", "is not JSON"), ("[]", "holds no JSON object")])
def test_a_config_that_can_not_be_read_is_refused_at_training(tmp_path, package, name, text, words):
    data = finished(tmp_path / "data", {"job-1/part-0.parquet": "rows"})
    (package / "configs" / name).write_text(text)
    with pytest.raises(DataError, match=f"{name} {words}"):
        Stage(tmp_path / "scratch", package, "training").prepare(request(data=data))


def test_results_are_listed_with_what_can_be_checked(tmp_path):
    (tmp_path / "results" / "model").mkdir(parents=True)
    (tmp_path / "results" / "model" / "a.bin").write_text("abc")
    run = tmp_path / "run"
    [file] = upload(tmp_path / "results", str(run), "job-1")
    assert (file.path, file.size_bytes) == ("job-1/model/a.bin", 3)
    assert file.checksum == checksums.of_file(run / "job-1" / "model" / "a.bin")


def test_the_codes_version_changes_with_code_and_queries_but_not_with_tests_or_data(package):
    before = code_version(package)
    for folder in ("tests", "data"):
        (package / folder).mkdir()
        (package / folder / "x.py").write_text("x")
    assert code_version(package) == before
    (package / "queries" / "features.sql").write_text("SELECT 3")
    assert code_version(package) != before
