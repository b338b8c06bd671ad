"""The server that stands in for Compute Engine is as strict, and leaves nothing behind."""

import http.client
import json
import os
import signal
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from pipeline import storage
from pipeline.layout import Job
from pipeline.records import Request
from tests.cloud.compute_engine.remote import ComputeEngine
from tests.cloud.compute_engine.samples import INSTANCE, ZONE, booting, changed
from tests.cloud.processes import ROOT, Process, free_ports
from tests.cloud.remote import ask
from tests.cloud.servers import Cloud
from tests.waiting import wait_until


@pytest.fixture
def compute_engine(cloud: Cloud) -> ComputeEngine:
    """The server itself, without the proxy."""
    return cloud.compute_engine


def request(port: int, method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, json.dumps(body) if body else None)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("color", "red", "Unknown name \"color\" at 'resource'"),
        ("machine_type", "x", 'Unknown name "machine_type"'),
        ("scheduling.maxRun", "x", "Unknown name \"maxRun\" at 'resource.scheduling'"),
        ("disks.0.size", "x", "Unknown name \"size\" at 'resource.disks'"),
        ("disks.0.boot", "perhaps", "Invalid JSON payload"),
        ("name", "A_Machine", "resource.name"),
        ("name", "a" * 64, "resource.name"),
        ("machineType", "e2-standard-4", "The URL is malformed"),
        (
            "machineType",
            "zones/europe-west1-c/machineTypes/e2-standard-4",
            "resource.machineType",
        ),
        (
            "machineType",
            "zones/europe-west1-b/machineTypes/e9-huge-4",
            "Machine type with name 'e9-huge-4' does not exist in zone 'europe-west1-b'",
        ),
        ("labels", {"Job": "x"}, "resource.labels.key"),
        ("labels", {"job": "x" * 64}, "resource.labels.value"),
        ("labels", {f"k{n}": "" for n in range(65)}, "At most 64 labels"),
        ("disks.0.boot", False, "Exactly one disk"),
        ("disks.0.initializeParams.sourceImage", "cos-stable", "sourceImage"),
        ("disks.0.initializeParams.diskType", "pd-balanced", "diskType"),
        ("disks.0.initializeParams.diskSizeGb", "9", "smaller than its image"),
        ("networkInterfaces.0.subnetwork", "default", "The URL is malformed"),
        ("networkInterfaces.0.subnetwork", "regions/us-east1/subnetworks/a", "another region"),
        ("serviceAccounts.0.email", "nobody", "Not a service account"),
        ("serviceAccounts.0.scopes", ["all"], "Not a scope"),
        ("scheduling.automaticRestart", None, "A Spot VM is never restarted"),
        ("scheduling.onHostMaintenance", "MIGRATE", "terminated for maintenance"),
        ("scheduling.provisioningModel", "CHEAP", "Unknown provisioning model"),
        ("scheduling.instanceTerminationAction", None, "must go with it"),
        ("scheduling.maxRunDuration", {"seconds": "29"}, "between 30 seconds and 120 days"),
        ("metadata.items", [{"key": "a b", "value": ""}], "Not a metadata key"),
        ("metadata.items", [{"key": "a", "value": ""}] * 2, "given twice"),
        ("metadata.items", [{"key": "a", "value": "x" * 262_145}], "Value is too large"),
        (
            "metadata.items",
            [{"key": f"k{n}", "value": "x" * 262_144} for n in range(2)],
            "less than 512 KB",
        ),
    ],
)
def test_what_compute_engine_would_not_take_is_refused(compute_engine, path, value, words):
    port = compute_engine.port
    status, told = request(port, "POST", f"{ZONE}/instances", changed(path, value))
    assert status == 400
    assert words in told["error"]["message"]
    assert told["error"]["errors"][0]["reason"] in ("invalid", "badRequest")
    assert compute_engine.machines == []


@pytest.mark.parametrize("request_id", ["no-uuid", str(uuid.UUID(int=0))])
def test_a_request_id_is_a_uuid(compute_engine, request_id):
    path = f"{ZONE}/instances?requestId={request_id}"
    status, told = request(compute_engine.port, "POST", path, INSTANCE)
    assert status == 400
    assert "requestId" in told["error"]["message"]


def test_a_parameter_that_no_method_has_is_refused(compute_engine):
    status, _ = request(compute_engine.port, "POST", f"{ZONE}/instances?color=red", INSTANCE)
    assert status == 400


def test_the_same_request_is_done_once(compute_engine):
    path = f"{ZONE}/instances?requestId={uuid.uuid4()}"
    told = [ask(compute_engine.port, "POST", path, INSTANCE) for _ in range(2)]
    assert told[0]["name"] == told[1]["name"]
    assert len(compute_engine.machines) == 1


def test_another_request_for_the_same_name_is_a_conflict(compute_engine):
    compute_engine.let("stuck")
    port = compute_engine.port
    ask(port, "POST", f"{ZONE}/instances", INSTANCE)
    status, told = request(port, "POST", f"{ZONE}/instances", INSTANCE)
    assert status == 409
    assert told["error"]["errors"][0]["reason"] == "alreadyExists"


def test_machines_are_listed_by_zone_and_over_all_zones(compute_engine):
    compute_engine.let("stuck")
    port = compute_engine.port
    ask(port, "POST", f"{ZONE}/instances", INSTANCE)
    found = ask(port, "GET", f"{ZONE}/instances?filter=labels.job%3Da-job")["items"]
    assert [each["name"] for each in found] == ["a-machine"]
    assert ask(port, "GET", f"{ZONE}/instances?filter=labels.job%3Danother")["items"] == []
    zones = ask(port, "GET", "/compute/v1/projects/p/aggregated/instances")["items"]
    assert [each["name"] for each in zones["zones/europe-west1-b"]["instances"]] == ["a-machine"]
    assert zones["zones/us-central1-a"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job that a machine begins and that never ends."""
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "sitecustomize.py").write_text(
        "import sys, time\nif 'container.run' in ' '.join(sys.orig_argv): time.sleep(60)\n"
    )
    job = Job("a-job", f"{tmp_path}/jobs/a-job")
    content = Request(
        job=job.name,
        action="training",
        compute="google",
        machine="m",
        image=None,
        deadline_seconds=60,
        heartbeat_seconds=0.2,
        runs=(),
    )
    storage.open(job.request).write(job.request, content.dump())
    return job


def start(port: int, job: Job) -> None:
    folder = str(Path(job.folder).parents[1] / "busy")
    ask(port, "POST", "/control/world", {"environment": {"PYTHONPATH": folder}})
    ask(port, "POST", f"{ZONE}/instances", booting(job.folder))
    wait_until(lambda: containers(job), seconds=20)


def containers(job: Job) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if job.folder.encode() in command:
            found.append(int(folder.name))
    return found


def test_nothing_is_left_of_a_server_that_is_killed(job):
    [port] = free_ports(1)
    command = [sys.executable, "-m", "tests.cloud.compute_engine", "--port", str(port)]
    with tempfile.TemporaryDirectory() as journal, tempfile.TemporaryFile() as printed:
        process = Process.start(
            "compute", [*command, "--journal", journal], {"PYTHONPATH": str(ROOT)}, printed
        )
        process.wait_for(port, "/healthz")
        start(port, job)
        os.kill(process.running.pid, signal.SIGKILL)
        wait_until(lambda: not containers(job), seconds=20)
        process.stop()


def test_clearing_ends_every_machine(compute_engine, job):
    start(compute_engine.port, job)
    compute_engine.clear()
    assert containers(job) == []
    assert compute_engine.machines == []
