"""The image: what is in it, who may run it, and how its jobs end."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from container.run import TOLD
from tests.image.engine import ROOT
from tests.image.jobs import (
    CONFINED,
    USER,
    ContainerJob,
    container_job,
    finished_data,
    finished_model,
)

FIND_TESTS = "find / -xdev -type d -name tests -not -path '/proc/*' 2>/dev/null || true"
TOOLS = ("pip", "pip3", "gcc", "cc", "make", "wheel", "apt-get", "dpkg", "perl", "su", "mount")


@pytest.fixture
def ask(engine, toy_image):
    """What a program of the image prints: `ask("python", "-c", "...")`."""

    def ask(program: str, *words: str, user: object = "10001:10001") -> str:
        options = ("--rm", *CONFINED, f"--user={user}", f"--entrypoint={program}")
        return engine.do("run", *options, toy_image, *words)

    return ask


@pytest.fixture
def apply(engine, tmp_path):
    """Prepare an application: `apply(exit=3)` is a `ContainerJob` whose model exits with 3."""
    with ExitStack() as stack:

        def apply(**mischief: object) -> ContainerJob:
            place = tmp_path / "place"
            data = finished_data(place / "data", pa.table({"id": [1, 2, 3]}))
            inputs = {"data": data, "model": finished_model(place / "training", **mischief)}
            return stack.enter_context(container_job(engine, place, "application", inputs))

        yield apply


def test_the_image_says_of_which_version_and_commit_it_is(engine, toy_image):
    [about] = json.loads(engine.do("image", "inspect", toy_image))
    labels = about["Config"]["Labels"]
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    head = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    revision = labels["org.opencontainers.image.revision"].removesuffix("-dirty")
    assert revision == (head.stdout.strip() or "unknown")
    assert labels["org.opencontainers.image.version"]
    assert (about["Os"], about["Architecture"]) == ("linux", "amd64")


def test_nobody_in_the_image_is_root(engine, toy_image):
    options = ("--rm", *CONFINED, "--entrypoint=id")
    assert engine.do("run", *options, toy_image, "-u") == "10001"


@pytest.mark.parametrize("user", ["10001:10001", f"{USER}:{USER}"])
def test_any_user_may_write_to_the_work_folder_and_nowhere_else(ask, user):
    tried = "cd; pwd; touch here && echo written; touch /srv/here || touch /opt/venv/here"
    assert ask("sh", "-c", f"({tried}) 2>&1 || true", user=user).splitlines()[:2] == [
        "/work",
        "written",
    ]
    assert "Read-only file system" in ask("sh", "-c", f"({tried}) 2>&1 || true", user=user)


def test_nothing_in_the_image_installs_or_builds_or_makes_somebody_root(ask):
    found = ask("sh", "-c", f"for each in {' '.join(TOOLS)}; do command -v $each; done; :")
    assert found == ""
    modules = "'pip', 'setuptools', 'wheel', 'ensurepip'"
    code = f"import importlib.util as u; print([m for m in ({modules}) if u.find_spec(m)])"
    assert ask("python", "-c", code) == "[]"
    assert ask("/usr/bin/env", "python3", "-I", "-c", code) == "[]"
    assert ask("find", "/", "-xdev", "-type", "f", "-perm", "/6000", user="0:0") == ""


def test_what_was_taken_out_of_the_base_is_missed_by_no_library(ask, engine, toy_image):
    files = "find /usr /opt -type f '(' -name '*.so*' -o -path '*/bin/*' ')'"
    options = ("--rm", *CONFINED, "--entrypoint=sh", toy_image, "-c")
    linked = engine.try_to("run", *options, f"{files} | xargs ldd").stdout
    assert "libc.so.6 => /" in linked
    # A library that one in its own folder loads has no path of its own to what lies there, too.
    brought = ask("find", "/opt", "-name", "*.so*", "-printf", "%f ").split()
    assert set(re.findall(r"(\S+) => not found", linked)) <= set(brought)


def test_a_scanner_finds_in_dpkgs_records_what_is_there(ask):
    status = ask("cat", "/var/lib/dpkg/status")
    packages = re.findall(r"^Package: (\S+)$", status, re.MULTILINE)
    assert {"libc6", "libssl3"} <= set(packages)
    assert not {"apt", "dpkg", "perl-base", "login"} & set(packages)


def test_certificates_and_time_zones_are_there(ask):
    code = """
import ssl, zoneinfo
context = ssl.create_default_context(cafile=ssl.get_default_verify_paths().cafile)
print(len(context.get_ca_certs()) > 50, zoneinfo.ZoneInfo("Europe/Stockholm"))
"""
    assert ask("/usr/bin/env", "python3", "-I", "-c", code) == "True Europe/Stockholm"


def test_no_librarys_tests_are_in_the_image(ask):
    assert ask("sh", "-c", FIND_TESTS) == ""


def test_every_module_is_compiled(ask):
    """Nobody may write byte code at run time, so what is not compiled is compiled at each start."""
    code = """
import importlib.util, pathlib
sources = [p for top in ("/srv", "/opt/venv/lib") for p in pathlib.Path(top).rglob("*.py")]
left = [p for p in sources if not pathlib.Path(importlib.util.cache_from_source(p)).exists()]
print(len(sources) > 1000, left)
"""
    assert ask("python", "-c", code) == "True []"


def test_the_python_of_the_base_is_compiled_as_far_as_a_job_needs_it(ask):
    code = """
import pathlib, sys, container.run, pipeline.storage.google
compiled = [getattr(module, "__cached__", None) for module in list(sys.modules.values())]
print([path for path in compiled if path and not pathlib.Path(path).exists()])
"""
    assert ask("python", "-c", code) == "[]"


def test_a_job_leaves_its_predictions_and_prints_its_log(toy_image, apply):
    job = apply(sleep=0.5)
    job.start(toy_image)
    assert job.wait() == 0
    predicted = pq.read_table(job.results["part-0.parquet"])
    assert predicted["id"].to_pylist() == [1, 2, 3]
    assert predicted["share"].to_pylist() == [0.25, 0.25, 0.25]
    assert "mischief: sleep 0.5" in job.log
    assert job.log in job.printed


def test_a_model_that_fails_is_told_with_its_own_words(toy_image, apply):
    job = apply(fail="column 'amount' is missing")
    job.start(toy_image)
    assert job.wait() == TOLD
    assert job.run_failure["kind"] == "model's error"
    assert job.run_failure["reason"] == "column 'amount' is missing"
    assert not job.is_done


def test_a_container_that_is_told_to_end_says_so(toy_image, apply, tmp_path):
    gate = tmp_path / "place" / "gate"
    job = apply(wait_for=str(gate))
    job.start(toy_image)
    job.wait_until(Path(f"{gate}.here").exists)
    job.stop()
    assert job.wait() == TOLD
    assert job.failure["kind"] == "killed"
    assert job.failure["reason"] == "it was told to end (SIGTERM)"
    assert not job.is_done
    assert "mischief: wait_for" in job.log


def test_a_missing_input_is_told(toy_image, apply, tmp_path):
    job = apply()
    [missing] = (tmp_path / "place" / "data").rglob("part-0.parquet")
    missing.unlink()
    job.start(toy_image)
    assert job.wait() == TOLD
    assert f"{missing} does not exist" in job.run_failure["reason"]
    assert not job.is_done


def test_without_an_engine_tests_are_skipped_with_a_remedy(tmp_path):
    ended = run_a_test(tmp_path)
    assert "1 skipped" in ended.stdout
    assert "No Docker engine answers" in ended.stdout
    assert ended.returncode == 0


def test_in_ci_a_missing_engine_is_a_failure(tmp_path):
    ended = run_a_test(tmp_path, CI="true")
    assert "1 error" in ended.stdout
    assert "No Docker engine answers" in ended.stdout
    assert ended.returncode == 1


def run_a_test(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one test of this file where no engine answers."""
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    test = f"{__file__}::test_nobody_in_the_image_is_root"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", test],
        cwd=ROOT,
        env={**inherited, "DOCKER_HOST": f"unix://{tmp_path}/none.sock", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
