"""docs/endings.md, row by row: each is done to a machine that boots, and comes out as it says."""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.cloud_project import CloudProject
from tests.cloud.compute_engine.remote import ComputeEngine
from tests.conftest import Ended
from tests.waiting import wait_until

PAGE = Path(__file__).parents[2] / "docs" / "endings.md"
TRAIN = ("TrainModel", "--date", "2024-03-01")
RANGE = ("Backfill", "--start", "2024-03-05", "--stop", "2024-03-08")
# At home a part of a minute, which takes the same ways.
OUTAGE_SECONDS = 60 if "CI" in os.environ else 10


@dataclass(frozen=True)
class Row:
    """A line of the table: what is expected of an ending."""

    title: str
    status: int
    words: str
    failures: list[str]
    machines: int

    @classmethod
    def parse(cls, line: str) -> "Row":
        title, status, words, failures, machines = [
            cell.strip() for cell in line.strip("|\n").split("|")
        ]
        told = sorted(failures.split(", ")) if failures else []
        return cls(title, int(status), words.strip("`"), told, int(machines))


ROWS = [
    Row.parse(line)
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| what happens ")
]


@dataclass
class Scene:
    """A user's project whose jobs are carried out by machines of Compute Engine.

    `words` are those of the command; `gate` is a file that a training begun here waits for.
    """

    place: CloudProject
    gate: Path
    words: tuple[str, ...] = TRAIN

    @property
    def engine(self) -> ComputeEngine:
        return self.place.cloud.compute_engine

    def command(self) -> Ended:
        return self.place.luigi(*self.words)

    def let(self, fate: str, **rule: object) -> Ended:
        """Let the machine come to this, at a moment that the rule names."""
        self.engine.let(fate, **rule)
        return self.command()

    def end(self, reason: str) -> Ended:
        """Let the machine end while the model works."""
        return self.meanwhile(lambda machine: self.engine.end(machine, reason))

    def harm(self, what: str) -> Ended:
        """Let what is on the machine suffer while the model works."""
        return self.meanwhile(lambda machine: self.engine.harm(machine, what))

    def meanwhile(self, act: Callable[[str], object]) -> Ended:
        """Do something to the machine once its model works; the next one's model goes on."""
        process = self.begin()
        [machine] = self.place.machines()
        act(machine)
        wait_until(lambda: self.gate.exists() or self.place.objects("/failure.json"), seconds=60)
        self.gate.touch()
        return self.place.project.end(process)

    def begin(self):
        self.mischief(wait_for=str(self.gate))
        process = self.place.project.start(*self.words)
        wait_until(self.gate.with_name("gate.here").exists, seconds=60)
        return process

    def mischief(self, action: str = "training", date: str = "2024-03-01", **what: object) -> None:
        self.place.project.mischief(action, **{date: what})


@pytest.fixture
def scene(cloud_project, tmp_path) -> Scene:
    cloud_project.use_machines()
    return Scene(cloud_project, tmp_path / "gate")


def model_fails(scene: Scene) -> Ended:
    scene.mischief(fail="too few customers")
    return scene.command()


def one_date_fails(scene: Scene) -> Ended:
    scene.mischief("application", "2024-03-06", fail="no visits that day")
    scene.words = RANGE
    ended = scene.command()
    # The others are applied; the next command would load them.
    done = [name for name in scene.place.objects("v1/application/") if name.endswith("_SUCCESS")]
    assert len(done) == 2
    return ended


def rebooted(scene: Scene) -> Ended:
    scene.mischief(sleep=1)
    return scene.let("rebooted", moment="working", seconds=0.3)


def hung(scene: Scene) -> Ended:
    scene.place.project.replace_setting("[jobs]", "[jobs]\nsilence_limit_seconds = 4")
    scene.engine.change(grace_seconds=0.5)
    return scene.harm("hung")


def never_starts(scene: Scene) -> Ended:
    scene.place.project.replace_setting("[jobs]", "[jobs]\nstart_limit_seconds = 20")
    return scene.let("works", moment="pulling")


def too_slow(scene: Scene) -> Ended:
    scene.place.project.set(training="deadline_seconds = 3")
    scene.mischief(sleep=60)
    return scene.command()


def command_killed(scene: Scene) -> Ended:
    begun = scene.begin()
    begun.kill()
    scene.place.project.end(begun)
    requests = scene.place.cloud.requests
    requests.clear()
    again = scene.place.project.start(*scene.words)
    wait_until(lambda: requests.to("storage", r"heartbeat\.json"), seconds=60)
    scene.gate.touch()
    return scene.place.project.end(again)


def cancelled(scene: Scene) -> Ended:
    words = ("cancel", *TRAIN[:1], TRAIN[-1])
    return scene.meanwhile(lambda machine: scene.place.project.pipeline(*words))


def storage_is_away(scene: Scene) -> Ended:
    faults = scene.place.cloud.faults

    def cut(machine: str) -> None:
        faults.add("", service="storage|machines", reset=True)
        scene.gate.touch()
        threading.Timer(OUTAGE_SECONDS, faults.clear).start()

    return scene.meanwhile(cut)


PROVOKE: dict[str, Callable[[Scene], Ended]] = {
    "nothing": Scene.command,
    "the model fails": model_fails,
    "one date of three fails": one_date_fails,
    "the container runs out of memory": lambda scene: scene.harm("out of memory"),
    "the registry does not answer": lambda scene: scene.let("pull fails", times=3),
    "the registry does not answer one machine": lambda scene: scene.let("pull fails"),
    "there is no such image": lambda scene: scene.let("no such image"),
    "the machine is started again": rebooted,
    "the machine is shut down while it pulls the image": lambda scene: scene.let(
        "stopped", moment="pulling"
    ),
    "the machine is shut down while the model works": lambda scene: scene.end("stopped"),
    "the boot script is killed": lambda scene: scene.harm("boot script killed"),
    "the machine is preempted before it runs": lambda scene: scene.let(
        "preempted", moment="making"
    ),
    "the machine is preempted while it pulls the image": lambda scene: scene.let(
        "preempted", moment="pulling"
    ),
    "the machine is preempted while the model works": lambda scene: scene.end("preempted"),
    "the machine loses its power": lambda scene: scene.end("vanished"),
    "the machine hangs": hung,
    "the registry never ends its answer": never_starts,
    "the model takes too long": too_slow,
    "the machine can't delete itself three times": lambda scene: scene.let(
        "its own deletion fails", failures=3
    ),
    "the command is killed and typed again": command_killed,
    "the job is cancelled": cancelled,
    "storage can't be reached for a minute": storage_is_away,
}


def test_every_row_is_tried():
    assert [row.title for row in ROWS] == list(PROVOKE)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_a_job_ends_as_the_page_says(scene, row):
    ended = PROVOKE[row.title](scene)
    assert (ended.status, failures(scene)) == (row.status, row.failures), ended.output
    assert row.words in ended.output
    assert len(scene.engine.machines) == row.machines
    wait_until(lambda: scene.place.machines() == [], seconds=60)
    assert len(scene.place.objects("_SUCCESS")) >= 2 or row.status


def failures(scene: Scene) -> list[str]:
    """What each failure.json says: its kind, and by whom."""
    names = scene.place.objects("/failure.json")
    told = [json.loads(scene.place.read(name)) for name in names]
    return sorted(f"{each['kind']} ({each['by']})" for each in told)


def test_the_log_of_a_job_outlives_its_machine(scene):
    scene.mischief(fail="too few customers")
    scene.command()
    ended = scene.place.project.pipeline("logs", "TrainModel", "2024-03-01")
    assert ended.status == 0, ended.output
    assert "mischief: fail too few customers" in ended.output
    [machine] = scene.engine.machines
    name = machine["path"].rpartition("/")[2]
    assert f"query=resource.type%3D%22gce_instance%22%20%22{name}%22;" in ended.output
