"""A disk that takes no more, or nothing at all."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from prediction.tests.bench import Bench


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode and "CI" not in os.environ:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    assert not done.returncode, done.stderr
    yield folder
    # Lazily: a stream that could not be closed is let go of when Python pleases.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def rows(count: int) -> dict[str, np.ndarray]:
    return {"id": np.arange(count), "x": np.random.default_rng(0).normal(size=count)}


@pytest.mark.parametrize("name", ["p.parquet", "p.csv", "p.csv.gz"])
def test_predictions_that_fill_the_disk_are_told_and_leave_nothing(
    bench: Bench, disk: Path, name: str
) -> None:
    assert bench.train() == 0
    output = disk / "out" / name
    assert bench.apply(rows(50_000), output_path=output, batch_rows=1000) == 1
    assert f"{output} cannot be written: No space left on device. Free some space" in bench.error
    assert not list(output.parent.iterdir())


def test_a_model_that_fills_the_disk_is_told_and_leaves_what_was_there(
    bench: Bench, disk: Path
) -> None:
    model = "prediction.tests.models:Heavy"
    assert bench.train(model_path=disk / "model", model=model) == 0
    before = (disk / "model" / "model.json").read_text()
    parameters = {"size_bytes": 500_000}
    assert bench.train(model_path=disk / "model", model=model, parameters=parameters) == 1
    words = f"{disk / 'model'} cannot be written: No space left on device. Free some space"
    assert words in bench.error
    assert (disk / "model" / "model.json").read_text() == before
    assert [path.name for path in disk.iterdir()] == ["model"]


def test_a_file_in_the_place_of_a_folder_is_told(bench: Bench) -> None:
    (bench.folder / "file").touch()
    assert bench.train(model_path=bench.folder / "file" / "model") == 1
    assert "file/model cannot be written: File exists. Move the file that" in bench.error
    assert bench.train() == 0
    assert bench.apply(rows(3), output_path=bench.folder / "file" / "p.csv") == 1
    assert "p.csv cannot be written: " in bench.error
