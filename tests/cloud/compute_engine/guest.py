"""The system on a machine: it does what cloud-init is told, as systemd would do it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cloud.compute_engine.units import Unit
from tests.cloud.processes import LEASH

_POLL_SECONDS = 0.01
_BIN = Path(__file__).with_name("docker.py")


class Guest:
    """One system, with one service. Its calls must come from one thread, and that must stay.

    The service's processes are a group of their own; the containers are the engine's, not its.

    Parameters
    ----------
    unit : Unit
    folder : Path
        For what the machine prints, and its programs.
    variables : mapping of str to str
        The environment of the service, beside what the unit says.
    """

    def __init__(self, unit: Unit, folder: Path, variables: Mapping[str, str]) -> None:
        self._unit = unit
        self._folder = folder
        self._variables = {**variables, **unit.environment}
        self._main: subprocess.Popen[bytes] | None = None
        self._is_cleaned = True
        self._is_frozen = False

    def boot(self) -> None:
        """Start the service."""
        self._is_cleaned = False
        for command in self._unit.before:
            if self._start(command).wait() != 0:
                return
        self._main = self._start(self._unit.main)

    def step(self) -> None:
        """If the service has ended by itself: do what comes after."""
        if self._is_frozen:
            return
        if self._main is None or self._main.poll() is not None:
            self._clean(time.monotonic() + self._unit.stop_seconds)

    def shut_down(self, seconds: float) -> None:
        """As systemd does: ask the first process, then kill the others, then what comes after.

        The power goes after so many seconds.
        """
        end = time.monotonic() + seconds
        if self._main and self._main.poll() is None:
            self._main.terminate()
            self._wait(self._main, min(end, time.monotonic() + self._unit.stop_seconds))
        if not self._is_frozen:
            self._clean(end)
        self.cut_power()

    def cut_power(self) -> None:
        self._signal(signal.SIGKILL)
        self._main, self._is_cleaned = None, True

    def kill_service(self) -> None:
        """As somebody might with `kill -9`: its first process only."""
        if self._main:
            self._main.kill()

    def freeze(self) -> None:
        self._is_frozen = True
        self._signal(signal.SIGSTOP)

    def _clean(self, end: float) -> None:
        if self._is_cleaned:
            return
        self._is_cleaned = True
        self._signal(signal.SIGKILL)
        for command in self._unit.after:
            self._main = self._start(command)
            self._wait(self._main, end)
            self._signal(signal.SIGKILL)

    def _start(self, command: Sequence[str]) -> "subprocess.Popen[bytes]":
        leash = [sys.executable, "-S", "-E", str(LEASH), str(os.getpid())]
        with (self._folder / "console.txt").open("ab") as console:
            return subprocess.Popen(
                [*leash, *command],
                cwd=self._folder,
                env={**self._variables},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def _wait(self, process: "subprocess.Popen[bytes]", end: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))

    def _signal(self, number: signal.Signals) -> None:
        """To all processes of the service, those whose parents have ended included."""
        if self._main:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._main.pid, number)
            if number is signal.SIGKILL:
                self._main.wait()


def install(folder: Path, program: Sequence[str]) -> Path:
    """A folder of programs for a machine: `docker`, as given, and what logs it into registries.

    The latter writes its arguments into the file that LOGINS names.
    """
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    words = " ".join(f"'{word}'" for word in program)
    for name, line in (
        ("docker", f'exec {words} "$@"'),
        ("docker-credential-gcr", 'echo "$*" >>"$LOGINS"'),
    ):
        path = programs / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    return programs
