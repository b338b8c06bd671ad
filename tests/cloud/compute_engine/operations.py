"""Operations: what was asked for, and how far it is."""

import itertools
import threading
import time
from dataclasses import dataclass, field

from tests.cloud.compute_engine.replies import JSON, link, moment

_numbers = itertools.count(1)


@dataclass
class Operation:
    """One operation on one machine. `said` is what it says of its failure."""

    kind: str
    machine: str
    target_id: int
    request_id: str | None = None
    user: str = "somebody@example.com"
    number: int = field(default_factory=lambda: next(_numbers))
    begun: str = field(default_factory=moment)
    said: JSON = field(default_factory=dict)
    ended: str | None = None

    @property
    def name(self) -> str:
        return f"operation-{self.number}"

    @property
    def zone(self) -> str:
        """projects/P/zones/Z"""
        return self.machine.partition("/instances/")[0]

    def as_json(self) -> JSON:
        told: JSON = {
            "kind": "compute#operation",
            "id": str(10**15 + self.number),
            "name": self.name,
            "zone": link(self.zone),
            "operationType": self.kind,
            "targetLink": link(self.machine),
            "targetId": str(self.target_id),
            "user": self.user,
            "insertTime": self.begun,
            "startTime": self.begun,
            "status": "DONE" if self.ended else "RUNNING",
            "progress": 100 if self.ended else 0,
            "selfLink": link(f"{self.zone}/operations/{self.name}"),
        }
        if self.request_id:
            told["clientOperationId"] = self.request_id
        if self.ended:
            told |= {"endTime": self.ended, **self.said}
        return told


class Operations:
    """All operations there ever were."""

    def __init__(self) -> None:
        self._all: list[Operation] = []
        self._change = threading.Condition()

    def begin(self, operation: Operation) -> Operation:
        with self._change:
            self._all.append(operation)
        return operation

    def end(self, operation: Operation, said: JSON | None = None) -> None:
        with self._change:
            operation.said, operation.ended = said or {}, moment()
            self._change.notify_all()

    def of_zone(self, zone: str) -> list[Operation]:
        with self._change:
            return [each for each in self._all if each.zone == zone]

    def find(self, zone: str, name: str) -> Operation | None:
        return next((each for each in self.of_zone(zone) if each.name == name), None)

    def of_request(self, zone: str, request_id: str | None) -> Operation | None:
        if request_id is None:
            return None
        found = (each for each in self.of_zone(zone) if each.request_id == request_id)
        return next(found, None)

    def wait(self, operation: Operation, seconds: float) -> None:
        """Until it has ended, or for so long."""
        end = time.monotonic() + seconds
        with self._change:
            while not operation.ended and time.monotonic() < end:
                self._change.wait(max(0.0, end - time.monotonic()))
