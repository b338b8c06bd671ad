"""What the scheduler's machine does at its boot, seen by programs that write down their calls."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
IMAGE = "europe-west1-docker.pkg.dev/p/pipeline/churn-scheduler@sha256:0123"
# The metadata server has the image; `docker pull` fails where the folder says so.
CURL = f"""#!/bin/sh
case "$*" in
*/scheduler-image) cat "$HOME/image" 2>/dev/null || echo {IMAGE} ;;
*/scheduler-environment) cat "$HOME/given" 2>/dev/null || exit 22 ;;
esac
"""
DOCKER = """#!/bin/sh
echo "$*" >>"$HOME/calls"
case "$1" in
pull) [ ! -e "$HOME/away" ] ;;
image) [ "$2" != inspect ] || [ -e "$HOME/here" ] ;;
esac
"""
CREDENTIAL = """#!/bin/sh
echo "$*" >>"$HOME/logins"
"""


@pytest.fixture
def machine(tmp_path) -> Path:
    """The machine's own folder, with its programs in bin."""
    (tmp_path / "bin").mkdir()
    programs = {"curl": CURL, "docker": DOCKER, "docker-credential-gcr": CREDENTIAL}
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


def boot(machine: Path) -> int:
    """Run what the service of cloud-init.yaml runs."""
    plan = yaml.safe_load((ROOT / "scheduler" / "cloud-init.yaml").read_text())
    [script] = [file["content"] for file in plan["write_files"] if file["path"].endswith(".sh")]
    path = f"{machine / 'bin'}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(machine), "METADATA": "http://metadata"}
    return subprocess.run(["bash", "-c", script], env=environment, check=False).returncode


def calls(machine: Path) -> list[str]:
    return (machine / "calls").read_text().splitlines()


def test_the_image_is_run_by_its_digest_and_older_ones_go(machine):
    (machine / "given").write_text("GREETING=hello\n")
    assert boot(machine) == 0
    pull, rm, create, prune, start = calls(machine)
    assert pull == f"pull -q {IMAGE}"
    assert rm == "rm --force scheduler"
    assert create.endswith(IMAGE)
    assert "--volume /var/lib/scheduler:/var/lib/scheduler" in create
    assert prune == "image prune --all --force"
    assert start == "start --attach scheduler"
    assert (machine / "environment").read_text() == "GREETING=hello\n"


def test_googles_registries_alone_are_logged_in_to(machine):
    assert boot(machine) == 0
    (machine / "image").write_text("registry.example.com/churn-scheduler@sha256:0123")
    assert boot(machine) == 0
    logins = (machine / "logins").read_text().splitlines()
    assert logins == ["configure-docker --registries europe-west1-docker.pkg.dev"]


def test_without_an_environment_it_is_empty(machine):
    assert boot(machine) == 0
    assert (machine / "environment").read_text() == ""


def test_while_the_registry_is_away_the_image_that_is_here_is_run(machine):
    (machine / "away").touch()
    assert boot(machine) != 0
    assert not [call for call in calls(machine) if call.startswith("create")]
    (machine / "here").touch()
    assert boot(machine) == 0
    assert calls(machine)[-1] == "start --attach scheduler"
