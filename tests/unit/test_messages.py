"""Real commands, as a user types them: their exit status, and what stands on the screen."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = """
[pipeline]
name = churn
horizon_days = 91
storage = var/storage
warehouse = var/warehouse.duckdb
[core]
local_scheduler = true
"""
CHORES = """
import time
from pathlib import Path

import luigi
from pipeline import console, settings
from pipeline.errors import DataError, JobFailedError, StorageError

console.prepare()


class Chore(luigi.Task):
    date = luigi.DateParameter()

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        settings.check()

    def output(self):
        return luigi.LocalTarget(f"{self.task_family}-{self.date}")

    def run(self):
        Path(self.output().path).touch()


class Works(Chore):
    pass


class Fails(Chore):
    def run(self):
        raise JobFailedError("Job a-1 ran out of memory. Its log is in jobs/a-1/log.txt.")


class FailsForACause(Chore):
    def run(self):
        try:
            open("nowhere")
        except OSError as error:
            raise DataError("The file nowhere is missing.\\nMake it.") from error


class FailsTwice(Chore):
    def requires(self):
        return [Fails(self.date), FailsForACause(self.date)]


class IsBroken(Chore):
    def run(self):
        return {}["amount"]


class LeavesNothing(Chore):
    def run(self):
        pass


class CanNotRequire(Chore):
    def requires(self):
        raise DataError("The schedule has no date before this one.")


class CanNotBeAsked(Chore):
    def complete(self):
        try:
            open("nowhere")
        except OSError as error:
            raise StorageError("Can't look at /x: Permission denied.") from error


class IsBrokenWhenAsked(Chore):
    def complete(self):
        raise KeyError("amount")


class CanNotBeMade(Chore):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        raise DataError("The model package has no query.")


class RequiresWhatCanNotBeMade(Chore):
    def requires(self):
        return CanNotBeMade(self.date)


class File(luigi.ExternalTask):
    def output(self):
        return luigi.LocalTarget("no-such-file")


class NeedsAFile(Chore):
    def requires(self):
        return File()


class NeedsTwoMachines(Chore):
    resources = {"machine": 2}


class Sleeps(Chore):
    def run(self):
        Path("started").touch()
        while not Path("wake-up").exists():
            time.sleep(0.02)
        super().run()
"""

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder with a module of tasks."""
    (tmp_path / "prediction").mkdir()
    (tmp_path / "luigi.cfg").write_text(SETTINGS)
    (tmp_path / "chores.py").write_text(CHORES)
    return tmp_path


@pytest.fixture
def luigi(folder: Path) -> Command:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        with start(folder, *arguments) as process:
            output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    return run


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if "LUIGI" not in name}
    return subprocess.Popen(
        [sys.executable, "-m", "luigi", "--module", "chores", *arguments],
        cwd=folder,
        env={**environment, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def error_lines(result: "subprocess.CompletedProcess[str]") -> list[str]:
    assert "Traceback" not in result.stderr, result.stderr
    return [line for line in result.stderr.splitlines() if line.startswith("error: ")]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_task_that_is_done_exits_0_and_the_screen_stays_short(luigi):
    result = luigi("Works", "--date", "1998-04-01")
    assert result.returncode == 0, result.stderr
    before, _, _ = result.stderr.partition("\n===== Luigi Execution Summary")
    assert before.splitlines() == [
        "INFO: running   Works(date=1998-04-01)",
        "INFO: done      Works(date=1998-04-01)",
        "INFO: ",
    ]


def test_debug_shows_all_that_luigi_says(luigi):
    result = luigi("Works", "--date", "1998-04-01", "--log-level", "DEBUG")
    assert "Informed scheduler that task" in result.stderr
    assert "Done scheduling tasks" in result.stderr


def test_a_failing_task_exits_30_and_prints_its_message_only(luigi):
    result = luigi("Fails", "--date", "1998-04-01")
    assert result.returncode == 30
    assert error_lines(result) == [
        "error: Job a-1 ran out of memory. Its log is in jobs/a-1/log.txt."
    ]


def test_two_workers_print_the_same_messages(luigi):
    result = luigi("FailsTwice", "--date", "1998-04-01", "--workers", "2")
    assert result.returncode == 30
    assert sorted(error_lines(result)) == [
        "error: Job a-1 ran out of memory. Its log is in jobs/a-1/log.txt.",
        "error: The file nowhere is missing.",
    ]
    assert "\nMake it.\n" in result.stderr


@pytest.mark.parametrize("task", ["IsBroken", "LeavesNothing"])
def test_an_error_that_nobody_named_keeps_its_traceback(luigi, task):
    result = luigi(task, "--date", "1998-04-01")
    assert result.returncode == 30
    assert "Traceback (most recent call last)" in result.stderr


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("CanNotRequire", "The schedule has no date before this one."),
        ("CanNotBeAsked", "Can't look at /x: Permission denied."),
        ("RequiresWhatCanNotBeMade", "The model package has no query."),
    ],
)
def test_what_can_not_be_planned_exits_35_and_says_why(luigi, task, message):
    result = luigi(task, "--date", "1998-04-01")
    assert result.returncode == 35
    assert error_lines(result) == [f"error: {message}"]


def test_a_bug_in_the_planning_keeps_its_traceback(luigi):
    result = luigi("IsBrokenWhenAsked", "--date", "1998-04-01")
    assert result.returncode == 35
    assert "KeyError: 'amount'" in result.stderr
    assert "Traceback (most recent call last)" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CanNotBeMade", "--date", "1998-04-01"], "The model package has no query."),
        (["Works", "--date", "yesterday"], "--date yesterday is not allowed: time data "),
        (["Works"], "Works requires the 'date' parameter to be set"),
        (
            ["Works", "--date", "1998-04-01", "--pipeline-schedule", "hourly"],
            "--pipeline-schedule hourly is not allowed. It must be daily, weekly or monthly.",
        ),
        (
            ["Works", "--date", "1998-04-01", "--worker-ping-interval", "x"],
            "[worker] ping_interval in the configuration is not allowed: could not convert",
        ),
    ],
)
def test_a_wrong_command_exits_40_and_is_told_so_in_one_line(luigi, arguments, message):
    result = luigi(*arguments)
    assert result.returncode == 40
    [line] = error_lines(result)
    assert line.startswith(f"error: {message}")
    assert result.stderr == f"{line}\n"


def test_a_folder_without_settings_exits_40_and_names_what_is_missing(luigi, folder):
    (folder / "luigi.cfg").unlink()
    result = luigi("Works", "--date", "1998-04-01")
    assert result.returncode == 40
    assert error_lines(result)[0].startswith(f"error: There is no luigi.cfg in {folder}.")


def test_a_missing_file_exits_20(luigi):
    result = luigi("NeedsAFile", "--date", "1998-04-01")
    assert result.returncode == 20
    assert "Data for File() does not exist" in result.stderr


def test_a_task_that_gets_no_permission_exits_25(luigi):
    assert luigi("NeedsTwoMachines", "--date", "1998-04-01").returncode == 25


def test_an_unknown_task_exits_1_and_is_told_in_one_line(luigi):
    result = luigi("Work", "--date", "1998-04-01")
    assert result.returncode == 1
    [line] = error_lines(result)
    assert "No task Work." in line
    assert "Works" in line


def test_an_unknown_flag_exits_2(luigi):
    result = luigi("Works", "--day", "1998-04-01")
    assert result.returncode == 2
    assert "unrecognized arguments: --day" in result.stderr


def test_a_scheduler_that_does_not_answer_exits_40_and_says_what_to_do(luigi, folder):
    away = "local_scheduler = false\nrpc_retry_attempts = 2\nrpc_retry_wait = 0\n"
    settings = SETTINGS.replace("local_scheduler = true\n", f"{away}default_scheduler_port = 1\n")
    (folder / "luigi.cfg").write_text(settings)
    result = luigi("Works", "--date", "1998-04-01")
    assert result.returncode == 40
    [line] = error_lines(result)
    assert "Start luigid, or set local_scheduler = true under [core]" in line


@pytest.fixture
def luigid(folder: Path) -> Iterator[str]:
    """The port of a scheduler that runs for one test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    code = "from luigi.cmdline import luigid; luigid()"
    arguments = ["--address", "127.0.0.1", "--port", port, "--state-path", str(folder / "state")]
    with (folder / "luigid.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], cwd=folder, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/task_list"))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own server
            return bool(response.status == 200)
    except OSError:
        return False


def test_what_another_command_of_luigid_runs_already_exits_10(luigi, folder, luigid):
    settings = SETTINGS.replace(
        "true", f"false\nscheduler_host = 127.0.0.1\nscheduler_port = {luigid}"
    )
    (folder / "luigi.cfg").write_text(settings)
    with start(folder, "Sleeps", "--date", "1998-04-01") as first:
        try:
            wait_for((folder / "started").exists)
            assert luigi("Sleeps", "--date", "1998-04-01").returncode == 10
        finally:
            (folder / "wake-up").touch()
        _, errors = first.communicate(timeout=30)
    assert first.returncode == 0, errors
