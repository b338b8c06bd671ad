"""A project of a user in a folder of its own: a model package, settings, data, and the commands."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from tests.browser import browser
from tests.cloud.fixtures import calm, cloud
from tests.image.fixtures import (
    engine,
    example_image,
    pushed,
    registry,
    scheduler_image,
    tagged,
    toy_image,
)

__all__ = ["browser", "calm", "cloud", "engine", "example_image", "pushed", "registry"]
__all__ += ["scheduler_image", "tagged", "toy_image"]

HERE = Path(__file__).parent
ROOT = HERE.parent

SETTINGS = """
[pipeline]
name = toy
schedule = monthly
horizon_days = 30
storage = var/storage
warehouse = var/warehouse.duckdb

[local_warehouse]
visits = visits.csv

[jobs]
heartbeat_seconds = 0.2

[core]
local_scheduler = true
autoload_range = true
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-messages",
        action="store_true",
        help="write docs/messages.md from what acceptance/test_bad_input.py provokes",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What types a user's commands, starts containers, or tries the whole cloud takes minutes."""
    for item in items:
        within = {HERE / "acceptance", HERE / "cloud", HERE / "image"} & {*item.path.parents}
        with_engine = "engine" in getattr(item, "fixturenames", ())
        if within or with_engine or item.path.stem.endswith(("_google", "_docker")):
            item.add_marker(pytest.mark.slow)


@dataclass
class Ended:
    """What a command left: its exit status, and all that it printed."""

    status: int
    output: str


@dataclass
class Project:
    """A user's checkout, with tests/toy's model package, and the commands that she types."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "luigi", "--module", "pipeline", *words]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start `luigi --module pipeline WORDS`; its output goes to a file."""
        return self._start(self.command(*words))

    def luigi(self, *words: str) -> Ended:
        return self.end(self.start(*words))

    def pipeline(self, *words: str) -> Ended:
        """Run `python -m pipeline WORDS`."""
        return self.end(self._start([sys.executable, "-m", "pipeline", *words]))

    def predict(self, *words: str) -> Ended:
        """Run `python -m prediction.main WORDS`."""
        return self.end(self._start([sys.executable, "-m", "prediction.main", *words]))

    def end(self, process: subprocess.Popen[str]) -> Ended:
        output, _ = process.communicate(timeout=120)
        return Ended(process.returncode, output)

    def _start(self, command: list[str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **self.environment},
        )
        self.started.append(process)
        return process

    def mischief(self, action: str, **by_date: object) -> None:
        """Make the model misbehave: `mischief("training", **{"2024-03-01": {"sleep": 2}})`."""
        self.edit_config(action, mischief=by_date)

    def edit_config(self, action: str, **values: object) -> None:
        path = self.folder / "prediction" / "configs" / f"{action}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    def set(self, **settings: str) -> None:
        """Append to luigi.cfg, by section: `set(pipeline="version = 2")`."""
        with (self.folder / "luigi.cfg").open("a") as file:
            for section, lines in settings.items():
                file.write(f"\n[{section}]\n{lines}\n")

    def replace_setting(self, old: str, new: str) -> None:
        path = self.folder / "luigi.cfg"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    @property
    def root(self) -> Path:
        return self.folder / "var" / "storage" / "toy" / "v1"

    def run_folder(self, family: str, date: str) -> Path:
        return self.root / family / f"date={date}"

    def marker(self, family: str, date: str) -> dict:
        return json.loads((self.run_folder(family, date) / "_SUCCESS").read_text())

    def is_done(self, family: str, date: str) -> bool:
        return (self.run_folder(family, date) / "_SUCCESS").exists()

    def job_names(self, family: str = "") -> list[str]:
        folder = self.root / "jobs"
        found = folder.glob(f"toy-{family}*") if folder.exists() else []
        return sorted(path.name for path in found)

    def table(self, sql: str = "SELECT * FROM predictions_v1 ORDER BY date, id") -> list[tuple]:
        with duckdb.connect(str(self.folder / "var" / "warehouse.duckdb"), read_only=True) as base:
            found = base.sql(sql).to_arrow_table()
        return [tuple(row.values()) for row in found.to_pylist()]

    def processes(self) -> list[str]:
        """Command lines of this machine's processes that work for this project's jobs."""
        mine = [line for line in _command_lines() if str(self.folder) in line]
        return [line for line in mine if "container" in line]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with toy_project(tmp_path / "project") as project:
        yield project


@pytest.fixture
def another_project(tmp_path: Path) -> Iterator[Project]:
    """A second one, to compare with."""
    with toy_project(tmp_path / "another") as project:
        yield project


@contextmanager
def toy_project(folder: Path) -> Iterator[Project]:
    """A project in the new folder `folder`; what it started is ended at the end."""
    shutil.copytree(HERE / "toy" / "prediction", folder / "prediction")
    (folder / "luigi.cfg").write_text(SETTINGS)
    write_visits(folder / "visits.csv")
    project = Project(folder)
    try:
        yield project
    finally:
        for process in project.started:
            if process.poll() is None:
                process.kill()
                process.communicate()
        for line in project.processes():
            os.kill(int(line.split(" ", 1)[0]), 9)


def write_visits(path: Path, customers: int = 40) -> None:
    """Visits of customers from October 2023 to May 2024, the same each time."""
    dice = random.Random(7)
    days = [f"2023-{m}-{d:02}" for m in (10, 11, 12) for d in range(1, 29)]
    days += [f"2024-{m:02}-{d:02}" for m in range(1, 6) for d in range(1, 29)]
    rows = [f"{n},{day}" for n in range(customers) for day in sorted(dice.sample(days, 6))]
    path.write_text("id,day\n" + "\n".join(rows) + "\n")


def _command_lines() -> list[str]:
    command = ["ps", "-ww", "-eo", "pid=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.strip() for line in listed.stdout.splitlines()]
