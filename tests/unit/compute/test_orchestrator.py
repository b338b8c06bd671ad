"""Work that the orchestrator does itself: its temporary files, and what it leaves in storage."""

import datetime
import tempfile
from pathlib import Path

import pytest

from pipeline import claims, storage
from pipeline.compute.orchestrator import OrchestratorCompute
from pipeline.errors import ComputeError, QueryError
from pipeline.layout import Job, Layout, Run
from pipeline.locks import Lock
from pipeline.records import Failure, Marker, Request, RunRequest

DATE = datetime.date(2024, 3, 1)
LAYOUT = "data/training"


class Work:
    """A job of one run, and what its work sees while it is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.seen: list[Path] = []
        self.compute = OrchestratorCompute(self.folder, self.perform)
        layout = Layout(str(folder / "storage"), "toy", 1)
        self.run: Run = layout.run(LAYOUT, DATE)
        self.job: Job = layout.new_job(LAYOUT, [DATE])
        machine = self.compute.choose(self.job, LAYOUT, {}).name
        runs = [RunRequest(DATE, self.run.folder, {}, {})]
        self.request = Request(self.job.name, LAYOUT, "orchestrator", machine, None, 2, 1, runs)
        claims.claim(self.run, 1, self.job.name)

    def perform(self, request: RunRequest, results: str) -> Marker:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            self.seen.append(Path(file.name))
        return Marker(LAYOUT, DATE, self.job.name, 1, (), {}, None, "then", "now")

    def launch(self) -> None:
        self.compute.launch(self.request, self.job)

    @property
    def scratch(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("scratch/*"))


@pytest.fixture
def work(tmp_path) -> Work:
    return Work(tmp_path)


def test_temporary_files_are_in_the_work_folder_and_gone_at_the_end(work):
    before = tempfile.gettempdir()
    work.launch()
    [file] = work.seen
    assert file.is_relative_to(work.folder / "scratch" / work.job.name)
    assert work.scratch == []
    assert tempfile.gettempdir() == before
    assert claims.read_standing(work.run).done


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_needs_is_not(work):
    for name in ("dead", "alive"):
        (work.folder / "scratch" / name).mkdir(parents=True)
    lock = Lock.acquire(work.folder / "jobs" / "alive" / "lock")
    assert lock is not None
    work.launch()
    lock.release()
    assert work.scratch == ["alive"]


def test_an_error_leaves_the_reason_and_no_temporary_file(work):
    def fail(request: RunRequest, results: str) -> Marker:
        Path(tempfile.mkdtemp(), "half").write_text("")
        raise QueryError("the query is wrong")

    OrchestratorCompute(work.folder, fail).launch(work.request, work.job)
    url = work.run.failure(work.job.name)
    assert Failure.parse(storage.open(url).read(url), url).reason == "the query is wrong"
    assert work.scratch == []


def test_a_work_folder_that_can_not_be_written_is_named(work):
    work.folder.write_text("a file where the folder should be")
    with pytest.raises(ComputeError, match=r"work.*correct `work` under \[pipeline\]"):
        work.launch()
