"""Machines that really work: each a thread that starts the container's program, and its end."""

import contextlib
import itertools
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cloud.compute_engine.operations import Operation, Operations
from tests.cloud.compute_engine.outcomes import Fate, Outcome
from tests.cloud.compute_engine.replies import JSON, link, moment
from tests.cloud.processes import LEASH, ROOT

PREDICTION = ROOT / "prediction"
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
    ITSELF: "delete",
    LIMIT: "delete",
    PREEMPT: "compute.instances.preempted",
    STOP: "stop",
}
_ids = itertools.count(10**15)


@dataclass
class World:
    """What machines are made in. The tests change it as they go.

    Attributes
    ----------
    scratch : Path
        Folder for the machines' files.
    prediction : Path
        The model package that is in every image.
    environment : mapping of str to str
        Variables for what runs on a machine, beside the server's own.
    pace_seconds : float
        How long each step takes on the way to a running machine.
    grace_seconds : float
        How long a machine's processes have to end by themselves.
    hurry : float
        How many times as fast the limit of a machine's run time comes.
    """

    scratch: Path
    prediction: Path = PREDICTION
    environment: Mapping[str, str] = field(default_factory=dict)
    pace_seconds: float = 0.02
    grace_seconds: float = 0.5
    hurry: float = 1.0


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
        self._error = error
        self._world = world
        self._folder = world.scratch / path.replace("/", "-")
        self._operations = operations
        self._remove = remove
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
            self._wished.set()
            return True

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
        try:
            return (self._folder / "console.txt").read_bytes()[-_CONSOLE_BYTES:]
        except FileNotFoundError:
            return b""

    def attribute(self, key: str) -> str:
        """What the metadata server answers to /computeMetadata/v1/instance/attributes/KEY."""
        items = self.instance.get("metadata", {}).get("items", [])
        return next((each["value"] for each in items if each["key"] == key), "")

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
        if self._doom and not self.outcome.running:
            self.end(self._doom)
        self._pause()
        self.status = "STAGING"
        if self._is_fated(Fate.STUCK):
            self._wished.wait()
        self._pause()
        if self._wished.is_set():
            return False
        self.status = "RUNNING"
        self._operations.end(insertion)
        return True

    def _run(self) -> None:
        """Do as a boot script would: run the job, and then delete the machine."""
        limit = self.instance.get("scheduling", {}).get("maxRunDuration", {}).get("seconds")
        end = time.monotonic() + float(limit) / self._world.hurry if limit else math.inf
        doomed = time.monotonic() + self.outcome.seconds if self._doom else math.inf
        process = self._start_process()
        while process.poll() is None and not self._wished.is_set():
            if time.monotonic() > end:
                self.end(LIMIT)
            elif time.monotonic() > doomed:
                self.end(self._doom)
            self._wished.wait(_POLL_SECONDS)
        self.end(ITSELF)
        self.status = "STOPPING"
        self._end_process(process)

    def _start_process(self) -> "subprocess.Popen[bytes]":
        self._folder.mkdir(parents=True, exist_ok=True)
        leash = [sys.executable, "-S", "-E", str(LEASH), str(os.getpid())]
        program = [sys.executable, "-m", "container.run", self.attribute("job-folder")]
        options = ["--prediction", str(self._world.prediction)]
        options += ["--scratch", str(self._folder / "scratch")]
        with (self._folder / "console.txt").open("ab") as console:
            return subprocess.Popen(
                [*leash, *program, *options],
                cwd=ROOT,
                env={**os.environ, **self._world.environment},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def _end_process(self, process: "subprocess.Popen[bytes]") -> None:
        """Tell its processes to end, unless it is taken away, and then kill them."""
        if self._wish[0] not in (PREEMPT, VANISH):
            _signal(process, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(self._world.grace_seconds)
        _signal(process, signal.SIGKILL)
        process.wait()

    def _pass_away(self) -> None:
        """Be gone, or stopped, as was wished for."""
        if self.status == "GONE":
            return
        reason, operation = self._wish
        self.status, self.ended_by = "STOPPING", reason
        if reason in _SYSTEM_OPERATIONS:
            operation = Operation(_SYSTEM_OPERATIONS[reason], self.path, self.id, user=_SYSTEM)
            self._operations.begin(operation)
        if self._is_fated(Fate.SLOW_DELETION):
            time.sleep(self.outcome.seconds)
        if reason == STOP or (reason == PREEMPT and self._termination == "STOP"):
            self._wished.clear()
            self.status = "TERMINATED"
        else:
            self.status = "GONE"
            self._remove(self)
            shutil.rmtree(self._folder, ignore_errors=True)
        if operation:
            self._operations.end(operation)

    @property
    def _termination(self) -> str:
        return self.instance.get("scheduling", {}).get("instanceTerminationAction", "STOP")

    @property
    def _doom(self) -> str:
        """How it ends too early; nothing when it is not to."""
        dooms = {Fate.PREEMPTED: PREEMPT, Fate.VANISHED: VANISH, Fate.STOPPED: STOP}
        return dooms.get(self.outcome.fate, "")

    def _is_fated(self, fate: Fate) -> bool:
        return self.outcome.fate is fate

    def _pause(self) -> None:
        time.sleep(self._world.pace_seconds)


def _signal(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
