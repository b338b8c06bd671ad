"""How runs stand, as anybody can read it from storage: what `status` shows and `forget` asks.

Nothing here writes. A job that ended without a word is told from one that works by a look at its
machine.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from pipeline import claims, finished, storage
from pipeline.compute import Look, State
from pipeline.errors import ObjectMissingError
from pipeline.jobs import read_failure, read_request
from pipeline.layout import Job, Layout, Run
from pipeline.records import Claim, Failure, FailureKind, Heartbeat, Marker, Request
from pipeline.staleness import Staleness

_THREADS = 8


class Condition(StrEnum):
    """What a person wants to know of a run first."""

    DONE = "done"
    STALE = "stale"
    RUNNING = "running"
    FAILED = "failed"
    MISSING = "missing"
    # More than storage tells of what is missing: see `outstanding`.
    WAITING = "waiting"
    DUE = "due"
    LATER = "later"


@dataclass(frozen=True)
class RunState:
    """How a run stands.

    `words` say why it failed or is stale, what its job does, or what the model warned of;
    `progress` is 0 to 1. `job` made it, works on it, or was the last to try; `machine` is where a
    job works that has not ended.
    """

    run: Run
    condition: Condition
    words: str = ""
    progress: float | None = None
    job: Job | None = None
    machine: str = ""
    request: Request | None = None


class Overview:
    """The runs of some families, listed once.

    Parameters
    ----------
    layout : Layout
    families : names of families
    look : callable
        Looks at the machine of a job's request.
    staleness : Staleness or None
        Tells which finished runs are stale; None: no run is.
    """

    def __init__(
        self,
        layout: Layout,
        families: Iterable[str],
        look: Callable[[Request], Look],
        staleness: Staleness | None = None,
    ) -> None:
        self.layout = layout
        self._look = look
        self._staleness = staleness
        self._listed: dict[str, set[str]] = defaultdict(set)
        with ThreadPoolExecutor(_THREADS) as pool:
            for urls in pool.map(self._list, families):
                for url in urls:
                    self._listed[_run_folder(url)].add(url)

    def runs(self, family: str) -> list[Run]:
        """Every run of a family that was ever begun, by date."""
        folder = f"{self.layout.family(family)}/date="
        found = [
            self.layout.run_at(f"{each}/_SUCCESS")
            for each in self._listed
            if each.startswith(folder)
        ]
        return sorted(run for run in found if run)

    def newest_done(self, family: str) -> Run | None:
        return max(filter(self.is_done, self.runs(family)), default=None)

    def is_done(self, run: Run) -> bool:
        return run.marker in self._listed[run.folder]

    def read(self, runs: Iterable[Run]) -> Mapping[Run, RunState]:
        """How each of `runs` stands."""
        runs = list(dict.fromkeys(runs))
        with ThreadPoolExecutor(_THREADS) as pool:
            return dict(zip(runs, pool.map(self._read, runs), strict=True))

    def _list(self, family: str) -> list[str]:
        folder = self.layout.family(family)
        return [entry.url for entry in storage.open(folder).list(folder)]

    def _read(self, run: Run) -> RunState:
        if self.is_done(run):
            return self._read_finished(run, finished.read_marker(run.marker))
        number = claims.newest_claim(self._listed[run.folder])
        if not number:
            return RunState(run, Condition.MISSING)
        url = run.claim(number)
        job = self.layout.job(Claim.parse(storage.open(url).read(url), url).job)
        failure = self._read_failure(run, job)
        if failure is None:
            return self._read_job(run, job)
        if failure.kind is FailureKind.FORGOTTEN:
            return RunState(run, Condition.MISSING)
        return RunState(run, Condition.FAILED, _one_line(failure.reason), job=job)

    def _read_finished(self, run: Run, marker: Marker) -> RunState:
        why = self._staleness.explain(run, marker) if self._staleness else ""
        condition = Condition.STALE if why else Condition.DONE
        words = why or "; ".join(map(str, marker.about.get("warnings", ())))
        return RunState(run, condition, words, 1.0, self.layout.job(marker.job))

    def _read_failure(self, run: Run, job: Job) -> Failure | None:
        """Why the run's job could not do it, if it is said anywhere."""
        if run.failure(job.name) in self._listed[run.folder]:
            return read_failure(run.failure(job.name))
        try:
            return read_failure(job.failure)
        except ObjectMissingError:
            return None

    def _read_job(self, run: Run, job: Job) -> RunState:
        """How a run stands whose job has told of no failure."""
        request = read_request(job)
        look = self._look(request)
        if look.state is State.GONE:
            if finished.is_finished(run):
                return self._read_finished(run, finished.read_marker(run.marker))
            words = look.words or f"{request.machine} is gone without a word; a rerun tries again"
            return RunState(run, Condition.FAILED, words, job=job, request=request)
        progress, words = _read_heartbeat(run, job)
        return RunState(run, Condition.RUNNING, words, progress, job, request.machine, request)


def _read_heartbeat(run: Run, job: Job) -> tuple[float, str]:
    try:
        content = storage.open(job.heartbeat).read(job.heartbeat)
    except ObjectMissingError:
        return 0.0, "beginning"
    beat = Heartbeat.parse(content, job.heartbeat).runs.get(str(run.date), {})
    return float(beat.get("progress") or 0), str(beat.get("message") or "")


def _run_folder(url: str) -> str:
    """The folder of the run that has the object at `url`: up to date=..."""
    before, _, after = url.partition("/date=")
    return f"{before}/date={after.partition('/')[0]}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
