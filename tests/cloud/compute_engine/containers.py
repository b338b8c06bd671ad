"""The container engine of one machine: its containers are processes of container.run.

It knows what the boot script asks for and refuses the rest. `docker` beside it is its client.
Real containers would need a real engine (see `World.docker`).
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cloud.processes import LEASH, ROOT

KILLED = 128 + signal.SIGKILL


class EngineError(Exception):
    """What the engine says when it can't do what it was asked."""


@dataclass
class Container:
    """One container: created, running or exited.

    `out_of_memory` is what the engine says of it when it has ended.
    """

    image: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    work: str
    printed: Path
    out_of_memory: bool = False
    process: "subprocess.Popen[bytes] | None" = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def status(self) -> str:
        if self.process is None:
            return "created"
        return "exited" if self.ended.is_set() else "running"

    @property
    def exit_code(self) -> int:
        if self.process is None or self.process.returncode is None:
            return 0
        code = self.process.returncode
        return 128 - code if code < 0 else code


class Containers:
    """The engine, with the containers by name.

    Parameters
    ----------
    folder : Path
        Where their output is kept.
    prediction : Path
        The model package that is in every image.
    environment : mapping of str to str
        Variables for every container, beside its own.
    pull : callable
        Called with an image; returns what the registry answers: nothing when it has the image.
    """

    def __init__(
        self,
        folder: Path,
        prediction: Path,
        environment: Mapping[str, str],
        pull: Callable[[str], str],
    ) -> None:
        self._folder = folder
        self._prediction = prediction
        self._environment = environment
        self._ask_registry = pull
        self._images: set[str] = set()
        self._containers: dict[str, Container] = {}

    def pull(self, image: str) -> str:
        said = self._ask_registry(image)
        if said:
            raise EngineError(f"Error response from daemon: {said}")
        self._images.add(image)
        return image

    def create(
        self,
        name: str,
        image: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        work: str,
    ) -> str:
        if image not in self._images:
            raise EngineError(f"Unable to find image '{image}' locally")
        if name in self._containers:
            raise EngineError(f'Conflict. The container name "/{name}" is already in use')
        printed = self._folder / f"{name}.txt"
        printed.touch()
        self._containers[name] = Container(image, arguments, environment, work, printed)
        return name

    def start(self, name: str) -> Path:
        """Start a container; where what it prints is written."""
        container = self._find(name)
        if container.process is None:
            begun = threading.Event()
            # The kernel ends the process with the thread that started it: one that stays.
            threading.Thread(target=self._carry, args=(container, begun), daemon=True).start()
            begun.wait()
        return container.printed

    def wait(self, name: str, seconds: float | None = None) -> int | None:
        """The exit status; None when it has not ended within `seconds`."""
        container = self._find(name)
        if container.process and not container.ended.wait(seconds):
            return None
        return container.exit_code

    def stop(self, name: str, seconds: float) -> None:
        container = self._find(name)
        if container.status == "running":
            _signal(container, signal.SIGTERM)
            if not container.ended.wait(seconds):
                _signal(container, signal.SIGKILL)
                container.ended.wait()

    def inspect(self, name: str) -> dict[str, object]:
        container = self._find(name)
        return {
            "Status": container.status,
            "ExitCode": container.exit_code,
            "OOMKilled": container.out_of_memory and container.status == "exited",
        }

    def logs(self, name: str) -> bytes:
        return self._find(name).printed.read_bytes()

    def kill_all(self, number: signal.Signals = signal.SIGKILL) -> None:
        for container in self._containers.values():
            _signal(container, number)
            if number is signal.SIGKILL and container.process:
                container.ended.wait()

    def run_out_of_memory(self) -> None:
        """Let the kernel kill what runs, for want of memory."""
        for container in self._containers.values():
            container.out_of_memory = container.status == "running"
        self.kill_all()

    def remove(self) -> None:
        """End all containers."""
        self.kill_all()

    @property
    def running(self) -> bool:
        return any(each.status == "running" for each in self._containers.values())

    def _find(self, name: str) -> Container:
        if name not in self._containers:
            raise EngineError(f"Error: No such container: {name}")
        return self._containers[name]

    def _carry(self, container: Container, begun: threading.Event) -> None:
        leash = [sys.executable, "-S", "-E", str(LEASH), str(os.getpid())]
        program = [sys.executable, "-m", "container.run", *container.arguments]
        options = ["--prediction", str(self._prediction), "--print-log"]
        options += ["--scratch", f"{container.work}/job"]
        with container.printed.open("ab") as printed:
            container.process = subprocess.Popen(
                [*leash, *program, *options],
                cwd=ROOT,
                env={**os.environ, **container.environment, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                start_new_session=True,
            )
        begun.set()
        container.process.wait()
        container.ended.set()


def _signal(container: Container, number: signal.Signals) -> None:
    """To the container's first process; to all that are in it when they are to be killed."""
    if container.process is None or container.ended.is_set():
        return
    with contextlib.suppress(ProcessLookupError):
        if number is signal.SIGTERM:
            os.kill(container.process.pid, number)
        else:
            os.killpg(container.process.pid, number)
