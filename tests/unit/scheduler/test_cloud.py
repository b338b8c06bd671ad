"""`make cloud`: what it prints, and what APPLY=1 makes of an empty project.

Google Cloud is a stand-in that remembers what was made, and refuses to make it again. Whether the
commands are right is for gcloud itself to say, where it is installed.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WHERE = {"PROJECT": "my-project", "REGION": "europe-west1"}
DIGEST = "sha256:" + 64 * "0"
IMAGE = f"europe-west1-docker.pkg.dev/my-project/pipeline/churn@{DIGEST}"
OURS = ("APPLY", "BUCKET", "DATASET", "LOCATION", "NAME", "NAT", "PROJECT", "REGION")
OURS += ("REPOSITORY", "SOURCE_DATASET", "ZONE", "ZONES")
SETTINGS_MISSING = 3


class Cloud:
    """A checkout with its luigi.cfg, and an empty project of the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        (self.checkout / "scheduler").mkdir(parents=True)
        shutil.copy(ROOT / "scheduler" / "cloud.sh", self.checkout / "scheduler")
        (self.checkout / "luigi.cfg").write_text("[compute_engine]\nimage =\n")
        (folder / "bin").mkdir()
        for program in ("gcloud", "bq", "make"):
            path = folder / "bin" / program
            words = (sys.executable, Path(__file__).with_name("gcloud.py"), folder, program)
            path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
            path.chmod(0o755)

    def __call__(self, **variables: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in OURS}
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            [self.checkout / "scheduler" / "cloud.sh"],
            env={**inherited, "PATH": path, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    def apply(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self(**WHERE, APPLY="1", **variables)

    def name_the_image(self) -> None:
        """What the user does between the two halves."""
        (self.checkout / "luigi.cfg").write_text(f"[compute_engine]\nimage = {IMAGE}\n")

    def break_(self, command: str) -> None:
        (self.folder / "broken").write_text(command)

    def mend(self) -> None:
        (self.folder / "broken").unlink()

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def made(self) -> list[str]:
        return (self.folder / "made").read_text().splitlines()


@pytest.fixture
def empty(tmp_path) -> Cloud:
    return Cloud(tmp_path)


@pytest.mark.parametrize("given", [{}, {"PROJECT": "my-project"}, {"REGION": "europe-west1"}])
def test_without_a_project_or_a_region_one_line_says_so(empty, given):
    ended = empty(**given)
    assert ended.returncode == 2
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert "make cloud PROJECT=my-project REGION=europe-west1" in line


def test_it_only_prints_unless_it_is_told_to_apply(empty):
    printed = empty(**WHERE)
    assert printed.returncode == 0, printed.stderr
    assert empty.calls == []
    assert "service_account = jobs@my-project.iam.gserviceaccount.com" in printed.stdout


def test_what_is_printed_makes_the_same_when_it_is_pasted(empty):
    script = empty(**WHERE).stdout
    empty.name_the_image()
    environment = {**os.environ, "PATH": f"{empty.folder / 'bin'}:{os.environ['PATH']}"}
    command = ["bash", "-eu", "-o", "pipefail", "-c", script]
    subprocess.run(command, cwd=empty.checkout, env=environment, check=True, capture_output=True)
    pasted = empty.made
    (empty.folder / "made").unlink()
    assert empty.apply().returncode == 0
    assert empty.made == pasted


def test_the_settings_that_it_prints_are_allowed(empty):
    printed = re.findall(r"^#     (.*)$", empty(**WHERE).stdout, re.MULTILINE)
    settings = "\n".join(printed).replace(
        "[pipeline]", "[pipeline]\nname = churn\nhorizon_days = 9"
    )
    settings = settings.replace("sha256:...", DIGEST)
    (empty.checkout / "luigi.cfg").write_text(settings)
    (empty.checkout / "prediction").mkdir()
    check = "import luigi, pipeline; from pipeline import settings; settings.check()"
    command = [sys.executable, "-c", check]
    ended = subprocess.run(command, cwd=empty.checkout, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_it_waits_for_luigi_cfg_to_name_the_image_that_it_pushed(empty):
    first = empty.apply()
    assert first.returncode == SETTINGS_MISSING
    assert f"image = {IMAGE}" in first.stdout
    assert "Put these lines into luigi.cfg and run the same again" in first.stderr
    assert "compute instances churn-scheduler" not in empty.made
    empty.name_the_image()
    assert empty.apply().returncode == 0
    assert "compute instances churn-scheduler" in empty.made


def test_a_second_time_it_makes_nothing_and_restarts_nothing(empty):
    empty.name_the_image()
    assert empty.apply(NAT="1").returncode == 0
    before = len(empty.calls)
    assert empty.apply(NAT="1").returncode == 0
    things = [line for line in empty.made if not line.startswith(("grant", "GRANT"))]
    assert max(Counter(things).values()) == 1
    made_again = re.compile(r" (create|mk|stop|start|add-metadata) ")
    assert [call for call in empty.calls[before:] if made_again.search(call)] == []


def test_a_new_image_of_the_scheduler_restarts_its_machine(empty):
    empty.name_the_image()
    assert empty.apply().returncode == 0
    made = (empty.folder / "made").read_text()
    (empty.folder / "made").write_text(made.replace(f"churn-scheduler@{DIGEST}", "older"))
    before = len(empty.calls)
    assert empty.apply().returncode == 0
    changes = [call for call in empty.calls[before:] if " instances " in call][-3:]
    assert [call.split()[3] for call in changes] == ["add-metadata", "stop", "start"]
    assert f"scheduler-image={IMAGE.replace('churn@', 'churn-scheduler@')}" in changes[0]


@pytest.mark.parametrize(
    "command", ["gcloud iam roles create", "bq mk", "gcloud compute instances create"]
)
def test_a_failure_stops_it_names_the_command_and_the_next_time_completes(empty, command):
    empty.name_the_image()
    empty.break_(command)
    failed = empty.apply()
    assert failed.returncode == 1
    assert "This failed, and nothing after it was done." in failed.stderr
    assert command in failed.stderr.rpartition("This failed")[2]
    assert command in empty.calls[-1]
    empty.mend()
    assert empty.apply().returncode == 0
    assert "compute instances churn-scheduler" in empty.made


def test_both_accounts_get_the_roles_of_the_page_and_no_others(empty):
    empty.name_the_image()
    empty.apply(SOURCE_DATASET="my-project.shop")
    granted = set(re.findall(r"grant (\S+) .* to serviceAccount:(\w+)@", "\n".join(empty.made)))
    granted |= set(re.findall(r"GRANT `(\S+)` .* TO .*:(\w+)@", "\n".join(empty.made)))
    page = (ROOT / "docs" / "cloud.md").read_text()
    rows = re.findall(r"^\| (orchestrator|jobs) \| `(\S+?)`(.*)", page, re.MULTILINE)
    told = {(role, who) for who, role, rest in rows if "only when it is another" not in rest}
    own_role = ("projects/my-project/roles/machineDeleter", "jobs")
    assert granted - {own_role} == told - {("compute.instances.delete", "jobs")}
    assert own_role in granted


def test_machines_get_a_way_to_the_internet_only_when_it_is_asked_for(empty):
    assert "nats create" not in empty(**WHERE).stdout
    assert "nats create" in empty(**WHERE, NAT="1").stdout


def commands(script: str) -> list[str]:
    """The gcloud commands of a script, those in its comments too."""
    joined = re.sub(r"\s*\\\n\s*", " ", script)
    found = re.findall(r"(?:^|[{(] |  |# |&&\n\s+)(gcloud [^|>&;\n]*)", joined, re.MULTILINE)
    return [command.partition(" -- ")[0].strip() for command in found]


@pytest.mark.slow
def test_gcloud_itself_knows_every_command_and_flag(empty, tmp_path):
    """Without gcloud it is skipped, and fails in CI."""
    if not shutil.which("gcloud"):
        assert "CI" not in os.environ, "gcloud is not installed"
        pytest.skip("gcloud is not installed")
    script = empty(**WHERE, NAT="1", SOURCE_DATASET="p.d").stdout
    listed = [{"command_string": each} for each in commands(script)]
    assert len(listed) > 35
    (tmp_path / "wrong.json").write_text(json.dumps([*listed, {"command_string": f"{WRONG}"}]))
    answer = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={tmp_path}/wrong.json"],
        env={**os.environ, "CLOUDSDK_CONFIG": str(tmp_path / "gcloud")},
        capture_output=True,
        text=True,
        check=True,
    )
    *results, wrong = json.loads(answer.stdout)
    assert not wrong["success"]
    assert [each["error_message"] for each in results if not each["success"]] == []
    assert len(results) == len(listed)


WRONG = "gcloud compute instances create x --project p --zone z --no-such-flag"
