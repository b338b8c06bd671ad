"""Faults: what may happen to a request on its way, and the rules that say to which."""

import random
import re
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

# A chunk of a resumable upload that is sent again is stored twice by fake-gcs-server 1.54.0,
# where Cloud Storage knows what it has: cloud.google.com/storage/docs/performing-resumable-uploads
_CHUNK = re.compile(r"[?&]upload_id=")


@dataclass(frozen=True)
class Fault:
    """What happens to one request; with `after`, once the server has done its work.

    Attributes
    ----------
    status : int, optional
        Answered in the server's place, with `reason` and `message` if they are given.
    reset : bool
        The connection is reset.
    spoil : bool
        The last byte of the content is another one: on the way there, or back with `after`.
    delay_seconds : float
        Pause before all else.
    hold : bool
        The request stands still until the rules are cleared; then its connection is reset.
    """

    status: int | None = None
    reason: str = ""
    message: str = ""
    reset: bool = False
    spoil: bool = False
    delay_seconds: float = 0.0
    hold: bool = False
    after: bool = False


@dataclass
class Rule:
    """Which requests suffer one of `faults`.

    Of the requests to services that are called `service` (a regex; all when empty) whose
    "METHOD /path?query" `match` finds, these: the `nth` (counted from 1; all when empty), each
    `every`-th, with `probability` by dice of `seed`, and `times` of them at most.
    """

    match: str
    faults: Sequence[Fault]
    service: str = ""
    nth: Sequence[int] = ()
    every: int = 1
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    seen: int = 0
    hits: int = 0
    dice: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    def pick(self, service: str, line: str) -> Fault | None:
        if self.service and not re.fullmatch(self.service, service):
            return None
        if not re.search(self.match, line):
            return None
        self.seen += 1
        # Drawn for every request, so that one request's fate does not move the next one's.
        drawn, fault = self.dice.random(), self.dice.choice(self.faults)
        if (self.nth and self.seen not in self.nth) or self.seen % self.every:
            return None
        if drawn >= self.probability or self.hits == self.times:
            return None
        if self.probability < 1 and fault.after and _CHUNK.search(line):
            return None
        self.hits += 1
        return fault

    def as_json(self) -> dict[str, Any]:
        told = {name: value for name, value in vars(self).items() if name not in ("dice", "faults")}
        return {**told, "faults": [asdict(fault) for fault in self.faults]}


class Rules:
    """The rules in force, and the door at which held requests stand."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._opened = threading.Event()

    def add(self, **rule: Any) -> None:
        faults = [Fault(**fault) for fault in rule.pop("faults")]
        with self._lock:
            self._rules.append(Rule(faults=faults, **rule))

    def clear(self) -> None:
        """Forget all rules, and let go what is held."""
        with self._lock:
            self._rules.clear()
            self._opened.set()
            self._opened = threading.Event()

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [rule.as_json() for rule in self._rules]

    def pick(self, service: str, line: str) -> tuple[Fault | None, threading.Event]:
        """The first fault that a rule has for this request, and the door to wait at."""
        with self._lock:
            found = [rule.pick(service, line) for rule in self._rules]
            return next(filter(None, found), None), self._opened
