"""Machines that carry out jobs: the interface, and the side that a name chooses."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Protocol

from pipeline.layout import Job
from pipeline.records import Budget, FailureKind, Request

# The compute whose machine is the orchestrator's own process, in requests. Its jobs have no log.
HERE = "orchestrator"
# What machines are labelled with, so that a person knows whose they are.
MANAGER = "poor-mans-orchestration"


class State(Enum):
    """What a machine is doing. UNKNOWN: nobody can tell now, which is no evidence of anything."""

    MAKING = auto()
    RUNNING = auto()
    STOPPING = auto()
    GONE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Look:
    """What was seen of a machine.

    `cause` is why it is gone, and `words` tell more of that, if whoever keeps the machines knows.
    """

    state: State
    cause: FailureKind | None = None
    words: str = ""


@dataclass(frozen=True)
class Machine:
    """A machine that may be made or not: its name, and what must be known to make it.

    Both are kept in the job's request.
    """

    name: str
    spec: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """A machine that is there: its name, the job that it was made for, of what kind it is.

    `since` is when it was made, in UTC; None where that is not known.
    """

    machine: str
    job: str
    kind: str
    since: datetime.datetime | None


class Compute(Protocol):
    """Machines that carry out jobs, each known by its name.

    Every method raises `ComputeError` when the machine can't be dealt with.

    Attributes
    ----------
    name : str
        What this compute is called in luigi.cfg and in requests.
    poll_seconds, longest_poll_seconds : float
        Pause between two looks at a job: at first, and when it has been watched for a while.
    image : str or None
        What jobs run in whose model is sealed to no image; None where no images are run.
    """

    name: str
    poll_seconds: float
    longest_poll_seconds: float

    @property
    def image(self) -> str | None:
        """Raise `ComputeError` when it can't be found."""

    def choose(self, job: Job, action: str, spent: Mapping[Budget, int]) -> Machine:
        """The machine that is to carry out `job`.

        `spent` says how often its runs were tried before, by what the tries were paid from.
        """

    def launch(self, request: Request, job: Job) -> None:
        """Start the machine that `request` names. Asked twice, or by two at once, it starts once.

        Raises `NoCapacityError` or `MachineRefusedError` when there is no machine and will be
        none. After any other `ComputeError` it is not known whether there will be one.
        """

    def look(self, machine: str) -> Look:
        """What the machine is doing now."""

    def delete(self, machine: str) -> None:
        """Take the machine away and wait until it is gone. No-op when it is gone already."""

    def console(self, machine: str) -> str:
        """The last lines that the machine itself printed; empty when there are none."""

    def find_all(self) -> Sequence[Found]:
        """Every machine of this storage that is there, of whatever job; no other storage's."""
