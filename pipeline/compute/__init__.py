"""Machines that carry out jobs: the interface, and the side that a name chooses."""

from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Protocol

from pipeline.errors import SettingsError
from pipeline.layout import Job


class State(Enum):
    """What a machine is doing. UNKNOWN: nobody can tell now, which is no evidence of anything."""

    MAKING = auto()
    RUNNING = auto()
    STOPPING = auto()
    GONE = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Look:
    """What was seen of a machine, and whether it was taken away for somebody else's sake."""

    state: State
    preempted: bool = False


class Compute(Protocol):
    """Machines, each named by a string that is kept in the job's request.

    Every method raises `ComputeError` when the machine can't be dealt with.
    """

    name: str
    poll_seconds: float

    def machine(self, job: Job) -> str:
        """The name of the machine that is to carry out `job`, made or not."""

    def launch(self, machine: str, job: Job) -> None:
        """Start the machine. Asked twice, or by two at once, it is started once."""

    def look(self, machine: str) -> Look:
        """What the machine is doing now."""

    def delete(self, machine: str) -> None:
        """Take the machine away and wait until it is gone. No-op when it is gone already."""

    def console(self, machine: str) -> str:
        """The last lines that the machine itself printed; empty when there are none."""


def open(name: str, work: Path, prediction: Path) -> Compute:  # noqa: A001 - as in the other ports
    """The compute called `name`. `work` is a folder for scratch files, `prediction` the model's."""
    if name == "local":
        from pipeline.compute.local import LocalCompute

        return LocalCompute(work, prediction)
    raise SettingsError(f"There is no compute {name!r}. Set `compute` under [pipeline] to local.")
