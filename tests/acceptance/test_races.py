"""Many commands at once that want the same: each run is made once, and all learn how it went."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from tests.waiting import wait_until

LOAD = ("LoadToBigQuery", "--date", "2024-03-05")
TRAIN = ("TrainModel", "--date", "2024-03-01")

# Loads what every command loads, says so, and goes on when all may.
TOGETHER = """
import os, pathlib, sys, time
import luigi.cmdline, pipeline
gate = pathlib.Path(sys.argv.pop(1))
gate.with_name(f"ready-{os.getpid()}").touch()
while not gate.exists():
    time.sleep(0.002)
luigi.cmdline.luigi_run(sys.argv[1:])  # Luigi noted the first words when it was loaded
"""


class Crowd:
    """Commands that are begun at one moment."""

    def __init__(self, project, folder: Path) -> None:
        self._project = project
        self._folder = folder
        self._gate = folder / "begin"
        self.processes: list[subprocess.Popen[bytes]] = []

    def add(self, *words: str) -> None:
        command = [sys.executable, "-c", TOGETHER, str(self._gate), "--module", "pipeline", *words]
        with self._output(len(self.processes)).open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._project.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.processes.append(process)

    def begin(self) -> None:
        wait_until(
            lambda: len(list(self._folder.glob("ready-*"))) == len(self.processes), seconds=60
        )
        self._gate.touch()

    def end(self) -> list[int]:
        """Exit statuses."""
        return [process.wait(120) for process in self.processes]

    def outputs(self) -> list[str]:
        return [self._output(number).read_text() for number in range(len(self.processes))]

    def _output(self, number: int) -> Path:
        return self._folder / f"output-{number}"


@pytest.fixture
def crowd(project, tmp_path) -> Iterator[Crowd]:
    folder = tmp_path / "crowd"
    folder.mkdir()
    crowd = Crowd(project, folder)
    yield crowd
    for process in crowd.processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def attempts(project) -> list[tuple[str, str]]:
    """Every run, with the number of its newest claim; a run that was claimed once ends with 1."""
    return [(str(path.parent.relative_to(project.root)), path.stem) for path in claims(project)]


def claims(project) -> list[Path]:
    return sorted(project.root.rglob("claim-*.json"))


def started(project) -> Counter[str]:
    """How many jobs of each action were begun."""
    requests = [path.with_name("request.json") for path in project.root.glob("jobs/*/started.json")]
    return Counter(json.loads(path.read_text())["action"].partition("/")[0] for path in requests)


def test_twenty_that_ask_for_one_date_make_one_attempt(project, crowd):
    for _ in range(20):
        crowd.add(*LOAD)
    crowd.begin()
    assert crowd.end() == [0] * 20, "".join(crowd.outputs())
    assert started(project) == {"data": 2, "training": 1, "application": 1, "load": 1}
    assert {number for _, number in attempts(project)} == {"claim-1"}
    assert len(attempts(project)) == 5
    assert len(project.table()) == 40
    assert project.processes() == []


def test_all_who_wait_for_one_model_learn_why_it_failed(project, crowd, tmp_path):
    gate = tmp_path / "gate"
    mischief = {"wait_for": str(gate), "fail": "the labels are of one class"}
    project.mischief("training", **{"2024-03-01": mischief})
    for _ in range(8):
        crowd.add(*TRAIN)
    crowd.begin()
    wait_until(lambda: all(" works on it" in output for output in crowd.outputs()), seconds=60)
    gate.touch()
    assert crowd.end() == [30] * 8
    reason = "training of 2024-03-01 failed: the labels are of one class"
    assert all(reason in output for output in crowd.outputs())
    assert started(project) == {"data": 1, "training": 1}
    assert {number for _, number in attempts(project)} == {"claim-1"}


def test_backfills_and_cron_cross_and_make_each_run_once(project, crowd):
    crowd.add("Backfill", "--start", "2024-02-26", "--stop", "2024-03-06", "--workers", "3")
    crowd.add("Backfill", "--start", "2024-03-01", "--stop", "2024-03-09", "--workers", "1")
    crowd.add("Backfill", "--start", "2024-02-28", "--stop", "2024-03-04", "--workers", "2")
    crowd.add("LoadToBigQuery", "--date", "2024-03-03")
    crowd.begin()
    assert crowd.end() == [0] * 4, "".join(crowd.outputs())
    assert {number for _, number in attempts(project)} == {"claim-1"}
    dates = "SELECT date, count(*), count(DISTINCT run_id) FROM predictions GROUP BY 1 ORDER BY 1"
    assert [found[1:] for found in project.table(dates)] == [(40, 1)] * 12


def test_predictions_that_are_forgotten_while_they_are_loaded_are_not_taken_for_loaded(project):
    project.luigi("ApplyModel", *LOAD[1:])
    forgotten = project.run_folder("application", "2024-03-05") / "_SUCCESS"
    before = project.marker("application", "2024-03-05")["job"]
    with duckdb.connect(str(project.folder / "var" / "warehouse.duckdb")):
        loading = project.start(*LOAD)
        wait_until(lambda: list(project.root.glob("load/*/date=2024-03-05/claim-1.json")))
        forgotten.unlink()
    ended = project.end(loading)
    assert ended.status == 30, ended.output
    assert f"{forgotten.relative_to(project.folder)} was taken away while" in ended.output
    assert not list(project.root.glob("load/**/_SUCCESS"))
    again = project.luigi(*LOAD)
    assert again.status == 0, again.output
    [(job,)] = project.table("SELECT DISTINCT run_id FROM predictions")
    assert job == project.marker("application", "2024-03-05")["job"] != before
