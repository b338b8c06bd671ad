"""The files of finished runs brought here, and what is refused."""

import pytest

from pipeline.errors import ChecksumError
from pipeline.fetching import fetch
from tests.unit.runs import finished


def test_an_attempts_files_lie_as_they_did_when_it_made_them(tmp_path):
    source = finished(tmp_path / "run", {"job-1/model/a.bin": "a", "job-1/model.json": "{}"})
    fetched = fetch(source, tmp_path / "here")
    assert (tmp_path / "here" / "model" / "a.bin").read_text() == "a"
    assert (tmp_path / "here" / "model.json").read_text() == "{}"
    assert [path.name for path in fetched.paths] == ["a.bin", "model.json"]


def test_files_from_elsewhere_may_have_the_same_name(tmp_path):
    paths = [tmp_path / folder / "x.csv" for folder in "ab"]
    source = finished(tmp_path / "run", {str(path): path.parent.name for path in paths})
    fetched = fetch(source, tmp_path / "here")
    assert [path.read_text() for path in fetched.paths] == ["a", "b"]


def test_a_file_that_is_not_the_one_listed_is_refused(tmp_path):
    source = finished(tmp_path / "run", {"job-1/model.joblib": "a"})
    (tmp_path / "run" / "job-1" / "model.joblib").write_text("b")
    with pytest.raises(ChecksumError, match=r"model\.joblib is not the file that .*_SUCCESS lists"):
        fetch(source, tmp_path / "here")


def test_a_marker_that_is_not_the_one_asked_for_is_refused(tmp_path):
    source = finished(tmp_path / "run", {})
    finished(tmp_path / "run", {"job-2/x": "another"})
    with pytest.raises(ChecksumError, match="was replaced since this job was asked for"):
        fetch(source, tmp_path / "here")
