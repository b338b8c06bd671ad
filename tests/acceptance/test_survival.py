"""Kill anything, at any moment: what goes on, what is adopted, and what a person is told."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

TRAIN = ("TrainModel", "--date", "2024-03-01")
LOAD = ("LoadToBigQuery", "--date", "2024-03-05")


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


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
    assert list(project.folder.glob("var/work/jobs/*/scratch")) == []
    assert project.processes() == []


def test_two_at_once_make_one_attempt(project, gate):
    first = started(project, gate, *LOAD)
    second = project.start(*LOAD)
    time.sleep(0.5)
    gate.touch()
    assert [project.end(first).status, project.end(second).status] == [0, 0]
    for family in ("training", "application", "data-training", "data-application"):
        assert len(project.job_names(family)) == 1
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
