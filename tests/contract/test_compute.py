"""What every compute promises. A side is added by a fixture that makes its machines."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import storage
from pipeline.compute import Compute, State
from pipeline.compute.local import LocalCompute
from pipeline.errors import ComputeError
from pipeline.layout import Job
from pipeline.records import Request

PACKAGE = Path(__file__).parents[1] / "toy" / "prediction"


@dataclass
class Side:
    """A compute, and a storage that its machines reach."""

    compute: Compute
    storage: str

    def job(self, name: str = "toy-training-20240301-0") -> tuple[Job, str]:
        """A job without runs: its container starts, finds nothing to do, and ends."""
        job = Job(name, f"{self.storage}/jobs/{name}")
        machine = self.compute.machine(job)
        request = Request(name, "training", self.compute.name, machine, None, 60, 0.2, ())
        storage.open(job.request).write(job.request, request.dump())
        return job, machine

    def was_started(self, job: Job) -> bool:
        return storage.open(job.started).exists(job.started)


@pytest.fixture(params=["local"])
def side(request, tmp_path) -> Side:
    sides = {"local": lambda: LocalCompute(tmp_path / "work", PACKAGE)}
    return Side(sides[request.param](), str(tmp_path / "storage"))


@pytest.fixture
def slow(monkeypatch, tmp_path) -> Iterator[Path]:
    """Machines whose container waits until it is told to go on, by this file."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "while 'container.run' in ' '.join(sys.orig_argv) and not os.path.exists("
        f"{str(tmp_path / 'go')!r}): time.sleep(0.02)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "slow"))
    yield tmp_path / "go"
    (tmp_path / "go").touch()


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def test_a_machine_that_was_never_launched_is_gone(side):
    _, machine = side.job()
    assert side.compute.look(machine).state is State.GONE


def test_a_launched_machine_runs_and_is_gone_when_its_job_has_ended(side, slow):
    job, machine = side.job()
    side.compute.launch(machine, job)
    assert side.compute.look(machine).state is State.RUNNING
    slow.touch()
    wait_until(lambda: side.compute.look(machine).state is State.GONE)
    assert side.was_started(job)


def test_a_job_that_is_launched_by_many_at_once_starts_once(side, slow):
    job, machine = side.job()
    threads = [threading.Thread(target=side.compute.launch, args=(machine, job)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: containers(job))
    assert len(containers(job)) == 1
    slow.touch()
    wait_until(lambda: side.compute.look(machine).state is State.GONE)


def test_a_job_that_is_launched_again_after_its_end_changes_nothing(side):
    job, machine = side.job()
    side.compute.launch(machine, job)
    wait_until(lambda: side.compute.look(machine).state is State.GONE)
    before = storage.open(job.started).read(job.started)
    side.compute.launch(machine, job)
    wait_until(lambda: side.compute.look(machine).state is State.GONE)
    assert storage.open(job.started).read(job.started) == before
    assert "was started before; a job runs once" in side.compute.console(machine)


def test_a_deleted_machine_is_gone(side, slow):
    job, machine = side.job()
    side.compute.launch(machine, job)
    side.compute.delete(machine)
    assert side.compute.look(machine).state is State.GONE
    assert containers(job) == []


def test_deleting_what_is_gone_is_a_no_op(side):
    _, machine = side.job()
    side.compute.delete(machine)
    assert side.compute.look(machine).state is State.GONE


def test_a_frozen_machine_can_be_deleted(side, slow):
    job, machine = side.job()
    side.compute.launch(machine, job)
    wait_until(lambda: containers(job))
    [pid] = containers(job)
    os.kill(pid, signal.SIGSTOP)
    side.compute.delete(machine)
    assert side.compute.look(machine).state is State.GONE


def test_the_console_of_a_machine_that_never_was_is_empty(side):
    _, machine = side.job()
    assert side.compute.console(machine) == ""


def test_a_process_of_another_host_is_no_evidence_and_can_not_be_deleted(tmp_path):
    compute = LocalCompute(tmp_path, PACKAGE)
    assert compute.look("elsewhere:/work/jobs/j").state is State.UNKNOWN
    # Its own host may be about to start it, and then it is watched.
    compute.launch("elsewhere:/work/jobs/j", Job("j", str(tmp_path / "jobs" / "j")))
    assert compute.look("elsewhere:/work/jobs/j").state is State.UNKNOWN
    with pytest.raises(ComputeError, match="a process of the machine elsewhere"):
        compute.delete("elsewhere:/work/jobs/j")


def containers(job: Job) -> list[int]:
    """Living processes of this machine that carry out `job`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if job.folder.encode() in command and sys.executable.encode() in command and state != "Z":
            found.append(int(folder.name))
    return found
