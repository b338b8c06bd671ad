"""How an image is asked for, seen by a docker that builds nothing."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
# Writes down what it is asked for, and has no network of its own.
DOCKER = """#!/bin/sh
[ "$1" = network ] && exit 1
printf '%s\\n' "$@" >"$0.asked"
while [ "$1" != --iidfile ]; do shift; done
printf sha256:0123 >"$2"
"""


@pytest.fixture
def docker(tmp_path) -> Path:
    path = tmp_path / "docker"
    path.write_text(DOCKER)
    path.chmod(0o755)
    return path


def build(docker: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = {"DOCKER", "PREDICTION", "VERSION", "REVISION", "BASE_IMAGE", "PIP_CONF", "NETWORK"}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        ["bash", "container/build.sh", *words],
        cwd=ROOT,
        env={**inherited, "DOCKER": str(docker), "PREDICTION": "tests/toy/prediction"}
        | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def asked(docker: Path) -> str:
    return " ".join(docker.with_name("docker.asked").read_text().splitlines())


def test_the_image_is_for_the_machines_of_compute_engine_and_its_id_is_all_that_is_printed(docker):
    built = build(docker, "churn:1-abc", VERSION="1", REVISION="abc")
    assert built.stdout == "sha256:0123"
    assert "--platform linux/amd64 --tag churn:1-abc" in asked(docker)
    assert "VERSION=1 --build-arg REVISION=abc" in asked(docker)
    assert "BASE_IMAGE" not in asked(docker)


def test_an_engine_without_a_network_builds_in_the_machines(docker):
    build(docker, "churn:1")
    assert "--network host" in asked(docker)


def test_a_pip_conf_is_a_secret_and_no_argument(docker, tmp_path):
    build(docker, "churn:1", PIP_CONF="/home/me/pip.conf", BASE_IMAGE="ours:3")
    assert "--secret id=pip.conf,src=/home/me/pip.conf" in asked(docker)
    assert "--build-arg BASE_IMAGE=ours:3" in asked(docker)


def test_a_folder_that_is_no_model_package_is_refused(docker):
    built = build(docker, "churn:1", PREDICTION="docs")
    assert built.returncode == 1
    assert "docs is no model package of this checkout: it has no main.py." in built.stderr


def test_cloud_build_pushes_what_it_builds(docker):
    plan = yaml.safe_load((ROOT / "container" / "cloudbuild.yaml").read_text())
    values = {**plan["substitutions"], "_IMAGE": "europe-docker.pkg.dev/p/m/churn"}
    values |= {"_REVISION": "abc", "_PREDICTION": "tests/toy/prediction"}

    def fill(text: str) -> str:
        return re.sub(r"\$(_[A-Z]+)", lambda found: values[found[1]], text)

    [step] = plan["steps"]
    script, tag = map(fill, step["args"])
    assert script == "container/build.sh"
    assert [fill(image) for image in plan["images"]] == [tag]
    environment = dict(fill(each).split("=", 1) for each in step["env"])
    assert build(docker, tag, **environment).returncode == 0
    assert "--tag europe-docker.pkg.dev/p/m/churn:1-abc" in asked(docker)
    assert "PREDICTION=tests/toy/prediction --build-arg VERSION=1" in asked(docker)
