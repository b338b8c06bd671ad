"""What Compute Engine may answer, and what a user then reads; by the real client, over the wire."""

import dataclasses
import multiprocessing
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import storage
from pipeline.compute import Look, State
from pipeline.compute.google import GoogleCompute, MachineKind
from pipeline.errors import ComputeError, MachineRefusedError, NoCapacityError
from pipeline.layout import Job
from pipeline.records import Budget, FailureKind, Request
from tests.cloud.remote import ask
from tests.cloud.servers import Cloud

ACCOUNT = "jobs@test-project.iam.gserviceaccount.com"
ZONE = "/compute/v1/projects/test-project/zones/europe-west1-b"
INSERT = rf"^POST {ZONE}/instances\?"
WAIT = r"^POST .*/wait"
GET = r"^GET .*/instances/[^/]+$"
DELETE = r"^DELETE .*/instances/"
# Fails in the first moment, so that no test waits for a machine that does nothing.
BUSY = "import sys, time\nif 'container.run' in ' '.join(sys.orig_argv): time.sleep(60)\n"


@dataclass
class Scene:
    """A job without runs, and the machine that is to carry it out."""

    cloud: Cloud
    compute: GoogleCompute
    request: Request
    job: Job

    def launch(self) -> None:
        self.compute.launch(self.request, self.job)

    def look(self) -> Look:
        return self.compute.look(self.request.machine)

    def delete(self) -> None:
        self.compute.delete(self.request.machine)

    @property
    def made(self) -> list[Mapping]:
        return self.cloud.compute_engine.machines

    @property
    def left(self) -> list[str]:
        return self.cloud.compute_engine.left

    def wait_for(self, look: Look) -> None:
        end = time.monotonic() + 20
        while self.look() != look:
            assert time.monotonic() < end, f"{self.look()} is not {look}"
            time.sleep(0.02)


@pytest.fixture
def scene(cloud: Cloud, tmp_path: Path, monkeypatch) -> Scene:
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "sitecustomize.py").write_text(BUSY)
    cloud.compute_engine.change(environment={"PYTHONPATH": str(tmp_path / "busy")})
    monkeypatch.setenv("COMPUTE_EMULATOR_HOST", cloud.environment["COMPUTE_EMULATOR_HOST"])
    return make_scene(cloud, str(tmp_path / "storage"))


def make_scene(cloud: Cloud, root: str, patience_seconds: float = 10) -> Scene:
    compute = GoogleCompute(
        project="test-project",
        zones=("europe-west1-b", "europe-west1-c"),
        subnetwork="regions/europe-west1/subnetworks/default",
        service_account=ACCOUNT,
        image=f"europe-west1-docker.pkg.dev/test-project/models/toy@sha256:{'0' * 64}",
        labels={"name": "toy", "version": "1"},
        actions={"training": MachineKind("e2-standard-4", 50, "spot")},
        storage=root,
        preemption_retries=2,
        patience_seconds=patience_seconds,
        pause_seconds=0.01,
    )
    name = "toy-training-20240301-0123456789"
    job = Job(name, f"{root}/jobs/{name}")
    machine = compute.choose(job, "training", {})
    request = Request(
        job=name,
        action="training",
        compute="google",
        machine=machine.name,
        spec=machine.spec,
        image=compute.image,
        deadline_seconds=60,
        heartbeat_seconds=0.2,
        runs=(),
    )
    storage.open(job.request).write(job.request, request.dump())
    return Scene(cloud, compute, request, job)


def impatient(scene: Scene, patience_seconds: float = 0.5) -> Scene:
    return make_scene(scene.cloud, scene.job.folder.partition("/jobs/")[0], patience_seconds)


# What is chosen.


def zone_of(scene: Scene, **spent: int) -> str:
    counted = {Budget(name): number for name, number in spent.items()}
    return scene.compute.choose(scene.job, "training", counted).name.split("/")[3]


def test_each_zone_that_had_no_room_leads_to_the_next_one(scene):
    assert zone_of(scene) == zone_of(scene, preemption=2) == "europe-west1-b"
    assert zone_of(scene, capacity=1) == "europe-west1-c"


def test_the_last_try_after_preemptions_is_on_a_standard_machine(scene):
    models = [
        scene.compute.choose(scene.job, "training", {Budget.PREEMPTION: n}).spec[
            "provisioning_model"
        ]
        for n in range(3)
    ]
    assert models == ["spot", "spot", "standard"]


@pytest.mark.parametrize(
    ("machine_type", "words"),
    [
        ("a2-highgpu-1g", "accelerators, and the container's image has no drivers for them"),
        ("g2-standard-4", "accelerators"),
        ("a3-megagpu-8g", "accelerators"),
        ("ct5lp-hightpu-4t", "accelerators"),
        ("t2a-standard-4", "Arm processors, and the container's image is for amd64"),
    ],
)
def test_machines_that_the_image_can_not_use_are_refused_before_anything_is_claimed(
    scene, machine_type, words
):
    scene.compute.actions = {"training": MachineKind(machine_type, 50, "spot")}
    with pytest.raises(MachineRefusedError, match=words) as caught:
        scene.compute.choose(scene.job, "training", {})
    assert "Correct machine_type under [training] in luigi.cfg." in str(caught.value)


# Refusals.


@pytest.mark.parametrize(
    "fate",
    [
        "stock-out",
        "stock-out with details",
        "stock-out without a status",
        "reclaimed while it was made",
        "internal error",
    ],
)
def test_a_zone_without_room_is_told_with_its_reason(scene, fate):
    scene.cloud.compute_engine.let(fate)
    with pytest.raises(NoCapacityError) as caught:
        scene.launch()
    assert "europe-west1-b can't give a spot e2-standard-4 now: " in str(caught.value)
    assert "Name more zones under [compute_engine] in luigi.cfg" in str(caught.value)
    assert scene.left == []


def test_what_a_failed_insertion_leaves_is_deleted(scene):
    scene.cloud.compute_engine.let("stock-out", leaves_machine=True)
    with pytest.raises(NoCapacityError):
        scene.launch()
    assert scene.left == []


REFUSALS = [
    ("quota", "Quota 'CPUS' exceeded.*QUOTA_EXCEEDED.*iam-admin/quotas.project=test-project"),
    ("quota at once", "Quota 'CPUS' exceeded.*or set a smaller machine_type under .training."),
    (
        "denied",
        "Required 'compute.instances.create' permission.*gcloud projects add-iam-policy-binding"
        " test-project --member=MEMBER --role=roles/compute.instanceAdmin.v1",
    ),
    (
        "no access to the service account",
        f"gcloud iam service-accounts add-iam-policy-binding {ACCOUNT}.*"
        "roles/iam.serviceAccountUser",
    ),
    ("API disabled", "gcloud services enable compute.googleapis.com --project=test-project"),
    ("no image", "cos-stable' was not found.*Let the project test-project use images of cos-cloud"),
    ("no subnetwork", "was not found.*Correct subnetwork under .compute_engine. in luigi.cfg"),
]


@pytest.mark.parametrize(("fate", "words"), REFUSALS)
def test_what_a_person_must_mend_is_told_with_the_remedy(scene, fate, words):
    scene.cloud.compute_engine.let(fate)
    with pytest.raises(MachineRefusedError, match=words) as caught:
        scene.launch()
    assert "127.0.0.1" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert scene.left == []
    assert len(scene.cloud.requests.to("compute", INSERT.replace(r"\?", ""))) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"machine_type": "e2-gigantic-4"}, "does not exist in zone.*Correct machine_type under"),
        ({"subnetwork": "regions/us-central1/subnetworks/a"}, "another region.*subnetwork under"),
        ({"subnetwork": "default"}, "malformed.*Correct subnetwork under .compute_engine."),
        ({"service_account": "nobody"}, "Correct service_account under .compute_engine."),
    ],
)
def test_a_wrong_setting_is_named(scene, change, words):
    scene.request = dataclasses.replace(scene.request, spec={**scene.request.spec, **change})
    with pytest.raises(MachineRefusedError, match=words):
        scene.launch()


def test_a_job_without_an_image_is_refused(scene):
    scene.request = dataclasses.replace(scene.request, image=None)
    with pytest.raises(MachineRefusedError, match="there is no image for the job toy-training"):
        scene.launch()


# What is uncertain.


@pytest.mark.parametrize("fate", ["rate limit", "unavailable"])
def test_a_service_that_is_busy_is_asked_again_in_the_same_zone(scene, fate):
    scene.cloud.compute_engine.let(fate, times=3)
    scene.launch()
    assert [each["path"] for each in scene.made] == [scene.request.machine]


def test_a_lost_reply_makes_one_machine(scene):
    scene.cloud.compute_engine.let("lost reply")
    scene.launch()
    assert len(scene.made) == 1
    asked = scene.cloud.requests.to("compute", r"POST .*/instances$")
    assert len(asked) == 2
    assert asked[0].query["requestId"] == asked[1].query["requestId"]


FAULTS = [
    {"status": 429},
    {"status": 500},
    {"status": 502},
    {"status": 503},
    {"status": 504},
    {"status": 403, "reason": "rateLimitExceeded"},
    {"reset": True},
    {"reset": True, "after": True},
    {"status": 503, "after": True},
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("where", [INSERT, WAIT])
def test_a_launch_survives_two_failures_in_a_row(scene, where, fault):
    scene.cloud.faults.add(where, nth=[1, 2], **fault)
    scene.launch()
    # Nobody asks a second time for what was done before its reply was lost.
    assert scene.cloud.faults.hits == 2 or "after" in fault
    assert len(scene.made) == 1
    assert scene.look() == Look(State.RUNNING)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
@pytest.mark.parametrize("where", [GET, DELETE, WAIT])
def test_a_deletion_survives_two_failures_in_a_row(scene, where, fault):
    scene.launch()
    scene.cloud.faults.add(where, nth=[1, 2], **fault)
    scene.delete()
    assert scene.cloud.faults.hits == 2 or where == WAIT or "after" in fault
    assert scene.left == []


@pytest.mark.parametrize("seed", range(10))
def test_a_machine_is_made_once_and_ended_however_many_requests_fail(scene, seed):
    scene.cloud.faults.add_at_random(0.25, seed, delay_seconds=0.05)
    scene.launch()
    assert scene.left == [scene.request.machine]
    scene.delete()
    assert len(scene.made) == 1
    assert scene.left == []


def test_an_operation_that_is_forgotten_says_nothing_of_the_machine(scene):
    scene.cloud.faults.add(WAIT, nth=1, status=404)
    scene.launch()
    assert len(scene.made) == 1


def test_when_nothing_can_be_known_the_next_command_goes_on(scene):
    scene = impatient(scene)
    scene.cloud.faults.add(INSERT, status=503)
    with pytest.raises(ComputeError) as caught:
        scene.launch()
    assert not isinstance(caught.value, NoCapacityError | MachineRefusedError)
    assert f"It is not known whether {scene.request.machine} is being made" in str(caught.value)
    assert "Run the command again: it asks for the same machine." in str(caught.value)
    scene.cloud.faults.clear()
    scene.launch()
    assert len(scene.made) == 1


def test_a_machine_whose_making_can_not_be_followed_is_left_to_its_watchers(scene):
    scene = impatient(scene)
    scene.cloud.compute_engine.let("lost reply")
    scene.cloud.faults.add(INSERT, nth=list(range(2, 100)), status=503)
    scene.launch()
    scene.wait_for(Look(State.RUNNING))


def test_a_machine_that_is_stuck_is_being_made_and_can_be_deleted(scene):
    scene = impatient(scene)
    scene.cloud.compute_engine.let("stuck")
    scene.launch()
    assert scene.look() == Look(State.MAKING)
    scene.delete()
    assert scene.look() == Look(State.GONE)


def test_who_is_not_logged_in_is_told_how_to(scene, monkeypatch):
    monkeypatch.delenv("COMPUTE_EMULATOR_HOST")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    with pytest.raises(ComputeError, match="gcloud auth application-default login") as caught:
        scene.launch()
    assert not isinstance(caught.value, MachineRefusedError)


# Machines that are there already.


def ask_for_another(scene: Scene, **labels: str) -> None:
    """Have somebody make a machine of the same name, by another request."""
    scene.launch()
    [made] = scene.made
    scene.delete()
    instance = {**made["instance"], "labels": {**made["instance"]["labels"], **labels}}
    ask(scene.cloud.compute_engine.port, "POST", f"{ZONE}/instances", instance)


def relaunch(scene: Scene) -> None:
    """As by a service that has forgotten the request's id."""
    scene.job = dataclasses.replace(scene.job, folder=f"{scene.job.folder}/.")
    scene.launch()


def test_a_machine_that_is_there_already_is_ours_when_its_labels_say_so(scene):
    ask_for_another(scene)
    relaunch(scene)
    assert len(scene.left) == 1
    scene.delete()
    assert scene.left == []


@pytest.mark.parametrize("labels", [{"storage": "elsewhere"}, {"job": "another-job"}])
def test_somebody_elses_machine_is_neither_taken_nor_deleted(scene, labels):
    ask_for_another(scene, **labels)
    for act in (lambda: relaunch(scene), scene.delete):
        with pytest.raises(MachineRefusedError, match=r"is somebody else's.*gcloud compute"):
            act()
    assert len(scene.left) == 1


def test_a_machine_that_is_gone_is_not_made_again(scene):
    scene.launch()
    scene.delete()
    scene.launch()
    assert scene.look() == Look(State.GONE)
    assert len(scene.made) == 1


def test_two_storages_share_a_project(scene, tmp_path):
    other = make_scene(scene.cloud, str(tmp_path / "elsewhere"))
    scene.launch()
    other.launch()
    assert len(scene.left) == 2
    other.delete()
    assert scene.left == [scene.request.machine]


# What is seen.


@pytest.mark.parametrize("moment", ["making", "running"])
def test_a_machine_that_was_preempted_is_told_from_one_that_vanished(scene, moment):
    scene.cloud.compute_engine.let("preempted", moment=moment)
    scene.launch()
    scene.wait_for(Look(State.GONE, FailureKind.PREEMPTED))
    assert scene.left == []


@pytest.mark.parametrize("moment", ["making", "running"])
def test_a_machine_that_vanished_was_not_preempted(scene, moment):
    scene.cloud.compute_engine.let("vanished", moment=moment)
    scene.launch()
    scene.wait_for(Look(State.GONE))


def test_a_stopped_machine_is_gone_and_yet_deleted(scene):
    scene.launch()
    scene.cloud.compute_engine.end(scene.request.machine, "stopped")
    scene.wait_for(Look(State.GONE))
    assert scene.left == [scene.request.machine]
    scene.delete()
    assert scene.left == []


STATES = {
    State.MAKING: ("PENDING", "PROVISIONING", "STAGING"),
    State.RUNNING: ("RUNNING",),
    State.STOPPING: (
        *("STOPPING", "PENDING_STOP", "SUSPENDING", "DEPROVISIONING", "REPAIRING"),
        "A_STATUS_OF_NEXT_YEAR",
    ),
    State.GONE: ("TERMINATED", "STOPPED", "SUSPENDED"),
}


def test_every_status_says_what_the_machine_is_doing(scene):
    scene.launch()
    for state, statuses in STATES.items():
        for status in statuses:
            scene.cloud.compute_engine.pretend(scene.request.machine, status)
            assert scene.look() == Look(state), status
    scene.cloud.compute_engine.pretend(scene.request.machine, "RUNNING")


def test_a_machine_ends_at_the_limit_of_its_run_time_though_nobody_looks(scene):
    scene.cloud.compute_engine.change(hurry=5000.0)
    scene.launch()
    scene.wait_for(Look(State.GONE))
    assert [each["ended_by"] for each in scene.made] == ["limit of its run time"]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_look_that_fails_is_no_evidence(scene, fault, caplog):
    scene.launch()
    scene.cloud.faults.add(GET, nth=[1, 2], **fault)
    assert [scene.look() for _ in range(3)] == [
        Look(State.UNKNOWN),
        Look(State.UNKNOWN),
        Look(State.RUNNING),
    ]
    assert caplog.text.count("can't be seen, watching on") == 1


def test_whether_it_was_preempted_is_not_guessed(scene):
    scene.cloud.compute_engine.let("preempted")
    scene.launch()
    scene.wait_for(Look(State.GONE, FailureKind.PREEMPTED))
    scene.cloud.faults.add("^GET .*/operations", nth=1, status=503)
    assert scene.look() == Look(State.UNKNOWN)
    assert scene.look() == Look(State.GONE, FailureKind.PREEMPTED)


def test_who_may_not_look_is_told_so_in_the_end(scene):
    scene.cloud.faults.add(GET, status=403, reason="forbidden", message="Required permission")
    assert [scene.look() for _ in range(4)] == [Look(State.UNKNOWN)] * 4
    with pytest.raises(ComputeError, match=r"Can't look at .*compute.instanceAdmin.v1"):
        scene.look()


def test_a_look_is_one_request(scene):
    scene.launch()
    scene.cloud.requests.clear()
    scene.look()
    assert len(scene.cloud.requests) == 1


def test_a_launch_is_two_requests_and_a_deletion_at_most_four(scene):
    scene.cloud.requests.clear()
    scene.launch()
    assert len(scene.cloud.requests.to("compute")) == 2
    scene.delete()
    assert len(scene.cloud.requests.to("compute")) == 6
    scene.delete()
    assert len(scene.cloud.requests.to("compute")) == 7


# Ends.


def test_a_slow_deletion_is_waited_for(scene):
    scene.cloud.compute_engine.let("slow deletion", seconds=0.5)
    scene.launch()
    scene.delete()
    assert scene.left == []


def test_a_machine_that_can_not_be_deleted_is_told_with_the_command(scene):
    scene.launch()
    scene = impatient(scene)
    scene.cloud.faults.add(DELETE, status=503)
    with pytest.raises(ComputeError) as caught:
        scene.delete()
    _, _, _, zone, _, name = scene.request.machine.split("/")
    command = f"gcloud compute instances delete {name} --project=test-project --zone={zone}"
    assert command in str(caught.value)


def test_a_console_that_can_not_be_read_hides_nothing(scene):
    scene.launch()
    scene.cloud.faults.add("serialPort", status=503)
    assert "The serial port of" in scene.compute.console(scene.request.machine)


@pytest.mark.parametrize("act", ["look", "delete", "console"])
def test_a_machine_of_another_compute_is_named(scene, act):
    with pytest.raises(ComputeError, match="'host:/work/jobs/j' is no machine of Compute Engine"):
        getattr(scene.compute, act)("host:/work/jobs/j")


# What is sent.


def test_every_request_names_its_machine_by_the_labels_and_has_no_secret(scene):
    scene.launch()
    [asked] = scene.cloud.requests.to("compute", r"POST .*/instances$")
    assert asked.json["labels"]["job"] == scene.job.name
    assert asked.json["labels"]["managed-by"] == "poor-mans-orchestration"
    assert asked.json["disks"][0]["initializeParams"]["labels"] == asked.json["labels"]
    assert not re.search("token|password|secret|private_key", asked.body.partition("#!")[0])
    assert "gce-container-declaration" not in asked.body


def test_the_container_finds_its_job_by_the_metadata_alone(scene):
    scene.cloud.compute_engine.change(environment={})
    scene.launch()
    scene.wait_for(Look(State.GONE))
    assert storage.open(scene.job.started).exists(scene.job.started)


def test_clients_are_made_in_each_process(scene):
    """Luigi forks: a connection that two processes share mixes up their replies."""

    def look_often() -> None:
        assert {scene.look() for _ in range(10)} == {Look(State.RUNNING)}

    scene.launch()
    look_often()
    forks = [multiprocessing.get_context("fork").Process(target=look_often) for _ in range(4)]
    for fork in forks:
        fork.start()
    for fork in forks:
        fork.join(30)
    assert [fork.exitcode for fork in forks] == [0] * 4
