"""What is inside a machine: its system, its container engine, and what may happen to both."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tests.cloud.compute_engine import docker, shared_docker
from tests.cloud.compute_engine.containers import Containers
from tests.cloud.compute_engine.guest import Guest, install
from tests.cloud.compute_engine.outcomes import Fate, Outcome
from tests.cloud.compute_engine.replies import JSON
from tests.cloud.compute_engine.units import read_unit
from tests.cloud.compute_engine.world import World

# What a machine knows by name, and what it is called on this one.
_METADATA = "http://metadata.google.internal"
_FOLDER = "/var/lib/job"


class Engine(Protocol):
    """The container engine of a machine."""

    @property
    def running(self) -> bool: ...
    def kill_all(self, number: signal.Signals = signal.SIGKILL) -> None: ...
    def run_out_of_memory(self) -> None: ...
    def remove(self) -> None: ...


class SharedEngine:
    """A real engine's one container of a machine, by its name there."""

    def __init__(self, program: str, name: str) -> None:
        self._program, self._name = program, name

    @property
    def running(self) -> bool:
        return self._ask("inspect", "-f", "{{.State.Running}}", self._name).strip() == "true"

    def kill_all(self, number: signal.Signals = signal.SIGKILL) -> None:
        self._ask("kill", f"--signal={number.name}", self._name)

    def remove(self) -> None:
        self._ask("rm", "--force", "--volumes", self._name)

    def run_out_of_memory(self) -> None:
        raise NotImplementedError("give the machine little memory, and the model a lot to do")

    def _ask(self, *words: str) -> str:
        command = [self._program, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout


class Host:
    """The inside of one machine. `boot`, `step` and `shut_down` are called by one thread.

    Parameters
    ----------
    world : World
    name : str
    address : str
        Where the machine's metadata server, engine and API are.
    folder : Path
        The machine's disk.
    attributes : mapping of str to str
        Its metadata.
    outcome : Outcome
        What the registry answers, for one.
    """

    def __init__(
        self,
        world: World,
        name: str,
        address: str,
        folder: Path,
        attributes: Mapping[str, str],
        outcome: Outcome,
    ) -> None:
        self._folder = folder
        self._outcome = outcome
        self._pulling = threading.Event()
        self._pulled = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._containers = Containers(
            folder, world.prediction, world.environment, self._answer_pull
        )
        self._engine: Engine = self._containers
        program = [sys.executable, "-S", "-E", docker.__file__]
        if world.docker:
            self._engine = SharedEngine(world.docker, name)
            program = [sys.executable, "-S", "-E", shared_docker.__file__, world.docker, name]
            seen = {"STORAGE_EMULATOR_HOST": world.storage, **world.environment}
            program.append(json.dumps(seen))
        programs = install(folder, program)
        variables = _variables(world, address, folder, programs)
        self._guest = _guest(attributes.get("user-data", ""), address, folder, variables)

    def boot(self) -> None:
        if self._guest:
            self._guest.boot()

    def step(self) -> None:
        if self._guest:
            self._guest.step()

    def shut_down(self, seconds: float) -> None:
        """In order, as far as the time is long enough; then the power goes."""
        if self._guest:
            self._guest.shut_down(seconds)
        self.cut_power()

    def cut_power(self) -> None:
        self._pulled.set()
        if self._guest:
            self._guest.cut_power()
        self._engine.kill_all()

    def remove(self) -> None:
        self._engine.remove()
        shutil.rmtree(self._folder, ignore_errors=True)

    def suffer(self, fate: Fate) -> None:
        """What does not end the machine, and yet the job."""
        if fate is Fate.REBOOTED:
            self.cut_power()
            self.boot()
        elif fate is Fate.HUNG and self._guest:
            self._guest.freeze()
            self._engine.kill_all(signal.SIGSTOP)
        elif fate is Fate.SCRIPT_KILLED and self._guest:
            self._guest.kill_service()
        elif fate is Fate.OUT_OF_MEMORY:
            self._engine.run_out_of_memory()

    def read_console(self) -> bytes:
        try:
            return (self._folder / "console.txt").read_bytes()
        except FileNotFoundError:
            return b""

    def answer_docker(self, verb: str, given: JSON) -> object:
        """What the engine answers to `docker`. Raises `EngineError`."""
        said = getattr(self._containers, verb)(**given)
        if isinstance(said, bytes):
            return said.decode(errors="replace")
        return str(said) if isinstance(said, Path) else said

    @property
    def is_pulling(self) -> bool:
        return self._pulling.is_set()

    @property
    def is_working(self) -> bool:
        """Whether a container runs."""
        return self._engine.running

    def _answer_pull(self, image: str) -> str:
        self._pulling.set()
        if self._outcome.moment == "pulling":
            # As a large image takes its time.
            self._pulled.wait()
        if self._outcome.fate is Fate.PULL_FAILS:
            return f'Get "https://{image.partition("/")[0]}/v2/": net/http: TLS handshake timeout'
        if self._outcome.fate is Fate.NO_SUCH_IMAGE:
            return f"manifest for {image} not found: manifest unknown: Failed to fetch it"
        return ""


def _guest(
    user_data: str, address: str, folder: Path, variables: Mapping[str, str]
) -> Guest | None:
    text = user_data.replace(_METADATA, address).replace(_FOLDER, str(folder))
    unit = read_unit(text)
    return Guest(unit, folder, variables) if unit else None


def _variables(world: World, address: str, folder: Path, programs: Path) -> dict[str, str]:
    memory = folder / "meminfo"
    memory.write_text(f"MemTotal:       {world.memory_kib} kB\n")
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "METADATA": f"{address}/computeMetadata/v1",
        "COMPUTE": address,
        "STORAGE": world.storage,
        "FOLDER": str(folder),
        "MEMORY_FILE": str(memory),
        "PULL_PAUSE_SECONDS": str(world.pause_seconds),
        "DELETE_PAUSE_SECONDS": str(world.pause_seconds),
        "DOCKER_ENGINE": f"{address}/docker",
        "LOGINS": world.logins,
    }
    if "DOCKER_HOST" in os.environ:
        variables["DOCKER_HOST"] = os.environ["DOCKER_HOST"]
    return variables
