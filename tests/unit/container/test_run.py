"""One job carried out: what it leaves in storage, however its model and its storage behave."""

import datetime
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from container.run import DONE, TOLD
from pipeline import checksums, claims
from pipeline.layout import Job, Layout, Run
from pipeline.records import (
    PREVIOUS,
    Failure,
    FailureKind,
    File,
    Marker,
    Request,
    RunRequest,
    Source,
)

ROOT = Path(__file__).parents[3]
DATE, NEXT = datetime.date(2024, 3, 1), datetime.date(2024, 4, 1)


@dataclass
class Scene:
    """A storage, the toy's model package, and jobs that train it."""

    folder: Path
    layout: Layout

    def run(self, date: datetime.date = DATE) -> Run:
        return self.layout.run("training", date)

    def data(self, date: datetime.date = DATE) -> Source:
        rows = pa.table({"id": ["a", "b"], "label": [True, False]})
        return self._finish(self.layout.run("data/training", date), "part-0.parquet", rows)

    def previous(self) -> Source:
        return self._finish(self.layout.run("training", datetime.date(2024, 2, 1)), "model.parquet")

    def path(self, family: str, name: str, date: datetime.date = DATE) -> Path:
        """A file of what was made before."""
        return Path(self.layout.run(family, date).results("before"), name)

    def train(self, *asked: RunRequest) -> Job:
        """Have a job of its own do these runs, to its end."""
        job = self.layout.new_job("training", [each.date for each in asked])
        request = Request(job.name, "training", "local", "here", None, 60, 0.2, asked)
        Path(job.folder).mkdir(parents=True)
        Path(job.request).write_bytes(request.dump())
        for each in asked:
            assert claims.claim(self.run(each.date), 1, job.name)
        options = ["--prediction", str(self.package), "--scratch", str(self.folder / "scratch")]
        command = [sys.executable, "-m", "container.run", job.folder, *options]
        self.status = subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode
        return job

    def ask(self, date: datetime.date = DATE, **inputs: Source) -> RunRequest:
        return RunRequest(date, self.run(date).folder, {"data": self.data(date), **inputs}, {})

    def mischief(self, **by_date: object) -> None:
        path = self.package / "configs" / "training.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "mischief": by_date}))

    @property
    def package(self) -> Path:
        return self.folder / "prediction"

    def _finish(self, run: Run, name: str, rows: pa.Table | None = None) -> Source:
        path = Path(run.results("before"), name)
        path.parent.mkdir(parents=True)
        pq.write_table(rows or pa.table({}), path)
        file = File(f"before/{name}", path.stat().st_size, checksums.of_file(path))
        content = Marker(run.family, run.date, "before", 1, [file], {}, None, "then", "now").dump()
        Path(run.marker).write_bytes(content)
        return Source(run.marker, checksums.of_bytes(content))


@pytest.fixture
def scene(tmp_path) -> Scene:
    shutil.copytree(ROOT / "tests" / "toy" / "prediction", tmp_path / "prediction")
    return Scene(tmp_path, Layout(str(tmp_path / "storage"), "toy", 1))


def test_a_training_leaves_its_model_and_a_marker_that_lists_it(scene):
    job = scene.train(scene.ask())
    marker = Marker.parse(Path(scene.run().marker).read_bytes(), "marker")
    assert scene.status == DONE
    assert f"{job.name}/model.joblib" in [each.path for each in marker.files]


def test_a_storage_that_fails_while_inputs_are_fetched_is_not_the_models_error(scene):
    asked = scene.ask()
    _break(scene.path("data/training", "part-0.parquet"))
    job = scene.train(asked)
    assert scene.status == TOLD
    failure = _read(job.failure)
    assert failure.kind is FailureKind.KILLED
    assert failure.reason.startswith(f"Can't download {scene.path('data/training', '')}")
    # No word of the run itself, which another job shall do.
    assert not Path(scene.run().failure(job.name)).exists()


def test_a_storage_that_fails_with_the_previous_model_does_not_leave_it_out(scene):
    asked = scene.ask(**{PREVIOUS: scene.previous()})
    _break(scene.path("training", "model.parquet", datetime.date(2024, 2, 1)))
    job = scene.train(asked)
    assert _read(job.failure).kind is FailureKind.KILLED
    assert not Path(scene.run().marker).exists()


def test_an_input_that_is_gone_fails_its_own_run_for_good(scene):
    asked = scene.ask(), scene.ask(NEXT)
    scene.path("data/training", "part-0.parquet").unlink()
    job = scene.train(*asked)
    assert scene.status == TOLD
    failure = _read(scene.run().failure(job.name))
    assert failure.kind is FailureKind.MODEL_ERROR
    assert "part-0.parquet does not exist" in failure.reason
    assert Path(scene.run(NEXT).marker).exists()


def test_a_training_that_ends_its_process_without_an_error_has_made_no_model(scene):
    scene.mischief(**{str(DATE): {"exit": 0}})
    job = scene.train(scene.ask())
    assert scene.status == TOLD
    failure = _read(scene.run().failure(job.name))
    assert failure.kind is FailureKind.MODEL_ERROR
    assert failure.reason.startswith("the model ended without an error, and without results")
    assert failure.detail.endswith("the last words")
    assert not Path(scene.run().marker).exists()


def test_the_log_is_whole_when_the_last_run_has_ended(scene):
    """Whoever sees that may delete the machine. Copies in between are few."""
    scene.mischief(**{str(NEXT): {"fail": "a bad day"}})
    job = scene.train(scene.ask(), scene.ask(NEXT))
    assert "training of 2024-04-01: a bad day" in Path(job.log).read_text()


def _break(path: Path) -> None:
    """Have the kernel refuse to open a file, as a disk does that fails."""
    path.unlink()
    path.symlink_to(path)


def _read(url: str) -> Failure:
    return Failure.parse(Path(url).read_bytes(), url)
