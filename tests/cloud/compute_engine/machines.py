"""Machines that really work: each a thread that boots a system and sees to its end."""

import itertools
import math
import threading
import time
from collections.abc import Callable

from tests.cloud.compute_engine.hosts import Host
from tests.cloud.compute_engine.metadata import Metadata
from tests.cloud.compute_engine.operations import Operation, Operations
from tests.cloud.compute_engine.outcomes import Fate, Outcome
from tests.cloud.compute_engine.replies import JSON, RefusedError, link, moment
from tests.cloud.compute_engine.world import World

_SYSTEM = "system@google.com"
_POLL_SECONDS = 0.02
_CONSOLE_BYTES = 1024 * 1024
# Why a machine ends.
DELETE, ITSELF, LIMIT, PREEMPT, VANISH, STOP = (
    "deleted",
    "by itself",
    "limit of its run time",
    "preempted",
    "vanished",
    "stopped",
)
_SYSTEM_OPERATIONS = {
    LIMIT: "delete",
    PREEMPT: "compute.instances.preempted",
    STOP: "stop",
}
_DOOMS = {Fate.PREEMPTED: PREEMPT, Fate.VANISHED: VANISH, Fate.STOPPED: STOP}
_HARMS = {Fate.REBOOTED, Fate.HUNG, Fate.SCRIPT_KILLED, Fate.OUT_OF_MEMORY}
_ids = itertools.count(10**15)


class Machine:
    """One machine, from its insertion to the moment when nothing is left of it.

    Parameters
    ----------
    path : str
        projects/P/zones/Z/instances/N
    instance : dict
        As it was asked for.
    error : dict
        What the operation says when there is to be no machine.
    remove : callable
        Called with the machine when it is gone.
    """

    def __init__(
        self,
        path: str,
        instance: JSON,
        outcome: Outcome,
        error: JSON,
        world: World,
        operations: Operations,
        remove: Callable[["Machine"], None],
    ) -> None:
        self.path = path
        self.instance = instance
        self.outcome = outcome
        self.id = next(_ids)
        self.status = "PROVISIONING"
        self.ended_by = ""
        self.created = moment()
        items = instance.get("metadata", {}).get("items", [])
        attributes = {each["key"]: each["value"] for each in items}
        self.metadata = Metadata(path, attributes)
        self.host = Host(
            world,
            instance["name"],
            f"http://127.0.0.1:{world.port}/machines/{self.id}",
            world.scratch / str(self.id),
            attributes,
            outcome,
        )
        self._error = error
        self._world = world
        self._operations = operations
        self._remove = remove
        self._failures_left = outcome.failures if outcome.fate is Fate.DELETION_FAILS else 0
        self._wish: tuple[str, Operation | None] = ("", None)
        self._wished = threading.Event()
        self._changing = threading.Lock()

    def start(self, insertion: Operation) -> None:
        threading.Thread(target=self._live, args=(insertion,), daemon=True).start()

    def end(self, reason: str, operation: Operation | None = None) -> bool:
        """Have it end; `operation` is ended with it. False when it is ending already."""
        with self._changing:
            if self._wished.is_set():
                return False
            self._wish = (reason, operation)
            self.metadata.preempted = reason == PREEMPT
            self._wished.set()
            return True

    def delete_itself(self, authorization: str, operation: Operation) -> bool:
        """As `end`, asked for by what runs on it. Raises `RefusedError`."""
        if authorization != f"Bearer {self.metadata.token}":
            raise RefusedError(401, "authError", "Invalid Credentials")
        if self._failures_left:
            self._failures_left -= 1
            if self._failures_left:
                raise RefusedError(503, "backendError", "Service temporarily unavailable.")
            raise RefusedError(400, "resourceNotReady", f"The resource '{self.path}' is not ready")
        return self.end(ITSELF, operation)

    def as_json(self) -> JSON:
        return {
            **self.instance,
            "kind": "compute#instance",
            "id": str(self.id),
            "status": self.status,
            "zone": link(self.path.partition("/instances/")[0]),
            "selfLink": link(self.path),
            "creationTimestamp": self.created,
            "machineType": link(f"{self.path.split('/zones/')[0]}/{self.instance['machineType']}"),
        }

    def read_console(self) -> bytes:
        return self.host.read_console()[-_CONSOLE_BYTES:]

    def _live(self, insertion: Operation) -> None:
        # Its processes end with the thread that starts them (tests/cloud/leash.py): this one.
        if self._error:
            self._fail(insertion, self._error)
        elif self._come_up(insertion):
            self._run()
        else:
            self._operations.end(insertion)
        self._pass_away()
        while self.status == "TERMINATED":
            self._wished.wait()
            self._pass_away()

    def _fail(self, insertion: Operation, error: JSON) -> None:
        self._pause()
        if self.outcome.leaves_machine:
            self._operations.end(insertion, error)
            self._wished.wait()
        else:
            self.end(VANISH)
            self._pass_away()
            self._operations.end(insertion, error)

    def _come_up(self, insertion: Operation) -> bool:
        """Get to RUNNING. False when something else is wished for before."""
        if self._doom and self.outcome.moment == "making":
            self.end(self._doom)
        self._pause()
        self.status = "STAGING"
        if self.outcome.fate is Fate.STUCK:
            self._wished.wait()
        self._pause()
        if self._wished.is_set():
            return False
        self.status = "RUNNING"
        self._operations.end(insertion)
        return True

    def _run(self) -> None:
        """Boot, and be there until the end is wished for."""
        limit = self.instance.get("scheduling", {}).get("maxRunDuration", {}).get("seconds")
        end = time.monotonic() + float(limit) / self._world.hurry if limit else math.inf
        strike: float | None = None
        self.host.boot()
        while not self._wished.is_set():
            now = time.monotonic()
            if strike is None and self._is_moment():
                strike = now + self.outcome.seconds
            if now > end:
                self.end(LIMIT)
            elif strike is not None and now > strike:
                self._strike()
                strike = math.inf
            self.host.step()
            self._wished.wait(_POLL_SECONDS)
        self.status = "STOPPING"
        if self._wish[0] == VANISH:
            self.host.cut_power()
        else:
            self.host.shut_down(self._world.grace_seconds)

    def _is_moment(self) -> bool:
        """Whether it is time for what is to become of it."""
        match self.outcome.moment:
            case "pulling":
                return self.host.is_pulling
            case "working":
                return self.host.is_working
            case moment:
                return moment == "running"

    def _strike(self) -> None:
        if self._doom:
            self.end(self._doom)
        elif self.outcome.fate in _HARMS:
            self.host.suffer(self.outcome.fate)

    def _pass_away(self) -> None:
        """Be gone, or stopped, as was wished for."""
        if self.status == "GONE":
            return
        reason, operation = self._wish
        self.status, self.ended_by = "STOPPING", reason
        if reason in _SYSTEM_OPERATIONS:
            operation = Operation(_SYSTEM_OPERATIONS[reason], self.path, self.id, user=_SYSTEM)
            self._operations.begin(operation)
        if self.outcome.fate is Fate.SLOW_DELETION:
            time.sleep(self.outcome.seconds)
        if reason == STOP or (reason == PREEMPT and self._termination == "STOP"):
            self._wished.clear()
            self.status = "TERMINATED"
        else:
            self.status = "GONE"
            self._remove(self)
            self.host.remove()
        if operation:
            self._operations.end(operation)

    @property
    def _termination(self) -> str:
        return self.instance.get("scheduling", {}).get("instanceTerminationAction", "STOP")

    @property
    def _doom(self) -> str:
        """How it ends too early; nothing when it is not to."""
        return _DOOMS.get(self.outcome.fate, "")

    def _pause(self) -> None:
        time.sleep(self._world.pace_seconds)
