"""What every compute promises. A side is added by a fixture that makes its machines."""

import dataclasses
import datetime
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import storage
from pipeline.compute import Compute, State
from pipeline.compute.docker import DockerCompute
from pipeline.compute.google import GoogleCompute, MachineKind
from pipeline.compute.local import LocalCompute
from pipeline.errors import ComputeError
from pipeline.layout import Job, storage_digest
from pipeline.records import Budget, Request
from tests.image.engine import Engine
from tests.waiting import wait_until

# Of an engine that has no network of its own, as in CI.
NETWORK = "host"
PACKAGE = Path(__file__).parents[1] / "toy" / "prediction"


@dataclass
class Made:
    """A job, its request, and its machine."""

    compute: Compute
    request: Request
    job: Job

    def launch(self) -> None:
        self.compute.launch(self.request, self.job)

    def delete(self) -> None:
        self.compute.delete(self.request.machine)

    @property
    def state(self) -> State:
        return self.compute.look(self.request.machine).state

    @property
    def console(self) -> str:
        return self.compute.console(self.request.machine)

    @property
    def was_started(self) -> bool:
        return storage.open(self.job.started).exists(self.job.started)


@dataclass
class Side:
    """A compute, and a storage that its machines reach.

    `set_environment` gives variables to what runs on its machines. `hasten_end` leaves these less
    time to shut down, where that can be chosen.
    """

    compute: Compute
    storage: str
    set_environment: Callable[[Mapping[str, str]], None]
    hasten_end: Callable[[], None] = lambda: None

    def job(self, name: str = "", action: str = "training") -> Made:
        """A job without runs: its container starts, finds nothing to do, and ends."""
        name = name or f"toy-training-20240301-{storage_digest(self.storage)}"
        job = Job(name, f"{self.storage}/jobs/{name}")
        machine = self.compute.choose(job, action, dict.fromkeys(Budget, 0))
        request = Request(
            job=name,
            action=action,
            compute=self.compute.name,
            machine=machine.name,
            spec=machine.spec,
            image=self.compute.image,
            deadline_seconds=60,
            heartbeat_seconds=0.2,
            runs=(),
        )
        storage.open(job.request).write(job.request, request.dump())
        return Made(self.compute, request, job)


@pytest.fixture(params=["local", pytest.param("docker", marks=pytest.mark.slow), "google"])
def side(request, tmp_path, monkeypatch) -> Side:
    return SIDES[request.param](request, tmp_path, monkeypatch)


def local_side(request, tmp_path, monkeypatch) -> Side:
    def set_environment(variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return Side(
        LocalCompute(tmp_path / "work", PACKAGE), str(tmp_path / "storage"), set_environment
    )


def google_side(request, tmp_path, monkeypatch) -> Side:
    cloud = request.getfixturevalue("cloud")
    cloud.compute_engine.change(prediction=str(PACKAGE))
    monkeypatch.setenv("COMPUTE_EMULATOR_HOST", cloud.environment["COMPUTE_EMULATOR_HOST"])
    compute = GoogleCompute(
        project="test-project",
        zones=("europe-west1-b", "europe-west1-c"),
        subnetwork="regions/europe-west1/subnetworks/default",
        service_account="jobs@test-project.iam.gserviceaccount.com",
        image=f"europe-west1-docker.pkg.dev/test-project/models/toy@sha256:{'0' * 64}",
        labels={"name": "toy", "version": "1"},
        actions={"training": MachineKind("e2-standard-4", 50, "spot")},
        storage=str(tmp_path / "storage"),
        patience_seconds=20,
        pause_seconds=0.02,
    )
    change = cloud.compute_engine.change
    return Side(
        compute,
        str(tmp_path / "storage"),
        lambda given: change(environment=dict(given)),
        lambda: change(grace_seconds=1.0),
    )


def docker_side(request, tmp_path, monkeypatch) -> Side:
    engine, image = request.getfixturevalue("engine"), request.getfixturevalue("toy_image")
    place = str(tmp_path / "storage")
    side = Side(docker_compute(image, place), place, lambda variables: None)

    def set_environment(variables: Mapping[str, str]) -> None:
        # An image has its variables from the start: another one is made, with these in it.
        derived = engine.derive(
            image, **{name: f"{value}:/srv" for name, value in variables.items()}
        )
        request.addfinalizer(lambda: engine.try_to("image", "rm", "--force", derived))
        side.compute = docker_compute(derived, place, str(tmp_path))

    side.set_environment = set_environment
    Path(place).mkdir()
    request.addfinalizer(lambda: remove_containers(engine, storage_digest(place)))
    return side


def docker_compute(image: str, place: str, *folders: str) -> DockerCompute:
    return DockerCompute(image, 1, NETWORK, place, storage_digest(place), folders)


def remove_containers(engine: Engine, digest: str) -> None:
    listed = engine.do("ps", "--all", "--quiet", f"--filter=label=storage={digest}")
    for container in listed.split():
        engine.do("rm", "--force", "--volumes", container)


SIDES = {"local": local_side, "docker": docker_side, "google": google_side}


@pytest.fixture
def slow(side, tmp_path) -> Iterator[Path]:
    """Machines whose container waits until it is told to go on, by this file."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "sitecustomize.py").write_text(
        "import os, sys, time\n"
        "while 'container.run' in ' '.join(sys.orig_argv) and not os.path.exists("
        f"{str(tmp_path / 'go')!r}): time.sleep(0.02)\n"
    )
    side.set_environment({"PYTHONPATH": str(tmp_path / "slow")})
    yield tmp_path / "go"
    (tmp_path / "go").touch()


def test_a_machine_that_was_never_launched_is_gone(side):
    assert side.job().state is State.GONE


def test_a_launched_machine_runs_and_is_gone_when_its_job_has_ended(side, slow):
    made = side.job()
    made.launch()
    assert made.state is State.RUNNING
    slow.touch()
    wait_until(lambda: made.state is State.GONE)
    assert made.was_started


def test_the_same_machine_is_chosen_for_a_job_each_time(side):
    job = side.job().job
    chosen = [side.compute.choose(job, "training", {}) for _ in range(2)]
    assert chosen[0] == chosen[1]


def test_machines_are_found_by_whoever_looks_for_them(side, slow):
    assert side.compute.find_all() == []
    made = side.job()
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=2)
    made.launch()
    [found] = side.compute.find_all()
    assert (found.machine, found.job) == (made.request.machine, made.job.name)
    assert found.since is not None
    assert before < found.since < datetime.datetime.now(datetime.UTC)
    made.delete()
    wait_until(lambda: not side.compute.find_all())


def test_two_jobs_have_two_machines(side):
    assert side.job("toy-training-20240301-0").request.machine != (
        side.job("toy-training-20240301-1").request.machine
    )


def test_a_job_that_is_launched_by_many_at_once_starts_once(side, slow):
    made = side.job()
    threads = [threading.Thread(target=made.launch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A process that becomes another program has no name for a moment: what was seen counts.
    seen: list[list[int]] = [[]]
    wait_until(lambda: seen.append(containers(made.job)) or seen[-1])
    assert len(seen[-1]) == 1
    slow.touch()
    wait_until(lambda: made.state is State.GONE)


def test_a_job_that_is_launched_again_after_its_end_changes_nothing(side):
    made = side.job()
    made.launch()
    wait_until(lambda: made.state is State.GONE)
    before = storage.open(made.job.started).read(made.job.started)
    made.launch()
    wait_until(lambda: made.state is State.GONE)
    assert storage.open(made.job.started).read(made.job.started) == before


def test_a_deleted_machine_is_gone(side, slow):
    made = side.job()
    made.launch()
    made.delete()
    assert made.state is State.GONE
    assert containers(made.job) == []


def test_deleting_what_is_gone_is_a_no_op(side):
    made = side.job()
    made.delete()
    assert made.state is State.GONE


def test_a_frozen_machine_can_be_deleted(side, slow):
    side.hasten_end()
    made = side.job()
    made.launch()
    wait_until(lambda: containers(made.job))
    [pid] = containers(made.job)
    os.kill(pid, signal.SIGSTOP)
    made.delete()
    assert made.state is State.GONE


def test_the_console_of_a_machine_that_never_was_is_empty(side):
    assert side.job().console == ""


def test_the_console_has_what_the_machine_printed(side, tmp_path):
    (tmp_path / "chatty").mkdir()
    (tmp_path / "chatty" / "sitecustomize.py").write_text(
        "import sys, time\n"
        "if 'container.run' in ' '.join(sys.orig_argv):\n"
        "    print('what the system said', flush=True)\n"
        "    time.sleep(60)\n"
    )
    side.set_environment({"PYTHONPATH": str(tmp_path / "chatty")})
    made = side.job()
    made.launch()
    wait_until(lambda: made.console)
    assert made.console == "what the system said\n"
    made.delete()


def test_a_local_job_that_is_launched_again_says_that_it_ran_before(request, tmp_path, monkeypatch):
    made = local_side(request, tmp_path, monkeypatch).job()
    for _ in range(2):
        made.launch()
        wait_until(lambda: made.state is State.GONE)
    assert "was started before; a job runs once" in made.console


def test_a_process_of_another_host_is_no_evidence_and_can_not_be_deleted(
    request, tmp_path, monkeypatch
):
    made = local_side(request, tmp_path, monkeypatch).job()
    elsewhere = dataclasses.replace(made.request, machine="elsewhere:/work/jobs/j")
    made = Made(made.compute, elsewhere, made.job)
    assert made.state is State.UNKNOWN
    # Its own host may be about to start it, and then it is watched.
    made.launch()
    assert made.state is State.UNKNOWN
    assert made.console == ""
    with pytest.raises(ComputeError, match="a process of the machine elsewhere"):
        made.delete()


def containers(job: Job) -> list[int]:
    """Living processes of this machine that carry out `job`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        programs = b"python" in command[0] and b"container.run" in command
        if programs and job.folder.encode() in command and state != "Z":
            found.append(int(folder.name))
    return found
