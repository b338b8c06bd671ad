"""What a person sees while a job works: at a terminal, in a log, and on luigid's page."""

import json
import os
import pty
import subprocess
import termios
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest

from tests.luigid import Luigid

TRAIN = ("TrainModel", "--date", "2024-03-01")


@pytest.fixture
def luigid(project) -> Iterator[str]:
    """The address of a luigid of our own."""
    with Luigid(project.folder) as luigid:
        yield luigid.address


def ask(address: str, method: str, **asked: object) -> dict:
    """Ask luigid what its page asks."""
    url = f"{address}/api/{method}?data={urllib.parse.quote(json.dumps(asked))}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - luigid's own address
        return json.load(answer)["response"]


def look(address: str) -> dict:
    """What luigid shows of the training that runs; empty until it knows a progress."""
    for task_id, task in ask(address, "task_list", status="RUNNING", upstream_status="").items():
        if task["name"] == "TrainModel" and task.get("progress_percentage"):
            said = ask(address, "get_task_status_message", task_id=task_id)
            return {**task, "message": said["statusMessage"]}
    return {}


def test_luigid_knows_progress_message_and_the_logs_place(project, luigid):
    project.mischief("training", **{"2024-03-01": {"sleep": 6}})
    project.replace_setting("local_scheduler = true", f"default_scheduler_url = {luigid}")
    process = project.start(*TRAIN)
    seen: dict = {}
    while process.poll() is None and not seen:
        seen = look(luigid)
        time.sleep(0.1)
    ended = project.end(process)
    assert ended.status == 0, ended.output
    [job] = project.job_names("training")
    assert 0 < seen["progress_percentage"] <= 100
    assert seen["tracking_url"] == (project.root / "jobs" / job / "log.txt").as_uri()
    assert "step" in seen["message"]


def test_a_terminal_shows_a_bar_with_the_models_own_words(project):
    project.mischief("training", **{"2024-03-01": {"sleep": 2}})
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (25, 80))
    process = subprocess.Popen(
        project.command(*TRAIN), cwd=project.folder, stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # the terminal's other side is closed
            break
    os.close(ours)
    assert process.wait() == 0, shown.decode()
    assert b"2024-03-01: " in shown
    assert b"%|" in shown
    assert b"step " in shown


def test_a_log_tells_who_works_and_where_its_log_lies(project):
    project.mischief("training", **{"2024-03-01": {"sleep": 1}})
    ended = project.luigi(*TRAIN)
    [job] = project.job_names("training")
    log = project.root / "jobs" / job / "log.txt"
    assert f"2024-03-01: {job} works on it; its log: {log}" in ended.output
