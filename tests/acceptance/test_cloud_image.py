"""The image on machines that boot: pulled by its digest and run by a real engine."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.acceptance.cloud_project import MACHINES, CloudProject
from tests.cloud.compute_engine.shared_docker import LABEL
from tests.image.engine import Engine

DATE = "2024-03-05"
LOAD = ("LoadToBigQuery", "--date", DATE)
TRAIN = ("TrainModel", "--date", "2024-03-01")
ROWS = "id, share, date, model_date"
LOCAL = "SELECT id, share, date, model_date FROM predictions_v1 ORDER BY date, id"


@pytest.fixture
def place(cloud_project: CloudProject, engine: Engine, pushed: str) -> CloudProject:
    """A project whose machines run the image by the engine that answers."""
    cloud_project.use_machines()
    image = next(line for line in MACHINES.splitlines() if line.startswith("image"))
    cloud_project.project.replace_setting(image, f"image = {pushed}")
    cloud_project.cloud.compute_engine.change(docker=shutil.which(engine.program))
    return cloud_project


@pytest.fixture(autouse=True)
def nothing_left(place: CloudProject, engine: Engine) -> Iterator[None]:
    """No machine and no container is left, however the test ends."""
    yield
    place.cloud.clear()
    left = engine.do("ps", "--all", "--quiet", f"--filter=label={LABEL}")
    for container in left.split():
        engine.do("rm", "--force", container)
    assert not left


def misbehave(place: CloudProject, **what: object) -> None:
    """Let training do so, in containers."""
    environment = {"MISCHIEF": json.dumps({"2024-03-01": what})}
    place.cloud.compute_engine.change(environment=environment)


def test_a_date_is_delivered_as_on_one_machine_value_by_value(place, another_project, pushed):
    ended = place.luigi(*LOAD)
    assert ended.status == 0, ended.output
    assert another_project.luigi(*LOAD).status == 0
    assert place.table(ROWS) == another_project.table(LOCAL)
    assert place.machines() == []
    for family in ("training", "application"):
        [name] = [each for each in place.objects(f"v1/{family}/") if each.endswith("_SUCCESS")]
        assert f'"image": "{pushed}"' in place.read(name).decode()


def test_a_preempted_machines_container_is_stopped_and_its_work_done_by_another(place):
    place.cloud.compute_engine.let("preempted", moment="working", seconds=1.0)
    misbehave(place, sleep=5)
    ended = place.luigi(*TRAIN)
    assert ended.status == 0, ended.output
    assert "the machine was preempted, trying again" in ended.output
    assert len(place.cloud.compute_engine.machines) == 2


def test_too_little_memory_is_told_as_such(place):
    place.cloud.compute_engine.change(memory_kib=400_000)
    misbehave(place, eat_bytes=10**9)
    ended = place.luigi(*TRAIN)
    assert ended.status == 30
    [name] = place.objects("/failure.json")
    assert '"kind": "out of memory"' in place.read(name).decode()
    assert "larger machine_type" in ended.output
    assert len(place.cloud.compute_engine.machines) == 1


def test_an_image_that_is_not_in_the_registry_is_told_and_not_tried_again(place, pushed):
    wrong = f"{pushed.partition('@')[0]}@sha256:{'1' * 64}"
    place.project.replace_setting(pushed, wrong)
    ended = place.luigi(*TRAIN)
    assert ended.status == 30
    assert f"there is no image {wrong}" in ended.output
    assert len(place.cloud.compute_engine.machines) == 1


def test_a_machine_that_is_shut_down_lets_its_container_say_so(place):
    place.cloud.compute_engine.let("stopped", moment="working", seconds=2.0)
    misbehave(place, sleep=5)
    ended = place.luigi(*TRAIN)
    assert ended.status == 0, ended.output
    assert "it was told to end (SIGTERM), trying again" in ended.output
    assert place.machines() == []
