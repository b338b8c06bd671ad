"""What is to become of machines: rules that a test writes down, each for so many insertions."""

import re
import threading
from dataclasses import dataclass, field
from enum import StrEnum


class Fate(StrEnum):
    """What an insertion comes to."""

    WORKS = "works"
    # refused at once
    DENIED = "denied"
    DISABLED = "API disabled"
    NO_ACCOUNT = "no access to the service account"
    NO_IMAGE = "no image"
    NO_SUBNETWORK = "no subnetwork"
    RATE_LIMIT = "rate limit"
    UNAVAILABLE = "unavailable"
    QUOTA_AT_ONCE = "quota at once"
    # refused by the operation
    STOCK_OUT = "stock-out"
    STOCK_OUT_WITH_DETAILS = "stock-out with details"
    STOCK_OUT_WITHOUT_STATUS = "stock-out without a status"
    QUOTA = "quota"
    INTERNAL = "internal error"
    RECLAIMED = "reclaimed while it was made"
    # done, and yet
    LOST_REPLY = "lost reply"
    STUCK = "stuck"
    SLOW_DELETION = "slow deletion"
    DELETION_FAILS = "its own deletion fails"
    PULL_FAILS = "pull fails"
    NO_SUCH_IMAGE = "no such image"
    # the machine ends
    PREEMPTED = "preempted"
    VANISHED = "vanished"
    STOPPED = "stopped"
    # what is on it suffers
    REBOOTED = "rebooted"
    HUNG = "hung"
    SCRIPT_KILLED = "boot script killed"
    OUT_OF_MEMORY = "out of memory"


# When a machine ends, or suffers: while it is made, once it runs, while it pulls the image, once
# its container runs.
MOMENTS = ("making", "running", "pulling", "working")


@dataclass
class Outcome:
    """A rule.

    Attributes
    ----------
    zone, name : str
        Regular expressions for the whole of a zone's and a machine's name.
    times : int
        For how many insertions it holds.
    moment : str
        When a machine ends too early or suffers: one of `MOMENTS`.
    seconds : float
        How long after that, or how long a slow deletion takes.
    failures : int
        How often its own deletion fails: with 503, and the last time with 400, "not ready".
    leaves_machine : bool
        Whether something is left of a machine that the operation refused.
    """

    fate: Fate = Fate.WORKS
    zone: str = ".*"
    name: str = ".*"
    times: int = 1
    moment: str = "making"
    seconds: float = 0.0
    failures: int = 3
    leaves_machine: bool = False

    def __post_init__(self) -> None:
        self.fate = Fate(self.fate)
        if self.moment not in MOMENTS:
            raise ValueError(f"{self.moment} is none of {MOMENTS}")


@dataclass
class Outcomes:
    """The rules in force, the first that fits comes true."""

    rules: list[Outcome] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, rule: Outcome) -> None:
        with self._lock:
            self.rules.append(rule)

    def clear(self) -> None:
        with self._lock:
            self.rules.clear()

    def take(self, zone: str, name: str) -> Outcome:
        with self._lock:
            for rule in self.rules:
                fits = re.fullmatch(rule.zone, zone) and re.fullmatch(rule.name, name)
                if rule.times and fits:
                    rule.times -= 1
                    return rule
        return Outcome()
