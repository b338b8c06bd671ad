"""`logs`: what the job of a run printed, once or as long as it works."""

import datetime
import sys
import time
import webbrowser
from collections.abc import Iterator

from pipeline import claims, jobs, opening, storage
from pipeline.compute import State
from pipeline.errors import ObjectMissingError
from pipeline.layout import Job, Run
from pipeline.records import Request
from pipeline.verbs.runs import find_run, look_at

_PAUSE_SECONDS = 1.0
# What two readings of a log have in common is looked for by the end of the first.
_OVERLAP_BYTES = 400


def logs(task: str, date: datetime.date, *, follow: bool = False, open_page: bool = False) -> None:
    """Print the log of the job that works on a run, or did last, and where its machine's is.

    With `follow` go on as long as the job works. With `open_page` the machine's log is opened in
    the browser as well. Raises `ObjectMissingError` when the run was never worked on.
    """
    run = find_run(task, date)
    job = _find_job(task, run)
    request = jobs.read_request(job)
    page = _log_page(request)
    if page and open_page:
        webbrowser.open(page)
    written = False
    for part in _read_parts(run, job, request, follow=follow):
        sys.stdout.write(part)
        sys.stdout.flush()
        written = True
    print(f"(The log: {job.log})" if written else f"{job.name} has not written a log yet.")
    if page:
        print(f"(The machine's log: {page})")


def _find_job(task: str, run: Run) -> Job:
    standing = claims.read_standing(run)
    if standing.job is None:
        raise ObjectMissingError(f"No job has worked on {task} of {run.date}. There is no log.")
    return opening.current_layout().job(standing.job)


def _read_parts(run: Run, job: Job, request: Request, *, follow: bool) -> Iterator[str]:
    """What is in the log, and with `follow` what comes to it until the job has ended."""
    seen = b""
    while True:
        # Before the log is read, so that its last lines are not missed.
        goes_on = follow and _goes_on(run, job, request)
        log = _read(job)
        new = find_new(seen, log)
        if new:
            yield new.decode(errors="replace")
            seen = log
        if not goes_on:
            break
        time.sleep(_PAUSE_SECONDS)
    if seen and not seen.endswith(b"\n"):
        yield "\n"


def find_new(seen: bytes, log: bytes) -> bytes:
    """What has come to a log since `seen` was read of it: a log keeps only its last part."""
    if log.startswith(seen):
        return log[len(seen) :]
    end = seen[-_OVERLAP_BYTES:]
    _, found, after = log.rpartition(end)
    return after if found else log


def _goes_on(run: Run, job: Job, request: Request) -> bool:
    store = storage.open(run.folder)
    ends = (run.marker, job.failure, run.failure(job.name))
    return not any(map(store.exists, ends)) and look_at(request).state is not State.GONE


def _read(job: Job) -> bytes:
    try:
        return storage.open(job.log).read(job.log)
    except ObjectMissingError:
        return b""


def _log_page(request: Request) -> str | None:
    """Where Cloud Logging shows what a machine and its container printed."""
    if request.compute != "google":
        return None
    from pipeline.compute.google.places import Place

    return Place.parse(request.machine).log_page
