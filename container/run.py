"""What a machine runs: carries out one job and leaves what must be known in storage.

    python -m container.run JOB_FOLDER_URL --prediction FOLDER --scratch FOLDER [--print-log]

Nobody talks to this program. It tells by files that it began, that it lives, what it made and why
it failed (see docs/protocol.md). The model runs in a process of its own that can't outlive it.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import logging
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from container.columns import describe_columns, describe_drift
from container.echo import echo
from container.heart import Heart
from container.memory import Memory
from container.model import ModelProcess
from container.staging import Stage, Staged, upload
from pipeline import claims, storage
from pipeline.code_versions import code_version
from pipeline.errors import DataError, PipelineError, RetryableError, StorageError
from pipeline.layout import Job, Run, base_name
from pipeline.records import Failure, FailureKind, Marker, Request, RunRequest, Started
from pipeline.times import now

logger = logging.getLogger("container")

# Exit statuses: all is done; something is not, and storage says why. Any other: nobody was told.
DONE, TOLD = 0, 3

_NO_RESULTS = (
    "the model ended without an error, and without results. Look in the log whether it ended its"
    " process itself, by os._exit or sys.exit, before it wrote them"
)
_DETAIL_LINES = 40
_POLL_SECONDS = 0.1


class StoppedError(BaseException):
    """This process was told to end. Like Ctrl-C it passes through all that catches errors."""


class JobRun:
    """One job, from its request to its last marker.

    Parameters
    ----------
    job : Job
    request : Request
    package : Path
        The model package's folder.
    scratch : Path
        An empty folder for the job's files on this machine.
    """

    def __init__(self, job: Job, request: Request, package: Path, scratch: Path) -> None:
        self.job = job
        self.request = request
        self.package = package
        self.log = scratch / "log.txt"
        self.heart = Heart(job, self.log, request.heartbeat_seconds)
        self._scratch = scratch
        self._begun = now()
        self._end = time.monotonic() + request.deadline_seconds
        self._runs_left = 0
        self._refusals = 0
        self._memory = Memory()

    def carry_out(self) -> int:
        """Do the runs that this job holds. Returns the exit status: DONE when all are."""
        with self.heart.beating():
            mine = [each for each in self.request.runs if self._is_mine(each)]
            self._runs_left = len(mine)
            staged = self._stage(mine)
            if staged:
                self._apply_model(staged)
        return TOLD if self._refusals else DONE

    def is_settled(self) -> bool:
        """Whether each run has its marker, its own failure, or another job that works on it."""
        return not any(self._is_open(each) for each in self.request.runs)

    def fail(self, failure: Failure) -> None:
        """Tell why the whole job ends here. No-op when somebody told before."""
        logger.error("%s", failure.reason)
        # Where there is no room for the log there may be some for the reason.
        with contextlib.suppress(PipelineError):
            self.heart.write_log(last=True)
        storage.write_once(self.job.failure, failure.dump())

    def _is_mine(self, request: RunRequest) -> bool:
        """Whether the run is not done yet and its newest claim names this job."""
        standing = claims.read_standing(self._run(request))
        return not standing.done and standing.job == self.job.name

    def _is_open(self, request: RunRequest) -> bool:
        url = self._run(request).failure(self.job.name)
        return self._is_mine(request) and not storage.open(url).exists(url)

    def _stage(self, requests: Sequence[RunRequest]) -> list[Staged]:
        """Bring the runs here; one whose inputs are missing or wrong is refused.

        Raises `StorageError` when storage fails, which is no run's own fault.
        """
        stage = Stage(self._scratch, self.package, self.request.action, self._provenance())
        staged = []
        for each in requests:
            self.heart.tell(each.date, 0.0, "fetching inputs")
            try:
                staged.append(stage.prepare(each, partial(self._tell_transfer, each, "fetching")))
            except (StorageError, RetryableError):
                raise
            except PipelineError as error:
                self._refuse(each, Failure(FailureKind.MODEL_ERROR, "container", str(error)))
        return staged

    def _provenance(self) -> dict[str, str]:
        """What of this job a model's card tells, as it is in no file of the model package."""
        name, version = self.job.model
        image = {"image": self.request.image} if self.request.image else {}
        code = code_version(self.package)
        return {"name": name, "version": version, "job": self.job.name, **image, "code": code}

    def _apply_model(self, staged: Sequence[Staged]) -> None:
        """Run the model over all runs, and take in each as soon as it ends."""
        left = {str(each.config): each for each in staged}
        model = ModelProcess(self.package, self.request.action, list(left), self.log)
        try:
            while True:
                status = model.poll(_POLL_SECONDS)
                for line in model.read_progress():
                    self._follow(line, left)
                if status is not None:
                    break
                if time.monotonic() > self._end:
                    raise TimeoutError
        finally:
            model.end()
        self._close(status, list(left.values()))

    def _follow(self, line: dict[str, object], left: dict[str, Staged]) -> None:
        each = left.get(str(line.get("config")))
        if each is None:
            return
        self.heart.tell(each.request.date, _share(line), str(line.get("message") or ""))
        if line.get("status") == "done":
            rows, columns = line.get("rows"), line.get("columns")
            warnings = line.get("warnings")
            self._take_in(
                each,
                rows if isinstance(rows, int) else None,
                columns if isinstance(columns, dict) else None,
                list(map(str, warnings)) if isinstance(warnings, list) else (),
            )
        elif line.get("status") == "failed":
            reason, detail = each.trace(str(line.get("reason"))), str(line.get("traceback") or "")
            failure = self._blame_memory(detail) or Failure(
                FailureKind.MODEL_ERROR, "container", reason, detail
            )
            self._refuse(each.request, failure)
        else:
            return
        del left[str(line["config"])]

    def _close(self, status: int, left: Sequence[Staged]) -> None:
        """The model's process ended: what of the runs that it did not speak of?"""
        if not left:
            return
        if status == 0:
            for each in left:
                self._take_in(each)
            return
        detail = self._last_lines()
        failure = self._blame_memory(detail)
        if failure:
            self.fail(failure)
        elif status in (-signal.SIGKILL, -signal.SIGTERM):
            reason = f"the model's process was killed by signal {-status}"
            self.fail(Failure(FailureKind.KILLED, "container", reason, detail, status))
        else:
            last = detail.rpartition("\n")[2] or "it printed nothing"
            reason = f"exit status {status}: {last}"
            self.fail(Failure(FailureKind.MODEL_ERROR, "container", reason, detail, status))
        self._refusals += 1

    def _last_lines(self) -> str:
        return "\n".join(self.heart.tail().splitlines()[-_DETAIL_LINES:])

    def _blame_memory(self, detail: str) -> Failure | None:
        """The failure, when the kernel has ended the model or one of its workers for memory."""
        if not self._memory.has_run_out():
            return None
        limit = self._memory.limit_bytes
        amount = f"{limit / 1e9:.1f} GB of memory were" if limit else "the memory was"
        reason = (
            f"{amount} not enough: set a larger machine_type, or memory_gb with compute = docker,"
            " in luigi.cfg"
        )
        return Failure(FailureKind.OUT_OF_MEMORY, "container", reason, detail)

    def _take_in(
        self,
        staged: Staged,
        rows: int | None = None,
        columns: Mapping[str, str] | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        """Upload a run's results, and then, last of all, its marker."""
        if not staged.has_results():
            failure = Failure(FailureKind.MODEL_ERROR, "container", _NO_RESULTS, self._last_lines())
            self._refuse(staged.request, failure)
            return
        run = self._run(staged.request)
        self.heart.tell(run.date, 1.0, "uploading results")
        try:
            columns = columns or describe_columns(staged.results)
            drift = describe_drift(staged.results)
        except DataError as error:
            self._refuse(staged.request, Failure(FailureKind.MODEL_ERROR, "container", str(error)))
            return
        tell = partial(self._tell_transfer, staged.request, "uploading")
        files = upload(staged.results, run.folder, self.job.name, tell)
        marker = Marker(
            family=run.family,
            date=run.date,
            job=self.job.name,
            rows=rows,
            files=files,
            made_from=dict(staged.request.inputs),
            image=self.request.image,
            started_at=self._begun,
            ended_at=now(),
            about={
                "code": code_version(self.package),
                "constants": dict(staged.request.constants),
                "columns": columns,
                **({"drift": drift} if drift else {}),
                **({"warnings": warnings} if warnings else {}),
            },
        )
        self._end_run(run.date, "done")
        if not storage.write_once(run.marker, marker.dump()):
            logger.info("%s was done by another attempt already", run)

    def _refuse(self, request: RunRequest, failure: Failure) -> None:
        """Tell why one run can't be done; the job goes on with the others."""
        self._refusals += 1
        logger.error("%s of %s: %s", self.request.action, request.date, failure.reason)
        self._end_run(request.date, "failed")
        storage.write_once(self._run(request).failure(self.job.name), failure.dump())

    def _end_run(self, date: datetime.date, message: str) -> None:
        """The run's marker or failure is next: after the last of them the machine may go."""
        self._runs_left -= 1
        self.heart.tell(date, 1.0, message, ended=True)
        self.heart.write_log(last=self._runs_left == 0)

    def _tell_transfer(self, request: RunRequest, verb: str, words: str) -> None:
        self.heart.tell(request.date, 0.0 if verb == "fetching" else 1.0, f"{verb} {words}")

    def _run(self, request: RunRequest) -> Run:
        return Run(self.request.action, request.date, request.folder)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="container.run", description=__doc__)
    parser.add_argument("job", help="URL of the job's folder")
    parser.add_argument("--prediction", type=Path, required=True, help="the model package")
    parser.add_argument("--scratch", type=Path, help="folder for files; deleted at the end")
    parser.add_argument("--print-log", action="store_true", help="print the log while it grows")
    options = parser.parse_args(arguments)
    job = Job(base_name(options.job), options.job)
    request = Request.parse(storage.open(job.request).read(job.request), job.request)
    started = Started(platform.node(), now(), _libraries())
    if not storage.write_once(job.started, started.dump()):
        print(f"{job.name} was started before; a job runs once.")  # noqa: T201 - the console
        return DONE
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="job-"))
    scratch.mkdir(parents=True, exist_ok=True)
    job_run = JobRun(job, request, options.prediction, scratch)
    try:
        with contextlib.ExitStack() as stack:
            if options.print_log:
                stack.enter_context(echo(job_run.log, sys.stdout.buffer))
            return _carry_out(job_run)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _carry_out(job_run: JobRun) -> int:
    """Carry a job out, and whatever happens, leave a word why it ended."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        try:
            _log_to(job_run.log)
            return job_run.carry_out()
        finally:
            # All that is left to do is to say why it ends.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except TimeoutError:
        seconds = job_run.request.deadline_seconds
        reason = f"not finished within deadline_seconds = {seconds:g}"
        job_run.fail(Failure(FailureKind.DEADLINE, "container", reason))
        return TOLD
    except StoppedError:
        # Whoever sees the last marker deletes the machine, perhaps before we are through.
        if not job_run.is_settled():
            job_run.fail(Failure(FailureKind.KILLED, "container", "it was told to end (SIGTERM)"))
        return TOLD
    except (PipelineError, OSError, subprocess.SubprocessError) as error:
        job_run.fail(Failure(FailureKind.KILLED, "container", _name(error)))
        return TOLD


def _name(error: Exception) -> str:
    """What happened; errors that are not ours do not always say it without their kind."""
    return str(error) if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"


def _log_to(path: Path) -> None:
    form = "%(asctime)s %(name)s: %(message)s"
    logging.basicConfig(filename=path, level=logging.INFO, format=form)


def _libraries() -> dict[str, str]:
    """Versions of Python and of every distribution that is installed here."""
    versions = {each.name: each.version for each in importlib.metadata.distributions()}
    return {"python": platform.python_version(), **dict(sorted(versions.items()))}


def _stop(number: int, frame: FrameType | None) -> None:
    # Once: what stops the model and tells of it must not be stopped in turn.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise StoppedError


def _share(line: dict[str, object]) -> float:
    done, total = line.get("done"), line.get("total")
    if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
        return min(1.0, done / total)
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
