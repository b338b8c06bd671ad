"""The orchestrator's own process in the place of a machine, for work that needs no container.

Extracting and loading follow the same protocol as the model's jobs: they are claimed, told when
they fail, and watched by whoever comes second. The lock says whether the process lives.
"""

import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline import claims, finished, storage
from pipeline.compute import HERE, Found, Look, Machine
from pipeline.compute.local import (
    acquire,
    find_held,
    is_here,
    look_at_lock,
    machine_name,
    scratch_folder,
    sweep,
)
from pipeline.errors import ComputeError, PipelineError
from pipeline.layout import Job, Run
from pipeline.records import Budget, Failure, FailureKind, Marker, Request, RunRequest, Started
from pipeline.times import now

Perform = Callable[[RunRequest, str], Marker]


class OrchestratorCompute:
    """Carries a job out in this process, at `launch`, which returns when it has ended.

    Parameters
    ----------
    work : Path
        Folder of this machine under which each job gets a folder for its lock, and one for its
        temporary files as long as it lasts.
    perform : callable
        Does one run. Gets its request and the URL of the folder for its results, returns the
        marker to write.
    """

    name = HERE
    poll_seconds = 0.2
    longest_poll_seconds = 0.2
    image: str | None = None

    def __init__(self, work: Path, perform: Perform) -> None:
        self.work = work
        self._perform = perform

    def choose(self, job: Job, action: str, spent: Mapping[Budget, int]) -> Machine:
        return Machine(machine_name(self.work, job))

    def launch(self, request: Request, job: Job) -> None:
        machine = request.machine
        lock = acquire(Path(machine.partition(":")[2])) if is_here(machine) else None
        if lock is None:
            return
        try:
            sweep(self.work)
            if storage.write_once(job.started, Started(platform.node(), now()).dump()):
                self._carry_out(request, job)
        finally:
            lock.release()

    def look(self, machine: str) -> Look:
        return look_at_lock(machine)

    def delete(self, machine: str) -> None:
        """Nothing to take away: the process is its user's."""

    def console(self, machine: str) -> str:
        return ""

    def find_all(self) -> Sequence[Found]:
        return find_held(self.work, "orchestrator")

    def _carry_out(self, request: Request, job: Job) -> None:
        for each in request.runs:
            run = Run(request.action, each.date, each.folder)
            standing = claims.read_standing(run)
            if standing.done or standing.job != job.name:
                continue
            try:
                with _temporary_files(scratch_folder(self.work, job)):
                    marker = self._perform(each, run.results(job.name))
            except PipelineError as error:
                failure = Failure(FailureKind.ERROR, "orchestrator", str(error))
                storage.write_once(run.failure(job.name), failure.dump())
            else:
                finished.finish(run, marker)


@contextmanager
def _temporary_files(folder: Path) -> Iterator[None]:
    """Have what this process makes with `tempfile` in `folder`, where it is found after a kill."""
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise ComputeError(f"{folder} can't be made: {error.strerror}.") from error
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        shutil.rmtree(folder, ignore_errors=True)
