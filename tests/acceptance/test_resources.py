"""At most so many machines at once."""

import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.luigid import Luigid
from tests.waiting import wait_until

JANUARY = ("Backfill", "--start", "2024-01-02", "--stop", "2024-01-06")
FEBRUARY = ("Backfill", "--start", "2024-02-02", "--stop", "2024-02-06")
ONE_DATE_PER_JOB = ("--application-max-dates-per-job", "1", "--workers", "4")
NO_PERMISSION = 25


@pytest.fixture
def gates(project, tmp_path) -> Path:
    """A folder where every application says that it works, and waits for its gate."""
    days = [f"2024-0{month}-0{day}" for month in (1, 2) for day in range(2, 6)]
    folder = tmp_path / "gates"
    folder.mkdir()
    project.mischief("application", **{day: {"wait_for": str(folder / day)} for day in days})
    return folder


def at_work(gates: Path) -> int:
    """How many applications wait."""
    return sum(not here.with_suffix("").exists() for here in gates.glob("*.here"))


def open_gates(gates: Path, most: int, running: Callable[[], bool]) -> None:
    """Let one application after the other go on; never are more than `most` at work."""
    while running():
        assert at_work(gates) <= most
        for here in gates.glob("*.here"):
            here.with_suffix("").touch()
        time.sleep(0.05)


def any_runs(commands: list[subprocess.Popen[str]]) -> bool:
    return any(command.poll() is None for command in commands)


def test_one_command_uses_no_more_machines_than_it_may(project, gates):
    project.set(resources="machines = 2")
    command = project.start(*JANUARY, *ONE_DATE_PER_JOB)
    wait_until(lambda: at_work(gates) == 2, seconds=60)
    time.sleep(2)
    open_gates(gates, 2, partial(any_runs, [command]))
    assert project.end(command).status == 0
    assert len(project.table("SELECT DISTINCT date FROM predictions")) == 4


def test_without_a_limit_as_many_machines_work_as_there_are_workers(project, gates):
    command = project.start(*JANUARY, *ONE_DATE_PER_JOB)
    wait_until(lambda: at_work(gates) == 4, seconds=60)
    open_gates(gates, 4, partial(any_runs, [command]))
    assert project.end(command).status == 0


def test_without_a_limit_there_is_none_under_luigid_either(project, gates):
    with Luigid(project.folder) as luigid:
        luigid.serve(project)
        command = project.start(*JANUARY, *ONE_DATE_PER_JOB)
        wait_until(lambda: at_work(gates) == 4, seconds=60)
        open_gates(gates, 4, partial(any_runs, [command]))
        assert project.end(command).status == 0


def test_under_luigid_two_commands_share_the_limit_and_later_ones_do_what_is_left(project, gates):
    project.set(resources="machines = 2", scheduler="worker_disconnect_delay = 2")
    with Luigid(project.folder) as luigid:
        luigid.serve(project)
        for month in ("2024-01-01", "2024-02-01"):
            assert project.luigi("TrainModel", "--date", month).status == 0
        for tries in range(5):
            commands = [project.start(*each, *ONE_DATE_PER_JOB) for each in (JANUARY, FEBRUARY)]
            if not tries:
                wait_until(lambda: at_work(gates) == 2, seconds=60)
                time.sleep(2)
            open_gates(gates, 2, partial(any_runs, commands))
            ended = [project.end(each) for each in commands]
            assert {each.status for each in ended} <= {0, NO_PERMISSION}, ended
            if not any(each.status for each in ended):
                break
    sql = "SELECT count(*) = count(DISTINCT id) FROM predictions GROUP BY date"
    assert project.table(sql) == 8 * [(True,)]
