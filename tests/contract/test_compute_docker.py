"""What is Docker's own: images by their content, what a container may do, and whose it is."""

import dataclasses
import gc
import json
import secrets
from pathlib import Path

import pytest

from pipeline.compute import Look, State
from pipeline.compute.docker import DockerCompute
from pipeline.errors import ComputeError, MachineRefusedError
from pipeline.layout import Job, storage_digest
from pipeline.records import FailureKind
from tests.contract.test_compute import Made, Side, docker_side
from tests.image.engine import Engine
from tests.waiting import wait_until


@pytest.fixture
def side(request, tmp_path, monkeypatch) -> Side:
    return docker_side(request, tmp_path, monkeypatch)


def compute(image: str, place: Path) -> DockerCompute:
    return DockerCompute(image, 1, "host", str(place), storage_digest(str(place)))


def inspect(engine: Engine, made: Made) -> dict:
    return json.loads(engine.do("inspect", made.job.name))[0]


def test_a_tag_is_known_by_its_content(tmp_path, tagged, toy_image):
    assert compute(tagged, tmp_path).image == toy_image


def test_a_digest_that_is_not_here_is_pulled(engine, registry, tmp_path, tagged):
    pushed = f"{registry}/models/docker-{secrets.token_hex(4)}:1"
    engine.do("tag", tagged, pushed)
    engine.do("push", "--quiet", pushed)
    name = pushed.rpartition(":")[0]
    digests = json.loads(engine.do("image", "inspect", "--format={{json .RepoDigests}}", pushed))
    [digest] = [each for each in digests if each.startswith(name)]
    engine.do("image", "rm", pushed)
    assert engine.try_to("image", "inspect", digest).returncode != 0
    assert compute(digest, tmp_path).image == digest
    engine.do("image", "rm", digest)


@pytest.mark.parametrize("image", ["nobody/has:1", f"sha256:{'0' * 64}"])
def test_an_image_that_is_not_here_is_told_with_the_remedy(engine, tmp_path, image):
    with pytest.raises(MachineRefusedError, match=f"has no image {image}.*`make image`"):
        _ = compute(image, tmp_path).image


def test_a_container_may_do_no_more_than_its_job(engine, side):
    made = side.job()
    made.launch()
    about = inspect(engine, made)
    limits = about["HostConfig"]
    assert limits["ReadonlyRootfs"]
    assert limits["CapDrop"] == ["ALL"]
    assert limits["SecurityOpt"] == ["no-new-privileges"]
    assert limits["Memory"] == 10**9
    mounted = {each["Destination"]: each["RW"] for each in about["Mounts"]}
    assert mounted == {"/work": True, side.storage: True}
    wait_until(lambda: made.state is State.GONE)
    assert made.was_started


def test_credentials_are_for_those_who_reach_cloud_storage(side, toy_image, tmp_path, monkeypatch):
    """Read-only, and in no other container."""
    (tmp_path / "credentials.json").write_text("{}")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "credentials.json"))
    assert side.job().request.spec["credentials"] == ""
    there = DockerCompute(toy_image, 1, "host", "gs://bucket/models", "0" * 8)
    spec = there.choose(Job("a-job", "gs://bucket/models/jobs/a-job"), "training", {}).spec
    assert spec["credentials"] == str(tmp_path / "credentials.json")
    assert spec["folders"] == []


def test_a_container_with_credentials_can_read_them_and_not_write(
    engine, side, tmp_path, monkeypatch
):
    path = tmp_path / "credentials.json"
    path.write_text("{}")
    made = side.job()
    spec = {**made.request.spec, "credentials": str(path)}
    made = Made(made.compute, dataclasses.replace(made.request, spec=spec), made.job)
    made.launch()
    about = inspect(engine, made)
    assert {m["Destination"]: m["RW"] for m in about["Mounts"]}[str(path)] is False
    assert f"GOOGLE_APPLICATION_CREDENTIALS={path}" in about["Config"]["Env"]


def test_nothing_is_left_of_a_deleted_container(engine, side):
    made = side.job()
    made.launch()
    [volume] = [m["Name"] for m in inspect(engine, made)["Mounts"] if m["Type"] == "volume"]
    made.delete()
    assert engine.try_to("inspect", made.job.name).returncode != 0
    assert engine.try_to("volume", "inspect", volume).returncode != 0


def test_a_container_that_ends_without_a_word_is_told_by_its_last_one(side):
    made = side.job()
    Path(made.job.request).unlink()
    made.launch()
    wait_until(lambda: made.state is State.GONE)
    look = side.compute.look(made.request.machine)
    assert look.cause is FailureKind.KILLED
    assert "exit status 1: " in look.words
    assert "request.json does not exist" in look.words


def test_somebody_elses_container_is_neither_started_nor_deleted(engine, side, toy_image):
    made = side.job()
    engine.do("create", "--name", made.job.name, toy_image)
    try:
        for act in (made.launch, made.delete):
            with pytest.raises(MachineRefusedError, match=r"somebody else's.*docker inspect"):
                act()
        assert inspect(engine, made)["State"]["Status"] == "created"
    finally:
        engine.do("rm", "--force", made.job.name)


def test_two_storages_share_an_engine(side, toy_image, tmp_path):
    other = compute(toy_image, tmp_path / "other")
    made = side.job()
    made.launch()
    with pytest.raises(MachineRefusedError, match="somebody else's"):
        other.delete(made.request.machine)
    made.delete()


def test_a_container_of_another_host_is_no_evidence_and_can_not_be_deleted(side):
    made = side.job()
    elsewhere = dataclasses.replace(made.request, machine=f"elsewhere/{made.job.name}")
    made = Made(made.compute, elsewhere, made.job)
    made.launch()
    assert made.state is State.UNKNOWN
    with pytest.raises(ComputeError, match=r"a container of the machine elsewhere\. Go there"):
        made.delete()


# The library leaves its sockets open when nobody answers: they are collected within the test.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_does_not_answer_is_no_evidence(side, tmp_path, monkeypatch):
    made = side.job()
    silent = compute("an-image:1", tmp_path)
    with monkeypatch.context() as nowhere:
        nowhere.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
        assert silent.look(made.request.machine) == Look(State.UNKNOWN)
        with pytest.raises(ComputeError, match="Start Docker, so that `docker info` answers"):
            silent.delete(made.request.machine)
    del silent
    gc.collect()


def test_a_folder_that_is_not_there_is_named(side, tmp_path):
    side.compute.data_folders = [str(tmp_path / "gone")]
    made = side.job()
    with pytest.raises(ComputeError, match=str(tmp_path / "gone")):
        made.launch()
    assert made.state is State.GONE
