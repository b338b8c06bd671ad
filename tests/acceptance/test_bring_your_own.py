"""The walk of docs/bring-your-own.md, carried out: another model and other data in a copy."""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bring-your-own.md"
TOY = ROOT / "tests" / "toy_article"
MODEL, CONFIGS = "prediction/model.py", ("training", "application")
# Servers that tests need, which a copy shares: they know no project.
EMULATORS = ".venv-emulators"
LEFT_OUT = (".git", ".venv", EMULATORS, "var", "build", "dist", "__pycache__", ".*_cache")
LEFT_OUT += (".hypothesis",)

# Of luigi.cfg as it is shipped, what must hold here even when a user has changed her own.
SHIPPED = """
[pipeline]
version = 1
schedule = monthly
storage = var/storage
warehouse = var/warehouse.duckdb
compute = local
prediction = prediction
work = var/work
[core]
local_scheduler = true
"""


def blocks() -> dict[str, str]:
    """The fenced blocks of the page that are named behind their language: name -> content."""
    found = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return dict(found)


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name[:5] != "LUIGI"}
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, "PYTHONPATH": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def python(folder: Path, *words: str) -> str:
    """What `python -m WORDS` prints; it must end well."""
    ended = run(folder, sys.executable, "-m", *words)
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture
def walked(tmp_path: Path) -> Path:
    """A copy of this checkout in which the walk has been done, up to its first command."""
    folder = tmp_path / "walked"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (folder / EMULATORS).symlink_to(ROOT / EMULATORS)
    ended = run(folder, "bash", "-euc", blocks()["away"])
    assert ended.returncode == 0, ended.stdout
    for path in (MODEL, *(f"prediction/configs/{action}.json" for action in CONFIGS)):
        shutil.copyfile(TOY / path, folder / path)
    shutil.copytree(TOY / "data", folder / "data")
    settings = configparser.RawConfigParser()
    settings.read_string((folder / "luigi.cfg").read_text())
    settings.read_string(SHIPPED)
    settings.read_string((TOY / "luigi.cfg").read_text())
    with (folder / "luigi.cfg").open("w") as file:
        settings.write(file)
    return folder


def load(folder: Path) -> list[tuple[object, ...]]:
    """Type the page's command; the table's rows."""
    python(folder, *blocks()["load"].split())
    with duckdb.connect(str(folder / "var" / "warehouse.duckdb"), read_only=True) as base:
        return base.sql(
            "SELECT customer_id, label, date::VARCHAR, model_date::VARCHAR"
            " FROM predictions ORDER BY date, customer_id"
        ).fetchall()


def test_the_page_quotes_the_files_that_are_tested():
    quoted = {name: text for name, text in blocks().items() if (TOY / name).is_file()}
    assert {MODEL, "luigi.cfg", *(f"prediction/configs/{a}.json" for a in CONFIGS)} < set(quoted)
    for name, text in quoted.items():
        if name.startswith("data/training"):
            assert (TOY / name).read_text().startswith(text)
        else:
            assert (TOY / name).read_text() == text


def test_the_page_quotes_the_methods_that_are_tested():
    methods = blocks()["methods"]
    assert methods.rstrip() in (TOY / "model_own_ways.py").read_text()


def test_the_walk_ends_with_predictions_in_the_table(walked):
    assert load(walked) == [
        (customer, label, "2019-06-02", "2019-06-01")
        for customer, label in ((4, 1), (5, 0), (6, 0), (7, 0), (8, 0))
    ]
    shown = python(walked, "pipeline", "show", "2019-06-02")
    assert "predictions_v1, date = 2019-06-02: 5 rows, by the model of 2019-06-01" in shown


def test_the_model_runs_without_the_pipeline(walked):
    for action in CONFIGS:
        config = f"prediction/configs/{action}.json"
        python(walked, "prediction.main", "--action", action, "--config", config)
    predicted = (walked / "var" / "prediction" / "predictions.csv").read_text()
    assert predicted == '"customer_id","label"\n1,0\n2,1\n3,0\n4,0\n5,0\n'


def test_a_model_may_measure_and_keep_itself_in_its_own_way(walked):
    shutil.copyfile(TOY / "model_own_ways.py", walked / MODEL)
    assert [label for _, label, *_ in load(walked)] == [1, 0, 0, 0, 0]
    [kept] = walked.glob("var/storage/toy/v1/training/date=2019-06-01/*/model")
    assert json.loads(kept.read_text()) == [351.0, 497.0]
    assert json.loads(kept.with_name("metrics.json").read_text())["found"] == 1.0


@pytest.mark.timeout(1800)
def test_the_tests_pass_with_another_model(walked):
    this = Path(__file__).relative_to(ROOT)
    folders = [name for name in ("tests", "prediction/tests") if (walked / name).exists()]
    options = ["-x", "-q", "-p", "no:cacheprovider", f"--ignore={this}"]
    # What takes minutes with a model of its own, and what never sees one, is run once, beside this.
    alone = ("card", "check_model", "cloud_*", "crash", "docker", "doctor", "drift", "endings")
    alone += ("evaluate", "fallback", "live", "luigid", "notices", "operating", "races")
    alone += ("readiness", "resources", "scheduler")
    options += [f"--ignore-glob=tests/acceptance/test_{name}.py" for name in alone]
    options += [f"--ignore=tests/{name}" for name in ("cloud", "contract", "image", "property")]
    # Twice the suite is too much for a person who waits.
    if "CI" not in os.environ:
        options += ["-m", "not slow"]
    python(walked, "pytest", *options, *folders)
