"""A company's model in the image: LightGBM, a Debian package, a wheel, and a private index."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.image.company.index import PASSWORD, private_index, write_wheel
from tests.image.engine import ROOT
from tests.image.jobs import CONFINED, container_job, finished_data

HERE = Path(__file__).parent / "company"
PARTS = ("Makefile", "pyproject.toml", "requirements.lock", ".dockerignore")
PARTS += ("container", "pipeline", "scheduler", "tests/cloud/excludes.txt")
PARTS += ("tests/cloud/requirements.in", "tests/cloud/requirements.lock")
SETTINGS = """
[pipeline]
name = company
horizon_days = 30
storage = var/storage
warehouse = var/warehouse.duckdb
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A checkout of a company, with its own model package, packages and wheels."""
    folder = tmp_path_factory.mktemp("company")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / part, folder / part)
    shutil.copytree(HERE / "prediction", folder / "prediction")
    (folder / "luigi.cfg").write_text(SETTINGS)
    (folder / "container" / "packages.txt").write_text("libgomp1  # for LightGBM\nzstd\n")
    write_wheel(folder / "container" / "wheels", "company_rates", "RATE = 0.3\n")
    return folder


@pytest.fixture(scope="module")
def image(checkout, engine, tmp_path_factory):
    """What the company gets when it types `make lock` and `make image`: the image's id."""
    private = tmp_path_factory.mktemp("private")
    wheel = write_wheel(private, "company_words", "TRAINED = 'trained, says the company'\n")
    with private_index(wheel) as url:
        make(checkout, "lock", "UPGRADE=", UV_INDEX=url)
        (private / "pip.conf").write_text(f"[global]\nextra-index-url = {url}\n")
        settings = {"PIP_CONF": str(private / "pip.conf"), "NETWORK": "host"}
        printed = make(checkout, "image", DOCKER=engine.program, **settings)
    tag, image = re.search(r"^(company:\S+) is (sha256:\w+)$", printed, re.MULTILINE).groups()
    yield image
    engine.try_to("image", "rm", "--force", tag)


def make(checkout: Path, *words: str, **environment: str) -> str:
    """What `make WORDS` prints, with the libraries that this process has."""
    command = ["make", "-o", ".venv/installed", f"BIN={Path(sys.executable).parent}", *words]
    ended = subprocess.run(
        command,
        cwd=checkout,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_model_of_lightgbm_trains_in_the_container(engine, image, tmp_path):
    rows = list(range(100))
    table = pa.table({"x": [float(x) for x in rows], "label": [int(x > 40) for x in rows]})
    place = tmp_path / "place"
    inputs = {"data": finished_data(place / "data", table)}
    with container_job(engine, place, "training", inputs) as job:
        job.start(image)
        assert job.wait() == 0, job.printed
        assert json.loads(job.results["metrics.json"].read_text()) == {"right": 1.0}
        assert "num_leaves" in job.results["model.txt"].read_text()
        assert "trained, says the company" in job.printed


def test_a_debian_package_keeps_what_it_needs_of_the_base(engine, image):
    options = ("--rm", *CONFINED, "--entrypoint=zstd")
    assert "Zstandard CLI" in engine.do("run", *options, image, "--version")


def test_every_library_is_locked_wherever_it_came_from(checkout, image):
    lock = (checkout / "container" / "requirements.lock").read_text()
    for name in ("company-rates==1.0", "company-words==1.0", "lightgbm=="):
        assert re.search(rf"^{name}\S* \\\n    --hash=sha256:", lock, re.MULTILINE)
    assert PASSWORD not in lock
    assert "127.0.0.1" not in lock


def test_a_wheel_that_is_not_the_locked_one_is_refused(checkout, image, engine, tmp_path):
    other = shutil.copytree(checkout, tmp_path / "other")
    write_wheel(other / "container" / "wheels", "company_rates", "RATE = 3000\n")
    with (
        pytest.raises(AssertionError, match="THESE PACKAGES DO NOT MATCH THE HASHES"),
        engine.image("prediction", other),
    ):
        pass


def test_the_indexs_password_is_not_in_the_image(engine, image):
    assert PASSWORD not in engine.do("history", "--no-trunc", image)
    search = f"grep -rsl {PASSWORD} /etc /home /opt /root /srv /tmp /usr /var; true"
    options = ("--rm", *CONFINED, "--user=0", "--entrypoint=sh")
    assert engine.do("run", *options, image, "-c", search) == ""
