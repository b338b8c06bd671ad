"""The job protocol from outside: claim runs, launch jobs, watch, adopt, retry, clean up.

What a waiter decides is in `decision`; what the files say in `records`. All that two waiters must
agree on lies in storage, so any of them may die at any moment.
"""

import logging
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipeline import claims, decision, storage
from pipeline.compute import Compute, Look, State
from pipeline.decision import Limits, Verdict
from pipeline.errors import (
    ComputeError,
    JobFailedError,
    MachineRefusedError,
    NoCapacityError,
    Problem,
)
from pipeline.layout import Job, Layout, Run
from pipeline.records import Budget, Failure, FailureKind, Request, RunRequest
from pipeline.watching import Progress, Report, Watch

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")


@dataclass(frozen=True)
class Order:
    """A run that somebody wants done, and the image that it must run in.

    `request` tells what the run needs, once the name of the job that shall do it is known.
    """

    run: Run
    request: Callable[[str], RunRequest]
    image: str | None = None


class Waiter:
    """Gets runs done by jobs, its own or others', and says why when it can't.

    Parameters
    ----------
    layout : Layout
    compute : Compute
        Where new jobs are launched.
    limits : Limits
    budgets : mapping of Budget to int
        How often a run may be tried again for causes that are not the model's.
    heartbeat_seconds : float
        How often a job is to say that it lives.
    """

    def __init__(
        self,
        layout: Layout,
        compute: Compute,
        limits: Limits,
        budgets: Mapping[Budget, int],
        heartbeat_seconds: float,
    ) -> None:
        self.layout = layout
        self.compute = compute
        self.limits = limits
        self.budgets = budgets
        self.heartbeat_seconds = heartbeat_seconds
        self.watches: list[Watch] = []
        self._orders: dict[Run, Order] = {}
        self._spent: Counter[tuple[Run, Budget]] = Counter()
        self._problems: dict[Run, Problem] = {}
        self._report: Report = _say_nothing
        self._pause = compute.poll_seconds

    def finish(self, action: str, orders: Iterable[Order], report: Report | None = None) -> None:
        """Return when every run has its marker; no-op when they all have.

        `report` is told of every change that a person may want to see.
        Raises `JobFailedError` when some can't be done, after all others are.
        """
        self._orders = {order.run: order for order in orders}
        self._report = report or _say_nothing
        self._engage(action)
        while self.watches:
            for watch in tuple(self.watches):
                self._step(watch)
            if self.watches:
                time.sleep(self._pause)
                self._pause = min(1.5 * self._pause, self.compute.longest_poll_seconds)
            if _is_orphan():
                # Nobody waits for our answer.
                raise KeyboardInterrupt
        if self._problems:
            found = sorted(self._problems.items())
            raise JobFailedError(
                "\n".join(_explain(run, problem) for run, problem in found),
                [problem for _, problem in found],
            )

    def _engage(self, action: str) -> None:
        """Put every run that is not done under a job: the one that holds it, or a new one."""
        free: dict[Run, int] = {}
        held: dict[str, dict[Run, int]] = {}
        for run in self._orders:
            standing = claims.read_standing(run)
            if standing.done:
                continue
            if standing.job is None or self._has_failed(standing.job, run):
                # A failure from before we came is history.
                free[run] = standing.number + 1
            else:
                held.setdefault(standing.job, {})[run] = standing.number
        for name, runs in held.items():
            self._adopt(name, runs)
        self._start(action, free)

    def _has_failed(self, job_name: str, run: Run) -> bool:
        store = storage.open(run.folder)
        job = self.layout.job(job_name)
        if store.exists(job.failure):
            self._delete_remains(job)
            return True
        return store.exists(run.failure(job_name))

    def _delete_remains(self, job: Job) -> None:
        """Who told of a failure may have been killed before it deleted the machine."""
        self._delete(read_request(job))

    def _start(self, action: str, runs: Mapping[Run, int]) -> None:
        """Claim runs for new jobs, one for each image, and launch those that hold any."""
        by_image: dict[str | None, dict[Run, int]] = {}
        for run, number in runs.items():
            by_image.setdefault(self._image(run), {})[run] = number
        for image, group in by_image.items():
            self._start_job(action, image, group)

    def _image(self, run: Run) -> str | None:
        """What a run is carried out in: the image of its model, or else the compute's own."""
        return self.compute.image and (self._orders[run].image or self.compute.image)

    def _start_job(self, action: str, image: str | None, runs: Mapping[Run, int]) -> None:
        family = next(iter(runs)).family
        job = self.layout.new_job(family, [run.date for run in runs])
        machine = self.compute.choose(job, action, self._spent_on(runs))
        request = Request(
            job=job.name,
            action=action,
            compute=self.compute.name,
            machine=machine.name,
            spec=machine.spec,
            image=image,
            deadline_seconds=self.limits.deadline_seconds,
            heartbeat_seconds=self.heartbeat_seconds,
            runs=[self._orders[run].request(job.name) for run in runs],
        )
        storage.open(job.request).write(job.request, request.dump(), create_only=True)
        won = {run: number for run, number in runs.items() if claims.claim(run, number, job.name)}
        if won:
            self._watch(job, request, won)
            self._launch(request, job)
        for run in runs.keys() - won.keys():
            self._follow(run)

    def _launch(self, request: Request, job: Job) -> None:
        """Have the machine made. That there will be none is a failure like any other."""
        self._pause = self.compute.poll_seconds
        try:
            self.compute.launch(request, job)
        except NoCapacityError as error:
            write_failure(job, Failure(FailureKind.NO_CAPACITY, "waiter", str(error)))
        except MachineRefusedError as error:
            write_failure(job, Failure(FailureKind.ERROR, "waiter", str(error)))

    def _follow(self, run: Run) -> None:
        """Watch the job that was quicker than ours."""
        standing = claims.read_standing(run)
        if not standing.done and standing.job:
            self._adopt(standing.job, {run: standing.number})

    def _adopt(self, name: str, runs: dict[Run, int]) -> None:
        """Watch another orchestrator's job. It may have died before it asked for a machine."""
        job = self.layout.job(name)
        request = read_request(job)
        watch = self._watch(job, request, runs)
        seen = watch.observe(lambda: self._look(request))
        if not (seen.started or seen.failed or seen.settled) and self._is_ours(request):
            self._claim_rest(request)
            self._launch(request, job)
        else:
            logger.info("%s: watching %s, which works on it", _dates(watch.runs), name)

    def _claim_rest(self, request: Request) -> None:
        """Claim for a job what its orchestrator had not come to, or will find claimed.

        The container does only the runs that its job holds when it starts.
        """
        for each in request.runs:
            run = Run(request.action, each.date, each.folder)
            standing = claims.read_standing(run)
            held = standing.job is not None and not self._has_failed(standing.job, run)
            if not standing.done and not held:
                claims.claim(run, standing.number + 1, request.job)

    def _is_ours(self, request: Request) -> bool:
        return request.compute == self.compute.name

    def _watch(self, job: Job, request: Request, runs: dict[Run, int]) -> Watch:
        watch = Watch(job, request, runs, self._report)
        self.watches.append(watch)
        return watch

    def _step(self, watch: Watch) -> None:
        seen = watch.observe(lambda: self._look(watch.request))
        decided = decision.decide(seen, self.limits)
        if decided.verdict is Verdict.SETTLED:
            self._settle(watch)
        elif decided.verdict is Verdict.FAILED:
            self._fail(watch)
        elif decided.kind is not None:
            self._give_up(watch, decided.kind)

    def _look(self, request: Request) -> Look:
        if self._is_ours(request):
            return self.compute.look(request.machine)
        # Settings were changed while a job of the old ones works: its files tell how it goes on.
        return Look(State.UNKNOWN)

    def _settle(self, watch: Watch) -> None:
        self._close(watch)
        if len(watch.runs) == len(watch.request.runs):
            self._delete(watch.request)

    def _fail(self, watch: Watch) -> None:
        """Try again what a failed job left, as long as its kind of failure has a budget."""
        self._delete(watch.request)
        # What it finished in its last moment counts.
        watch.note_ended_runs()
        left = watch.open_runs
        self._close(watch)
        failure = read_failure(watch.job.failure)
        again = {run: watch.runs[run] + 1 for run in left if self._may_retry(run, failure.kind)}
        for run in left:
            if run not in again:
                self._problems[run] = _find_problem(watch, run, watch.job.failure)
        if again:
            logger.warning("%s: %s, trying again", _dates(again), failure.reason)
            self._start(watch.request.action, again)

    def _close(self, watch: Watch) -> None:
        self.watches.remove(watch)
        for run in watch.refused - watch.marked:
            self._problems[run] = _find_problem(watch, run, run.failure(watch.job.name))

    def _spent_on(self, runs: Iterable[Run]) -> Mapping[Budget, int]:
        """How often the one of `runs` was tried again that was so most often, by budget."""
        runs = list(runs)
        return {budget: max(self._spent[run, budget] for run in runs) for budget in Budget}

    def _may_retry(self, run: Run, kind: FailureKind) -> bool:
        budget = kind.budget
        self._spent[run, budget] += 1
        return budget is not Budget.NONE and self._spent[run, budget] <= self.budgets.get(budget, 0)

    def _give_up(self, watch: Watch, kind: FailureKind) -> None:
        """Write why before the machine goes, so that nobody finds it gone without a reason."""
        reason = watch.words or _REASONS[kind].format(machine=watch.request.machine)
        console = (
            self.compute.console(watch.request.machine) if self._is_ours(watch.request) else ""
        )
        write_failure(watch.job, Failure(kind, "waiter", reason, detail=console))
        self._fail(watch)

    def _delete(self, request: Request) -> None:
        if not self._is_ours(request):
            return
        try:
            self.compute.delete(request.machine)
        except ComputeError as error:
            logger.warning("%s could not be deleted: %s", request.machine, error)


_DETAIL_LINES = 12

_REASONS = {
    FailureKind.PREEMPTED: "the machine was preempted",
    FailureKind.DEADLINE: "it went on past its deadline",
    FailureKind.VANISHED: "{machine} vanished without a word",
    FailureKind.SILENT: "{machine} gave no sign of life for too long",
    FailureKind.NEVER_STARTED: "{machine} never started its container",
}


def write_failure(job: Job, failure: Failure) -> bool:
    """Write a job's failure, once. False when there is one already."""
    return storage.write_once(job.failure, failure.dump())


def cancel(layout: Layout, run: Run, compute: Compute) -> str | None:
    """End the job that works on a run. Returns its name, or None when none does."""
    standing = claims.read_standing(run)
    if standing.done or standing.job is None:
        return None
    job = layout.job(standing.job)
    failure = Failure(FailureKind.CANCELLED, "a person", "it was cancelled")
    if storage.open(run.folder).exists(run.failure(job.name)) or not write_failure(job, failure):
        return None
    compute.delete(read_request(job).machine)
    return job.name


def _find_problem(watch: Watch, run: Run, url: str) -> Problem:
    """What the failure at `url` says of a run of a job."""
    failure = read_failure(url)
    log = watch.job.log if storage.open(watch.job.log).exists(watch.job.log) else None
    number, for_good = watch.runs[run], failure.kind.of_the_model
    return Problem(run.date, failure.reason, failure.detail, log, number, for_good=for_good)


def _explain(run: Run, problem: Problem) -> str:
    lines = [f"{run} failed: {problem.reason}"]
    lines += [f"    {line}" for line in problem.detail.splitlines()[-_DETAIL_LINES:]]
    if problem.log:
        lines.append(f"    The log: {problem.log}")
    return "\n".join(lines)


def _say_nothing(progress: Progress) -> None:
    pass


def _is_orphan() -> bool:
    """Whether the orchestrator that forked this process was killed since."""
    parent = multiprocessing.parent_process()
    return parent is not None and os.getppid() != parent.pid


def read_request(job: Job) -> Request:
    """What a job was asked to do. Raises `ObjectMissingError` when there is no such job."""
    return Request.parse(storage.open(job.request).read(job.request), job.request)


def read_failure(url: str) -> Failure:
    """Why something failed. Raises `ObjectMissingError` when nothing is said at `url`."""
    return Failure.parse(storage.open(url).read(url), url)


def _dates(runs: Iterable[Run]) -> str:
    return ", ".join(str(run) for run in runs)
