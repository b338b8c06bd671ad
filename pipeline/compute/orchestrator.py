"""The orchestrator's own process in the place of a machine, for work that needs no container.

Extracting and loading follow the same protocol as the model's jobs: they are claimed, told when
they fail, and watched by whoever comes second. The lock says whether the process lives.
"""

import platform
from collections.abc import Callable
from pathlib import Path

from pipeline import claims, storage
from pipeline.compute import Look
from pipeline.compute.local import look_at_lock, machine_name
from pipeline.errors import ObjectExistsError, PipelineError
from pipeline.layout import Job, Run
from pipeline.locks import Lock
from pipeline.records import Failure, FailureKind, Marker, Request, RunRequest, Started
from pipeline.times import now

Perform = Callable[[RunRequest, str], Marker]


class OrchestratorCompute:
    """Carries a job out in this process, at `launch`, which returns when it has ended.

    Parameters
    ----------
    work : Path
        Folder of this machine under which each job gets a folder for its lock.
    perform : callable
        Does one run. Gets its request and the URL of the folder for its results, returns the
        marker to write.
    """

    name = "orchestrator"
    poll_seconds = 0.2

    def __init__(self, work: Path, perform: Perform) -> None:
        self.work = work
        self._perform = perform

    def machine(self, job: Job) -> str:
        return machine_name(self.work / "jobs" / job.name)

    def launch(self, machine: str, job: Job) -> None:
        host, _, folder = machine.partition(":")
        lock = Lock.acquire(Path(folder) / "lock") if host == platform.node() else None
        if lock is None:
            return
        try:
            if _write_once(job.started, Started(platform.node(), now()).dump()):
                self._carry_out(job)
        finally:
            lock.release()

    def look(self, machine: str) -> Look:
        return look_at_lock(machine)

    def delete(self, machine: str) -> None:
        """Nothing to take away: the process is its user's."""

    def console(self, machine: str) -> str:
        return ""

    def _carry_out(self, job: Job) -> None:
        request = Request.parse(storage.open(job.request).read(job.request), job.request)
        for each in request.runs:
            run = Run(request.action, each.date, each.folder)
            standing = claims.read_standing(run)
            if standing.done or standing.job != job.name:
                continue
            try:
                marker = self._perform(each, run.results(job.name))
            except PipelineError as error:
                failure = Failure(FailureKind.ERROR, "orchestrator", str(error))
                _write_once(run.failure(job.name), failure.dump())
            else:
                _write_once(run.marker, marker.dump())


def _write_once(url: str, content: bytes) -> bool:
    try:
        storage.open(url).write(url, content, create_only=True)
    except ObjectExistsError:
        return False
    return True
