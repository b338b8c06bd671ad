"""The waiter's decision: what has been seen of a job in, what to do out. Nothing else.

The caller looks at the machine first and reads the files after, so that what a machine wrote
before it was gone is never missed.
"""

from dataclasses import dataclass
from enum import Enum, auto

from pipeline.compute import State
from pipeline.records import FailureKind


class Verdict(Enum):
    """WAIT, or an end: SETTLED, FAILED (a failure is written), GIVE_UP (one must be written)."""

    WAIT = auto()
    SETTLED = auto()
    FAILED = auto()
    GIVE_UP = auto()


@dataclass(frozen=True)
class Limits:
    """For how many seconds what is waited for, by the waiter's own monotonic clock."""

    start_seconds: float
    silence_seconds: float
    deadline_seconds: float
    margin_seconds: float = 900.0

    @property
    def last_seconds(self) -> float:
        """Nothing is waited for longer than this, whatever the machine is said to be."""
        return self.start_seconds + self.deadline_seconds + self.margin_seconds


@dataclass(frozen=True)
class Seen:
    """What a waiter saw of a job. Times are seconds since something last *changed*."""

    state: State
    cause: FailureKind | None
    settled: bool
    failed: bool
    started: bool
    state_seconds: float
    silent_seconds: float
    watched_seconds: float


@dataclass(frozen=True)
class Decision:
    """`kind` is the failure to write when the verdict is GIVE_UP."""

    verdict: Verdict
    kind: FailureKind | None = None


WAIT = Decision(Verdict.WAIT)
SETTLED = Decision(Verdict.SETTLED)
FAILED = Decision(Verdict.FAILED)


def decide(seen: Seen, limits: Limits) -> Decision:
    """Whether to go on waiting for a job.

    A marker wins over a failure, a failure over what the machine looks like. A machine that is
    gone is never waited for, one that nobody can see is no evidence, and past the last limit
    nothing is waited for at all.
    """
    if seen.settled:
        return SETTLED
    if seen.failed:
        return FAILED
    if seen.state is State.GONE:
        return Decision(Verdict.GIVE_UP, _why_gone(seen, limits))
    if seen.watched_seconds > limits.last_seconds:
        return Decision(Verdict.GIVE_UP, FailureKind.DEADLINE)
    if seen.state is State.UNKNOWN:
        return WAIT
    if seen.state is State.STOPPING:
        return _within(seen.state_seconds, limits.silence_seconds, FailureKind.SILENT)
    if not seen.started:
        return _within(seen.state_seconds, limits.start_seconds, FailureKind.NEVER_STARTED)
    return _within(seen.silent_seconds, limits.silence_seconds, FailureKind.SILENT)


def _why_gone(seen: Seen, limits: Limits) -> FailureKind:
    if seen.cause:
        return seen.cause
    if seen.watched_seconds > limits.deadline_seconds:
        return FailureKind.DEADLINE
    return FailureKind.VANISHED


def _within(seconds: float, limit: float, kind: FailureKind) -> Decision:
    return Decision(Verdict.GIVE_UP, kind) if seconds > limit else WAIT
