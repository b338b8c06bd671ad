"""What run.sh does around a command of the crontab."""

import http.server
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]


class Runner:
    """run.sh with a folder for its state, and without a container around it."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.environment = {**os.environ, "STATE": str(self.state), "RUN": str(folder / "run")}
        self.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment["LUIGI_CONFIG_PATH"] = str(folder / "own.cfg")
        (folder / "own.cfg").write_text("[notices]\nheartbeat = env:BEAT\n")

    def start(self, name: str, *command: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [ROOT / "scheduler" / "run.sh", name, *command],
            env={**self.environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, name: str, *command: str, **variables: str) -> tuple[int, str]:
        started = self.start(name, *command, **variables)
        output, _ = started.communicate(timeout=60)
        return started.returncode, output

    def log_so_far(self, name: str) -> str:
        return self.log(name) if (self.state / "log" / f"{name}.log").exists() else ""

    def log(self, name: str) -> str:
        return (self.state / "log" / f"{name}.log").read_text()


@pytest.fixture
def runner(tmp_path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def heartbeat() -> Iterator[tuple[str, list[str]]]:
    """The URL of a service that takes heartbeats, and those that it took."""
    taken: list[str] = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            taken.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/ours", taken
        server.shutdown()


def test_what_a_command_prints_is_printed_and_kept_with_its_time_and_end(runner):
    status, output = runner.run("train", "bash", "-c", "echo one; echo two >&2; echo three")
    assert status == 0
    for line in ("begins: bash -c ", "one", "two", "three", "ended with exit status 0"):
        assert f"Z train: {line}" in output
        assert f"Z {line}" in runner.log("train")


def test_a_commands_exit_status_is_run_shs(runner):
    status, output = runner.run("train", "bash", "-c", "exit 30")
    assert status == 30
    assert "ended with exit status 30" in output


def test_a_command_that_still_works_is_not_begun_again(runner, tmp_path):
    gate = tmp_path / "gate"
    first = runner.start("train", "bash", "-c", f"while [ ! -e {gate} ]; do sleep 0.05; done")
    try:
        wait_until((runner.state / "log" / "train.log").exists)
        status, output = runner.run("train", "echo", "hello")
        assert status == 0
        assert "the last one still works, nothing is done" in output
        assert "hello" not in output
        assert "hello" in runner.run("other", "echo", "hello")[1]
    finally:
        gate.touch()
        first.communicate(timeout=30)
    assert first.returncode == 0
    assert "hello" in runner.run("train", "echo", "hello")[1]


def test_what_a_command_says_when_all_are_told_to_end_is_kept(runner):
    command = (
        "trap 'sleep 0.5; echo farewell; exit 143' TERM; echo here; while :; do sleep 0.1; done"
    )
    started = runner.start("train", "bash", "-c", command)
    wait_until(lambda: "Z here" in runner.log_so_far("train"))
    os.killpg(started.pid, signal.SIGTERM)
    output, _ = started.communicate(timeout=30)
    assert started.returncode == 143
    assert "farewell" in output
    assert "farewell" in runner.log("train")
    assert "ended with exit status 143" in runner.log("train")


def test_a_log_and_its_older_part_stay_within_their_size(runner):
    runner.run("train", "seq", "1000", LOG_BYTES="2000")
    parts = sorted((runner.state / "log").iterdir())
    assert [part.name for part in parts] == ["train.log", "train.log.1"]
    assert all(part.stat().st_size < 2100 for part in parts)
    assert "ended with exit status 0" in runner.log("train")


def test_only_what_ended_well_is_told_to_the_heartbeats_address(runner, heartbeat):
    url, taken = heartbeat
    assert runner.run("train", "false", BEAT=url)[0] == 1
    assert taken == []
    assert runner.run("train", "true", BEAT=url)[0] == 0
    assert taken == ["/ours"]


def test_a_heartbeat_that_nobody_takes_changes_nothing(runner):
    status, output = runner.run("train", "true", BEAT="http://127.0.0.1:9/")
    assert status == 0
    assert "The heartbeat of env:BEAT can't be sent" in output


def test_the_containers_environment_is_the_commands(runner, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "environment").write_text('declare -x WORD="from the container"\n')
    assert "from the container" in runner.run("train", "bash", "-c", 'echo "$WORD"')[1]
