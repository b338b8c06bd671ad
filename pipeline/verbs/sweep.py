"""`sweep`: machines that no live job owns.

A machine is deleted only when its job is known and has ended: every run of it has its marker, a
failure, or another job that works on it. Whatever can't be proven is listed and left.
"""

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from pipeline import claims, jobs, opening, storage
from pipeline.compute import Found
from pipeline.errors import ObjectMissingError
from pipeline.layout import Job, Run
from pipeline.records import RunRequest
from pipeline.verbs.screen import Screen

_WORKS, _ENDED, _UNKNOWN = "works", "has ended", "not known"


@dataclass(frozen=True)
class Judged:
    """A machine, and what its job does; `dead` when that has ended for certain."""

    found: Found
    verdict: str

    @property
    def dead(self) -> bool:
        return self.verdict == _ENDED


def sweep(*, delete: bool = False, as_json: bool = False) -> int:
    """List the machines of this storage; with `delete` delete those whose job has ended.

    Returns 1 when such machines are there and are left, else 0. Raises `ComputeError` when one
    can't be deleted.
    """
    compute = opening.open_compute()
    machines = [_judge(found) for found in compute.find_all()]
    if as_json:
        print(json.dumps([_describe(each) for each in machines], indent=2))
    else:
        _print(machines)
    dead = [each for each in machines if each.dead]
    if not delete:
        return 1 if dead else 0
    for each in dead:
        compute.delete(each.found.machine)
        if not as_json:
            print(f"{each.found.machine} is deleted.")
    return 0


def _judge(found: Found) -> Judged:
    job = opening.current_layout().job(found.job)
    try:
        request = jobs.read_request(job)
    except ObjectMissingError:
        return Judged(found, _UNKNOWN)
    if request.machine != found.machine:
        return Judged(found, _UNKNOWN)
    ended = storage.open(job.failure).exists(job.failure) or not any(
        _is_open(request.action, each, job) for each in request.runs
    )
    return Judged(found, _ENDED if ended else _WORKS)


def _is_open(action: str, request: RunRequest, job: Job) -> bool:
    """Whether the job may still do this run."""
    run = Run(action, request.date, request.folder)
    standing = claims.read_standing(run)
    if standing.done or standing.job not in (None, job.name):
        return False
    return not storage.open(run.folder).exists(run.failure(job.name))


def _print(machines: Sequence[Judged]) -> None:
    if not machines:
        print("There is no machine.")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("job", overflow="fold")
    for title in ("the job", "kind", "age"):
        table.add_column(title, no_wrap=True)
    for each in machines:
        table.add_row(each.found.job, each.verdict, each.found.kind, _age(each.found))
    Screen().print(table)
    if any(each.dead for each in machines):
        print("Delete those whose job has ended: python -m pipeline sweep --delete")


def _describe(each: Judged) -> dict[str, object]:
    return {
        "machine": each.found.machine,
        "job": each.found.job,
        "kind": each.found.kind,
        "since": each.found.since.isoformat() if each.found.since else None,
        "verdict": each.verdict,
        "dead": each.dead,
    }


def _age(found: Found) -> str:
    if found.since is None:
        return "?"
    minutes = (datetime.datetime.now(datetime.UTC) - found.since).total_seconds() / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"
