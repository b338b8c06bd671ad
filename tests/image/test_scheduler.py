"""The scheduler's image: cron fires the shipped crontab's lines, luigid works, the job lands."""

import datetime
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
import requests

from tests.conftest import ROOT, SETTINGS, write_visits
from tests.image.engine import Engine
from tests.listeners import Webhook, listen_as_webhook
from tests.waiting import wait_until

BOOT = (ROOT / "scheduler" / "boot.sh").read_text()
# What the container gets, as on the machine.
CONFINED = re.findall(r"--(?:read-only|tmpfs /\w+|cap-\w+=\w+|security-opt=[\w-]+)", BOOT)
OPTIONS = [word for option in CONFINED for word in option.split()]
TIMES = re.compile(r"^\d+ [\d*]+ \* \* \*", re.MULTILINE)
TASKS = "http://127.0.0.1:8082/api/task_list"
IN_STATE = {"var/": "/state/", "visits.csv": "/state/visits.csv"}
KILL_LUIGID = """
import os, pathlib
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    is_other = int(folder.name) != os.getpid()
    if is_other and b"/luigid" in (folder / "cmdline").read_bytes():
        os.kill(int(folder.name), 9)
"""


@dataclass
class Scheduler:
    """A container with the toy project; what it keeps is in `state`."""

    engine: Engine
    name: str
    state: Path

    def ends(self, line: str) -> list[str]:
        """The exit statuses of the commands that a line of the crontab gave."""
        path = self.state / "log" / f"{line}.txt"
        return re.findall(
            r"ended with exit status (\d+)", path.read_text() if path.exists() else ""
        )

    @property
    def printed(self) -> str:
        return self.engine.try_to("logs", self.name).stdout


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    with engine.image("tests/toy/prediction", dockerfile="scheduler/Dockerfile") as image:
        yield image


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with listen_as_webhook() as hook:
        yield hook


@pytest.fixture
def scheduler(engine: Engine, image: str, tmp_path: Path, webhook: Webhook) -> Iterator[Scheduler]:
    """It has the shipped crontab, whose lines are due every minute here."""
    assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"} <= {*OPTIONS}
    state, name = tmp_path / "state", f"scheduler-{secrets.token_hex(4)}"
    state.mkdir()
    write_recent_visits(state / "visits.csv")
    settings = f"{SETTINGS}\n[notices]\nheartbeat = env:BEAT\n"
    for here, there in IN_STATE.items():
        settings = settings.replace(here, there)
    crontab = (ROOT / "scheduler" / "crontab").read_text()
    assert len(TIMES.findall(crontab)) == 2
    files = {"luigi.cfg": "/etc/luigi/luigi.cfg", "crontab": "/etc/cron.d/pipeline"}
    (tmp_path / "luigi.cfg").write_text(settings)
    (tmp_path / "crontab").write_text(TIMES.sub("* * * * *", crontab))
    volumes = [f"--volume={tmp_path / file}:{path}:ro" for file, path in files.items()]
    container = ("--detach", f"--name={name}", "--network=host", f"--volume={state}:/state")
    engine.do("run", *container, *OPTIONS, *volumes, f"--env=BEAT={webhook.address}", image)
    try:
        yield Scheduler(engine, name, state)
    finally:
        engine.try_to("rm", "--force", "--volumes", name)


def write_recent_visits(path: Path) -> None:
    """Visits up to today: the crontab's lines know no other dates."""
    write_visits(path)
    head, *rows = path.read_text().splitlines()
    later = datetime.datetime.now(datetime.UTC).date() - datetime.date(2024, 5, 28)
    split = [row.split(",") for row in rows]
    moved = [f"{who},{datetime.date.fromisoformat(day) + later}" for who, day in split]
    path.write_text("\n".join([head, *moved]) + "\n")


def answers() -> bool:
    try:
        return requests.get(TASKS, timeout=5).ok
    except requests.ConnectionError:
        return False


def listening() -> set[str]:
    """The addresses on which somebody listens on luigid's port, as the kernel writes them."""
    lines = (
        Path("/proc/net/tcp").read_text().splitlines()
        + Path("/proc/net/tcp6").read_text().splitlines()
    )
    words = [line.split() for line in lines]
    return {each[1] for each in words if each[1].endswith(f":{8082:04X}") and each[3] == "0A"}


@pytest.mark.timeout(600)
def test_cron_fires_the_crontabs_lines_and_the_job_lands(scheduler, engine, webhook):
    wait_until(answers)
    assert listening() == {"0100007F:1F92"}
    wait_until(lambda: "0" in scheduler.ends("training") and "0" in scheduler.ends("backfill"), 240)
    with duckdb.connect(str(scheduler.state / "warehouse.duckdb"), read_only=True) as base:
        [(dates, latest)] = base.sql(
            "SELECT count(DISTINCT date), max(date) FROM predictions"
        ).fetchall()
    assert dates == 7
    assert datetime.datetime.now(datetime.UTC).date() - latest <= datetime.timedelta(days=1)
    wait_until(lambda: webhook.calls >= 2)
    # Whoever looks at the container's log sees what the commands said.
    assert "ended with exit status 0" in scheduler.printed

    engine.do("exec", scheduler.name, "python", "-c", KILL_LUIGID)
    wait_until(lambda: "luigid has ended and is started again" in scheduler.printed)
    wait_until(answers)
    engine.do("stop", "--time=20", scheduler.name)
    assert engine.do("inspect", "--format={{.State.ExitCode}}", scheduler.name) == "143"
    assert (scheduler.state / "luigid.pickle").exists()
