"""Servers as processes of ours: on free ports of 127.0.0.1, ended with us, however we end."""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
LEASH = Path(__file__).with_name("leash.py")
_PATIENCE_SECONDS = 30.0


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at. Held open together, so that they differ."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@dataclass
class Process:
    """A server that was started, and the file in which all that it prints ends up."""

    name: str
    running: subprocess.Popen[bytes]
    printed: IO[bytes]

    @classmethod
    def start(
        cls, name: str, command: Sequence[str], environment: Mapping[str, str], printed: IO[bytes]
    ) -> "Process":
        """Start it from a thread that stays: the kernel ends it with the thread, see prctl(2)."""
        leash = [sys.executable, "-S", "-E", str(LEASH), str(os.getpid()), *command]
        running = subprocess.Popen(
            leash,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        return cls(name, running, printed)

    def wait_for(self, port: int, path: str) -> None:
        """Until the server answers at `path`; raises `RuntimeError` with what it printed."""
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not answers(port, path):
            if self.running.poll() is not None:
                raise RuntimeError(f"{self.name} ended at its start:\n{self.read()}")
            if time.monotonic() > patience:
                raise RuntimeError(f"{self.name} does not answer:\n{self.read()}")
            time.sleep(0.02)

    def read(self) -> str:
        self.printed.seek(0)
        return self.printed.read().decode(errors="replace")

    def stop(self) -> None:
        self.running.kill()
        self.running.wait()
        self.printed.close()


def answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
