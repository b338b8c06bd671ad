"""A process of this machine in the place of a machine of the cloud.

The process holds a lock file from before it begins until it and all that it started have ended:
locked means alive. It is in a session of its own, so that it goes on when its orchestrator ends.
"""

import contextlib
import datetime
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.compute import Found, Look, Machine, State
from pipeline.errors import ComputeError
from pipeline.layout import Job
from pipeline.locks import Lock, is_held, read_note
from pipeline.records import Budget, Request

_GRACE_SECONDS = 5.0
_KILL_SECONDS = 20.0
_PAUSE_SECONDS = 0.05
_CONSOLE_BYTES = 4096

# Every process started here, so that `look` can take the dead ones off the system's table.
_started: list[subprocess.Popen[bytes]] = []


class LocalCompute:
    """Jobs as processes. A machine is named `<host>:<folder>`; its folder holds its lock.

    Parameters
    ----------
    work : Path
        Folder of this machine under which each job gets a folder.
    prediction : Path
        The model package's folder.
    """

    name = "local"
    poll_seconds = 0.2
    longest_poll_seconds = 0.2
    image: str | None = None

    def __init__(self, work: Path, prediction: Path) -> None:
        self.work = work
        self.prediction = prediction

    def choose(self, job: Job, action: str, spent: Mapping[Budget, int]) -> Machine:
        return Machine(machine_name(self.work, job))

    def launch(self, request: Request, job: Job) -> None:
        if not is_here(request.machine):
            # Its own host may launch it any moment.
            return
        folder = self._here(request.machine)
        lock = acquire(folder)
        if lock is None:
            return
        try:
            sweep(self.work)
            process = self._start(folder, job, lock)
            _started.append(process)
            lock.note(str(process.pid))
        except OSError as error:
            raise ComputeError(f"The process of {job.name} can't be started: {error}.") from error
        finally:
            lock.release()

    def look(self, machine: str) -> Look:
        _started[:] = [process for process in _started if process.poll() is None]
        return look_at_lock(machine)

    def delete(self, machine: str) -> None:
        folder = self._here(machine)
        for number, patience in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, _KILL_SECONDS)):
            self._signal(folder, number)
            if _wait_until_free(folder / "lock", patience):
                sweep(self.work)
                return
        raise ComputeError(
            f"The processes of {folder.name} do not end. Look for them with `ps -ef` and kill them."
        )

    def console(self, machine: str) -> str:
        if not is_here(machine):
            # It is asked for on the way to a failure, which it must not hide.
            return ""
        try:
            content = (self._here(machine) / "console.txt").read_bytes()
        except FileNotFoundError:
            return ""
        return content[-_CONSOLE_BYTES:].decode(errors="replace")

    def find_all(self) -> Sequence[Found]:
        return find_held(self.work, "process")

    def _start(self, folder: Path, job: Job, lock: Lock) -> subprocess.Popen[bytes]:
        """Start the container's program, which holds the lock from its first moment on."""
        command = [sys.executable, "-m", "container.run", job.folder]
        scratch = scratch_folder(self.work, job)
        options = ["--prediction", str(self.prediction), "--scratch", str(scratch)]
        with (folder / "console.txt").open("ab") as console:
            return subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                pass_fds=(lock.descriptor,),
            )

    def _signal(self, folder: Path, number: signal.Signals) -> None:
        # The process group's number can't be given to others while one of the group lives, and
        # one does as long as the lock is held.
        note = read_note(folder / "lock")
        if note and is_held(folder / "lock"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(note), number)

    def _here(self, machine: str) -> Path:
        host, _, folder = machine.partition(":")
        if not is_here(machine):
            raise ComputeError(f"{machine} is a process of the machine {host}. Go there.")
        return Path(folder)


def machine_name(work: Path, job: Job) -> str:
    return f"{platform.node()}:{work / 'jobs' / job.name}"


def is_here(machine: str) -> bool:
    return machine.partition(":")[0] == platform.node()


def look_at_lock(machine: str) -> Look:
    """Whether the processes of a machine that is a folder with a lock live."""
    if not is_here(machine):
        return Look(State.UNKNOWN)
    held = is_held(Path(machine.partition(":")[2]) / "lock")
    return Look(State.RUNNING if held else State.GONE)


def find_held(work: Path, kind: str) -> list[Found]:
    """The folders of jobs whose lock is held, as machines of `kind`."""
    return [
        Found(
            f"{platform.node()}:{lock.parent}",
            lock.parent.name,
            kind,
            datetime.datetime.fromtimestamp(lock.stat().st_mtime, datetime.UTC),
        )
        for lock in sorted((work / "jobs").glob("*/lock"))
        if is_held(lock)
    ]


def acquire(folder: Path) -> Lock | None:
    """The lock of a machine's folder, or None when it runs. Raises `ComputeError`."""
    try:
        return Lock.acquire(folder / "lock")
    except OSError as error:
        raise ComputeError(
            f"The lock in {folder} can't be written: {error.strerror}. Let this user write there,"
            " free some space on the disk, or correct `work` under [pipeline] in luigi.cfg."
        ) from error


def scratch_folder(work: Path, job: Job) -> Path:
    """Where a job has its files on this machine, until it ends."""
    return work / "scratch" / job.name


def sweep(work: Path) -> None:
    """Delete the scratch folders that killed processes left."""
    for scratch in (work / "scratch").glob("*"):
        if not is_held(work / "jobs" / scratch.name / "lock"):
            shutil.rmtree(scratch, ignore_errors=True)


def _wait_until_free(path: Path, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while is_held(path):
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
