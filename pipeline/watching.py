"""One job as its waiter sees it: the machine, and the files that its container leaves.

What follows from what was seen is for `decision` to say.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import finished, storage
from pipeline.compute import HERE, Look, State
from pipeline.decision import Seen
from pipeline.errors import ObjectMissingError
from pipeline.layout import Job, Run, base_name
from pipeline.records import Heartbeat, Request

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")

Beats = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Progress:
    """What a person may want to know of a job: its share done (0 to 1), its words, its log.

    `log` is empty where there is none.
    """

    job: str
    dates: Sequence[str]
    share: float
    message: str
    log: str


Report = Callable[[Progress], None]


@dataclass
class Watch:
    """A job that is being watched for the sake of `runs` (each with its claim's number).

    `marked` are the runs that have their marker, `refused` those that have a failure of their own.
    """

    job: Job
    request: Request
    runs: dict[Run, int]
    report: Report
    begun: float = field(default_factory=time.monotonic)
    state: State | None = None
    state_since: float = 0.0
    words: str = ""
    pulse: bytes | None = None
    pulse_since: float = field(default_factory=time.monotonic)
    started: bool = False
    marked: set[Run] = field(default_factory=set)
    refused: set[Run] = field(default_factory=set)

    @property
    def open_runs(self) -> list[Run]:
        return [run for run in self.runs if run not in self.marked | self.refused]

    def observe(self, look: Callable[[], Look]) -> Seen:
        """See how the job stands; `look` looks at its machine.

        A heart that has beaten since is all the evidence that is needed: one small file is read
        where otherwise the machine and two folders are asked for.
        """
        if self._is_beating():
            return self._see(Look(State.RUNNING), failed=False)
        # The machine first: what it wrote before it was gone is then never missed.
        seen = look()
        store = storage.open(self.job.folder)
        names = {base_name(each.url) for each in store.list(self.job.folder)}
        begins = "started.json" in names and not self.started
        if begins:
            self.started, self.state = True, None
            self.pulse_since = time.monotonic()
            self._tell({})
        # What has just begun and goes on has refused nothing: the next look asks for that.
        self.note_ended_runs(refused=not begins or seen.state is not State.RUNNING)
        return self._see(seen, failed="failure.json" in names)

    def note_ended_runs(self, *, refused: bool = True) -> None:
        """Look for markers, and if `refused` for failures, of the runs that are open."""
        store = storage.open(self.job.folder)
        for run in self.open_runs:
            if finished.is_finished(run):
                self.marked.add(run)
                if len(self.runs) > 1:
                    logger.info("%s is done", run)
            elif refused and self.started and store.exists(run.failure(self.job.name)):
                self.refused.add(run)

    def _see(self, look: Look, *, failed: bool) -> Seen:
        now = time.monotonic()
        if look.state is not self.state:
            self.state, self.state_since = look.state, now
        self.words = look.words
        return Seen(
            state=look.state,
            cause=look.cause,
            settled=not self.open_runs,
            failed=failed,
            started=self.started,
            state_seconds=now - self.state_since,
            silent_seconds=now - self.pulse_since,
            watched_seconds=now - self.begun,
        )

    def _is_beating(self) -> bool:
        """Whether the job lives and goes on: its heartbeat is a new one, and no run has ended."""
        if not self.started:
            return False
        url = self.job.heartbeat
        try:
            content = storage.open(url).read(url)
        except ObjectMissingError:
            return False
        if content == self.pulse:
            return False
        self.pulse, self.pulse_since = content, time.monotonic()
        beats = Heartbeat.parse(content, url).runs
        self._tell(beats)
        return not any(beats.get(str(run.date), {}).get("ended") for run in self.open_runs)

    def _tell(self, beats: Beats) -> None:
        dates = [str(run.date) for run in self.runs]
        shares = [float(beats.get(date, {}).get("progress") or 0) for date in dates]
        messages = [str(beats[date].get("message") or "") for date in dates if date in beats]
        share = sum(shares) / len(shares)
        message = next((each for each in reversed(messages) if each), "")
        log = "" if self.request.compute == HERE else self.job.log
        self.report(Progress(self.job.name, dates, share, message, log))
