"""The images' libraries are those that the tests ran with."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
IMAGES = ("container/requirements.lock", "scheduler/requirements.lock")
MACHINE = {"sys_platform": "linux", "platform_machine": "x86_64", "python_full_version": "3.11.9"}
MACHINE |= {"platform_python_implementation": "CPython", "implementation_name": "cpython"}


def pins(lock: str) -> dict[str, str]:
    """Name -> version of what a lock installs on a machine of Compute Engine."""
    found = {}
    for line in (ROOT / lock).read_text().splitlines():
        if re.match(r"[a-z]", line):
            pin = Requirement(line.removesuffix("\\"))
            if pin.marker is None or pin.marker.evaluate(MACHINE):
                found[pin.name] = str(pin.specifier).removeprefix("==")
    return found


@pytest.mark.parametrize("lock", IMAGES)
def test_an_image_has_the_versions_of_the_development_lock(lock):
    image = pins(lock)
    development = pins("requirements.lock")
    assert image
    assert image == {name: development.get(name) for name in image}


def test_the_image_has_what_the_job_asks_for_and_no_scheduler_warehouse_or_test_tools():
    image = pins("container/requirements.lock")
    lines = (ROOT / "container" / "requirements.in").read_text().splitlines()
    wanted = [Requirement(line) for line in lines if not line.startswith("#")]
    assert wanted
    assert all(each.specifier.contains(image[each.name]) for each in wanted)
    assert not {"luigi", "duckdb", "google-cloud-bigquery", "docker", "pytest"} & image.keys()


def test_the_scheduler_has_what_the_pipeline_asks_for_and_all_that_a_job_has():
    """So that it can carry jobs out itself, with compute = local."""
    image = pins("scheduler/requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    assert all(each.specifier.contains(image[each.name]) for each in wanted)
    assert pins("container/requirements.lock").items() <= image.items()
    assert "pytest" not in image


@pytest.mark.parametrize("lock", IMAGES)
def test_every_library_of_an_image_is_locked_by_a_checksum(lock):
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(pins(lock))
    assert all("--hash=sha256:" in each for each in entries)
