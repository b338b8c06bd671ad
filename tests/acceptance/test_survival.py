"""Kill anything, at any moment: what goes on, what is adopted, and what a person is told."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.locks import Lock
from tests.waiting import wait_until

TRAIN = ("TrainModel", "--date", "2024-03-01")
LOAD = ("LoadToBigQuery", "--date", "2024-03-05")


@pytest.fixture
def gate(project, tmp_path) -> Path:
    """Training of 2024-03-01 says that it has begun, and goes on when this file is there."""
    gate = tmp_path / "gate"
    project.mischief("training", **{"2024-03-01": {"wait_for": str(gate)}})
    return gate


def begun(gate: Path) -> Path:
    return gate.with_name("gate.here")


def started(project, gate: Path, *words: str) -> subprocess.Popen[str]:
    """A command whose training job is at work."""
    process = project.start(*words)
    wait_until(begun(gate).exists)
    return process


def test_a_killed_orchestrators_job_is_adopted_and_one_model_is_made(project, gate):
    process = started(project, gate, *LOAD)
    process.kill()
    project.end(process)
    again = project.start(*LOAD)
    time.sleep(0.5)
    gate.touch()
    ended = project.end(again)
    assert ended.status == 0, ended.output
    assert len(project.job_names("training")) == 1
    models = list(project.run_folder("training", "2024-03-01").glob("*/model.joblib"))
    assert len(models) == 1
    assert len(project.table()) == 40


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_interrupt_detaches_and_says_what_goes_on(project, gate, number, workers):
    process = started(project, gate, *LOAD, "--workers", workers)
    if number is signal.SIGINT and workers == "2":
        # A terminal's Ctrl-C goes to the whole foreground group.
        for child in children(process.pid):
            os.kill(child, number)
    process.send_signal(number)
    ended = project.end(process)
    [job] = project.job_names("training")
    assert ended.status == 128 + number
    assert f"TrainModel 2024-03-01 goes on: {job}." in ended.output
    assert "python -m pipeline cancel TrainModel 2024-03-01 ends it" in ended.output
    assert "Traceback" not in ended.output
    gate.touch()
    wait_until(lambda: project.is_done("training", "2024-03-01"))


def children(pid: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(each) for each in listed.stdout.split()]


def test_cancel_ends_a_job_and_the_task_says_so(project, gate):
    process = started(project, gate, *TRAIN)
    cancelled = project.pipeline("cancel", "TrainModel", "2024-03-01")
    [job] = project.job_names("training")
    assert cancelled.status == 0, cancelled.output
    assert f"{job} is cancelled" in cancelled.output
    assert project.processes() == []
    ended = project.end(process)
    assert ended.status == 30
    assert "training of 2024-03-01 failed: it was cancelled" in ended.output
    gate.touch()
    assert project.luigi(*TRAIN).status == 0


def test_cancel_without_a_job_says_so(project):
    ended = project.pipeline("cancel", "TrainModel", "2024-03-01")
    assert ended.status == 1
    assert "error: No job works on TrainModel of 2024-03-01" in ended.output


def test_the_model_dies_with_the_container(project, gate):
    process = started(project, gate, *TRAIN)
    model = begun(gate).read_text()
    [runner] = [int(line.split()[0]) for line in project.processes() if "container.run" in line]
    begun(gate).unlink()
    os.kill(runner, signal.SIGKILL)
    wait_until(begun(gate).exists)  # the second attempt
    assert not [line for line in project.processes() if line.split()[0] == model]
    gate.touch()
    ended = project.end(process)
    assert ended.status == 0, ended.output
    assert "vanished without a word, trying again" in ended.output
    assert len(project.job_names("training")) == 2


def test_nothing_of_a_killed_container_stays_behind(project, gate):
    process = started(project, gate, *TRAIN)
    [runner] = [int(line.split()[0]) for line in project.processes() if "container.run" in line]
    os.kill(runner, signal.SIGKILL)
    gate.touch()
    assert project.end(process).status == 0
    assert list(project.folder.glob("var/work/scratch/*")) == []
    assert project.processes() == []


def test_a_command_goes_on_when_the_shell_that_started_it_ends(project, gate):
    code = "import subprocess, sys; subprocess.Popen(sys.argv[1:]); sys.stdin.read()"
    command = [sys.executable, "-c", code, *project.command(*LOAD)]
    with subprocess.Popen(command, cwd=project.folder, stdin=subprocess.PIPE):
        wait_until(begun(gate).exists)
        time.sleep(0.5)
    time.sleep(0.5)
    gate.touch()
    wait_until(lambda: list(project.root.glob("load/*/*/_SUCCESS")))


def test_results_that_can_not_be_written_are_told_and_tried_again(project, gate):
    """Neither the results nor the log, as on a full disk."""
    process = started(project, gate, *TRAIN)
    [job] = project.job_names("training")
    (project.run_folder("training", "2024-03-01") / job).write_text("in the way")
    log = project.root / "jobs" / job / "log.txt"
    wait_until(log.exists)
    log.unlink()
    log.mkdir()
    gate.touch()
    ended = project.end(process)
    assert ended.status == 0, ended.output
    assert "Can't write" in ended.output
    assert "trying again" in ended.output


@pytest.fixture
def busy_warehouse(project) -> Iterator[Lock]:
    """Somebody uses the warehouse, so that a load has to wait."""
    lock = Lock.acquire(project.folder / "var" / "warehouse.duckdb.lock")
    assert lock is not None
    yield lock
    with contextlib.suppress(OSError):
        lock.release()


def loading(project) -> list[Path]:
    return list(project.root.glob("jobs/toy-load-*/started.json"))


def test_a_load_that_takes_long_is_not_begun_a_second_time(project, busy_warehouse):
    beat = "heartbeat_seconds = 0.2"
    project.replace_setting(beat, f"{beat}\nsilence_limit_seconds = 1")
    first = project.start(*LOAD)
    wait_until(lambda: loading(project))
    second = project.start(*LOAD)
    time.sleep(3)
    busy_warehouse.release()
    assert [project.end(first).status, project.end(second).status] == [0, 0]
    assert len(project.job_names("load")) == 1


def test_an_interrupted_load_ends_and_is_done_by_the_next_command(project, busy_warehouse):
    process = project.start(*LOAD)
    wait_until(lambda: loading(project))
    process.send_signal(signal.SIGTERM)
    ended = project.end(process)
    assert ended.status == 128 + signal.SIGTERM
    assert "goes on" not in ended.output
    busy_warehouse.release()
    assert project.luigi(*LOAD).status == 0
    assert len(project.table()) == 40


def test_two_at_once_make_one_attempt(project, gate):
    first = started(project, gate, *LOAD)
    second = project.start(*LOAD)
    time.sleep(0.5)
    gate.touch()
    assert [project.end(first).status, project.end(second).status] == [0, 0]
    for family in ("training", "application", "data-training", "data-application"):
        # Who loses a claim leaves the request of a job that never starts.
        assert len(list(project.root.glob(f"jobs/toy-{family}-*/started.json"))) == 1
    assert len(project.table()) == 40


def test_a_silent_job_is_ended_and_tried_again(project, gate):
    beat = "heartbeat_seconds = 0.2"
    project.replace_setting(beat, f"{beat}\nsilence_limit_seconds = 1")
    process = started(project, gate, *TRAIN)
    begun(gate).unlink()
    [runner] = [int(line.split()[0]) for line in project.processes() if "container.run" in line]
    os.kill(runner, signal.SIGSTOP)
    wait_until(begun(gate).exists)
    gate.touch()
    ended = project.end(process)
    assert ended.status == 0, ended.output
    assert "gave no sign of life for too long, trying again" in ended.output
    assert project.processes() == []


def test_the_log_of_a_run_is_printed(project):
    project.mischief("training", **{"2024-03-01": {"fail": "too few customers"}})
    project.luigi(*TRAIN)
    ended = project.pipeline("logs", "TrainModel", "2024-03-01")
    [job] = project.job_names("training")
    assert ended.status == 0, ended.output
    assert "mischief: fail too few customers" in ended.output
    assert f"(The log: {project.root}/jobs/{job}/log.txt)" in ended.output


def test_a_run_that_nobody_worked_on_has_no_log(project):
    ended = project.pipeline("logs", "TrainModel", "2024-03-01")
    assert ended.status == 1
    assert ended.output == (
        "error: No job has worked on TrainModel of 2024-03-01. There is no log.\n"
    )
