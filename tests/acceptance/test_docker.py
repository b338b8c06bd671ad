"""`compute = docker`: the same commands, with the jobs in containers of this machine."""

import os
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.image.engine import Engine
from tests.waiting import wait_until

LOAD = ("LoadToBigQuery", "--date", "2024-03-05")
RANGE = ("Backfill", "--start", "2024-02-28", "--stop", "2024-03-04")
TRAIN = ("TrainModel", "--date", "2024-03-01")
ROWS = "SELECT id, share, date, model_date FROM predictions_v1 ORDER BY date, id"


@dataclass
class DockerProject:
    """A project whose jobs are containers."""

    project: Project
    engine: Engine
    image: str

    def __post_init__(self) -> None:
        self.project.replace_setting("[pipeline]", "[pipeline]\ncompute = docker")
        self.project.set(docker=f"image = {self.image}\nmemory_gb = 1\nnetwork = host")

    def misbehave(self, what: str) -> None:
        """Let the model do so in containers: JSON, by date."""
        derived = self.engine.derive(self.image, MISCHIEF=what)
        self.project.replace_setting(f"image = {self.image}", f"image = {derived}")
        self.image = derived

    @property
    def containers(self) -> list[str]:
        """Names of this project's containers, whether they run or not."""
        listed = self.engine.do("ps", "--all", "--format={{.Names}}", "--filter=name=toy-")
        return [name for name in listed.split() if name in self.project.job_names()]


@pytest.fixture
def place(project: Project, engine: Engine, toy_image: str) -> Iterator[DockerProject]:
    place = DockerProject(project, engine, toy_image)
    yield place
    for name in place.containers:
        engine.do("rm", "--force", "--volumes", name)
    if place.image != toy_image:
        engine.do("image", "rm", "--force", place.image)


@pytest.fixture
def gate(place: DockerProject) -> Path:
    """Training waits for this file, once it has said that it is there."""
    place.project.root.mkdir(parents=True)
    gate = place.project.root / "gate"
    place.misbehave(f'{{"2024-03-01": {{"wait_for": "{gate}"}}}}')
    return gate


def begin(place: DockerProject, gate: Path, *words: str):
    process = place.project.start(*words)
    wait_until(gate.with_name("gate.here").exists, seconds=60)
    return process


def test_containers_and_processes_leave_the_same_table(place, another_project):
    for project in (place.project, another_project):
        ended = project.luigi(*RANGE)
        assert ended.status == 0, ended.output
    assert place.project.table(ROWS) == another_project.table(ROWS)
    assert len(place.project.table(ROWS)) == 200
    assert place.containers == []
    marker = place.project.marker("training", "2024-03-01")
    assert marker["image"] == place.image
    owners = {path.stat().st_uid for path in place.project.root.rglob("*")}
    assert owners == {os.getuid()}


def test_a_killed_commands_container_is_adopted_by_the_next(place, gate):
    process = begin(place, gate, *LOAD)
    process.kill()
    place.project.end(process)
    [container] = place.containers
    again = place.project.start(*LOAD)
    gate.touch()
    ended = place.project.end(again)
    assert ended.status == 0, ended.output
    assert place.project.job_names("training") == [container]
    assert not place.engine.do("ps", "--quiet", f"--filter=name={container}")


def test_an_interrupt_leaves_the_container_alone_and_cancel_ends_it(place, gate):
    process = begin(place, gate, *TRAIN)
    process.send_signal(signal.SIGINT)
    assert place.project.end(process).status == 130
    assert len(place.containers) == 1
    ended = place.project.pipeline("cancel", "TrainModel", "2024-03-01")
    assert ended.status == 0, ended.output
    assert place.containers == []


@pytest.mark.parametrize("victim", ["model", "program that started it"])
def test_too_little_memory_is_told_whoever_is_killed(place, victim):
    place.project.replace_setting("memory_gb = 1", "memory_gb = 0.2")
    doom = "" if victim == "model" else '"doom_parent": 1, '
    place.misbehave(f'{{"2024-03-01": {{{doom}"eat_bytes": 1000000000}}}}')
    ended = place.project.luigi(*TRAIN)
    assert ended.status == 30
    words = "0.2 GB of memory were not enough" if victim == "model" else "had not enough memory"
    assert words in ended.output
    assert "memory_gb" in ended.output
    assert len(place.project.job_names("training")) == 1
    assert place.containers == []


def test_an_image_that_is_not_here_is_told_with_the_remedy(place):
    place.project.replace_setting(place.image, f"nobody/has-{secrets.token_hex(4)}:1")
    ended = place.project.luigi(*TRAIN)
    assert ended.status == 30
    assert "The Docker engine has no image nobody/has-" in ended.output
    assert "`make image`" in ended.output


def test_an_engine_that_does_not_answer_is_told_with_the_remedy(place, tmp_path):
    place.project.environment = {"DOCKER_HOST": f"unix://{tmp_path}/nowhere.sock"}
    ended = place.project.luigi(*TRAIN)
    assert ended.status == 30
    assert "Start Docker, so that `docker info` answers" in ended.output
    assert "Traceback" not in ended.output
