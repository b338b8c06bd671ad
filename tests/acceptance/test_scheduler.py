"""luigid comes and goes while a backfill works."""

from pathlib import Path

import pytest

from tests.luigid import Luigid
from tests.waiting import wait_until

RANGE = ("Backfill", "--start", "2024-03-01", "--stop", "2024-03-05")
WORDS = (*RANGE, "--workers", "2", "--application-max-dates-per-job", "1")
DATES = [f"2024-03-0{day}" for day in range(1, 5)]


@pytest.fixture
def luigid(project):
    with Luigid(project.folder) as luigid:
        luigid.serve(project)
        yield luigid


@pytest.fixture
def gate(project, tmp_path) -> Path:
    """Applications of the first two dates wait until it is there."""
    gate = tmp_path / "gate"
    project.mischief("application", **{date: {"wait_for": f"{gate}-{date}"} for date in DATES[:2]})
    return gate


def at_work(gate: Path) -> int:
    return len(list(gate.parent.glob("gate-*.here")))


def open_gate(gate: Path) -> None:
    for date in DATES[:2]:
        Path(f"{gate}-{date}").touch()


def test_a_backfill_outlives_luigid_that_is_away_while_jobs_end(project, luigid: Luigid, gate):
    """One that is back at once: test_luigid."""
    backfill = project.start(*WORDS)
    wait_until(lambda: at_work(gate) == 2, seconds=60)
    luigid.kill()
    open_gate(gate)
    wait_until(lambda: all(project.is_done("application", date) for date in DATES[:2]))
    luigid.start()
    ended = project.end(backfill)
    # A new luigid knows nothing of the tasks that were to come: as under cron, the next command
    # does them.
    following = project.luigi(*WORDS)
    assert following.status == 0, ended.output + following.output
    sql = (
        "SELECT date::VARCHAR, count(*), count(DISTINCT id) FROM predictions GROUP BY 1 ORDER BY 1"
    )
    assert project.table(sql) == [(date, 40, 40) for date in DATES]
    for family in ("training", "application", "data/application"):
        for folder in (project.root / family).glob("date=*"):
            assert [claim.name for claim in folder.glob("claim-*")] == ["claim-1.json"], folder
    assert len(project.job_names("application-2024")) == len(DATES)


def test_a_command_waits_for_luigid_to_come_back(project, luigid: Luigid):
    luigid.kill()
    command = project.start("TrainModel", "--date", "2024-03-01")
    with pytest.raises(AssertionError, match="it did not happen"):
        wait_until(lambda: command.poll() is not None, seconds=4)
    luigid.start()
    assert project.end(command).status == 0
