"""The boot script on a machine that boots: what it tells, and what it keeps to itself.

How whole jobs end is in acceptance/test_endings.
"""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from tests.cloud.compute_engine.samples import ZONE, booting
from tests.cloud.processes import ROOT
from tests.cloud.remote import ask
from tests.cloud.servers import Cloud
from tests.waiting import wait_until

CONTAINER = ROOT / "container"
# What a container does that never comes to itself.
BUSY = "import sys, time\nif 'container.run' in ' '.join(sys.orig_argv): time.sleep(60)\n"


@dataclass
class Job:
    """A job's folder in storage, in which there is no request, and the machine for it."""

    cloud: Cloud
    bucket: str

    def boot(self, limit_seconds: int = 60, image: str = "an-image") -> None:
        instance = booting(f"{self.bucket}/jobs/a-job", limit_seconds, image)
        ask(self.cloud.compute_engine.port, "POST", f"{ZONE}/instances", instance)

    def wait(self) -> None:
        """Until the machine is gone."""
        wait_until(lambda: self.cloud.compute_engine.left == [])

    def read(self, name: str) -> str:
        client = storage.Client(
            project="p",
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": self.cloud.environment["STORAGE_EMULATOR_HOST"]},
        )
        bucket = client.bucket(self.bucket.removeprefix("gs://"))
        return bucket.blob(f"jobs/a-job/{name}").download_as_text()

    @property
    def failure(self) -> dict:
        return json.loads(self.read("failure.json"))


@pytest.fixture
def job(cloud: Cloud) -> Job:
    return Job(cloud, cloud.new_bucket())


def commands() -> str:
    """All that run on this machine."""
    listed = subprocess.run(["ps", "-wweo", "args="], capture_output=True, text=True, check=True)
    return listed.stdout


def test_a_container_that_ends_without_a_word_is_told_of_by_its_last_one(job):
    job.boot()
    job.wait()
    failure = job.failure
    assert (failure["kind"], failure["by"], failure["exit_status"]) == ("killed", "machine", 1)
    assert failure["reason"].startswith("the container ended with exit status 1: ")
    assert "request.json does not exist" in failure["reason"]
    assert "request.json does not exist" in job.read("log.txt")


def test_a_container_that_keeps_no_deadline_is_stopped_and_told_of(job, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BUSY)
    job.cloud.compute_engine.change(environment={"PYTHONPATH": str(tmp_path)})
    job.boot(limit_seconds=1)
    job.wait()
    assert job.failure["kind"] == "deadline"
    assert job.failure["reason"] == "not ended 1 seconds after its container began"


def test_a_machine_with_little_memory_keeps_half_of_it_and_a_larger_one_half_a_gigabyte(job):
    for memory_kib, given in ((1_000_000, 500_000), (16_000_000, 15_475_712)):
        job.bucket = job.cloud.new_bucket()
        job.cloud.compute_engine.change(memory_kib=memory_kib)
        job.cloud.compute_engine.let("out of memory", moment="working")
        job.boot()
        job.wait()
        assert job.failure["kind"] == "out of memory"
        assert f"{given} KiB of memory were not enough" in job.failure["reason"]


def test_what_it_says_is_json_whatever_the_container_printed(job, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'container.run' in ' '.join(sys.orig_argv):\n"
        "    sys.exit('a \"quote\", a \\\\ backslash,\\ta tab, \\x1b[31mred\\x1b[0m, \\u00e9')\n"
    )
    job.cloud.compute_engine.change(environment={"PYTHONPATH": str(tmp_path)})
    job.boot()
    job.wait()
    assert 'a "quote", a \\ backslash,\ta tab, [31mred[0m, é' in job.failure["reason"]


def test_a_machine_that_is_not_ready_to_be_deleted_tries_on(job):
    job.cloud.compute_engine.let("its own deletion fails", failures=1)
    job.boot()
    job.wait()
    assert [each["ended_by"] for each in job.cloud.compute_engine.machines] == ["by itself"]


def test_a_machine_logs_in_to_googles_registries_only(job, tmp_path):
    logins = tmp_path / "logins"
    job.cloud.compute_engine.change(logins=str(logins))
    hosts = ("pkg.dev.example.com", "europe-west1-docker.pkg.dev", "notgcr.io", "eu.gcr.io")
    for host in hosts:
        job.bucket = job.cloud.new_bucket()
        job.boot(image=f"{host}/p/models/churn@sha256:{'0' * 64}")
        job.wait()
    assert logins.read_text().splitlines() == [
        "configure-docker --registries europe-west1-docker.pkg.dev",
        "configure-docker --registries eu.gcr.io",
    ]


def test_a_machine_shows_its_token_to_nobody(job, tmp_path):
    """Not to those who list processes, nor in what it prints and keeps."""
    (tmp_path / "sitecustomize.py").write_text(BUSY)
    job.cloud.compute_engine.change(environment={"PYTHONPATH": str(tmp_path)})
    job.cloud.faults.add("^POST /upload/", service="machines", delay_seconds=2)
    job.boot(limit_seconds=1)
    [machine] = job.cloud.compute_engine.machines
    wait_until(lambda: "failure.json" in commands())
    assert machine["token"] not in commands()
    job.wait()
    sent = job.cloud.requests.to("machines", "^POST /upload/")
    assert f"Bearer {machine['token']}" in [each.headers.get("authorization") for each in sent]
    assert not any(machine["token"] in each.body for each in sent)


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    if not shutil.which("systemd-analyze") and "CI" not in os.environ:
        pytest.skip("systemd-analyze is not here. On Debian: apt-get install systemd")
    [file] = yaml.safe_load((CONTAINER / "cloud-init.yaml").read_text())["write_files"]
    unit = tmp_path / "job.service"
    unit.write_text(file["content"])
    # The units that it comes after are the machine's, not this one's.
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
