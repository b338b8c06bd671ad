"""A luigid of a test's own, that can be killed and started again at the same address."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import wait_until

COMMAND = (sys.executable, "-c", "from luigi.cmdline import luigid; luigid()")


@dataclass
class Luigid:
    """luigid, with `folder`'s luigi.cfg, on a port of this machine that was free."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> str:
        """What [core] says so that commands go to it, and don't wait long when it is away."""
        address = f"default_scheduler_url = http://127.0.0.1:{self.port}"
        return f"{address}\nrpc_retry_attempts = 60\nrpc_retry_wait = 1"

    def start(self) -> None:
        options = ["--address", "127.0.0.1", "--port", str(self.port)]
        options += ["--state-path", str(self.folder / "luigid.pickle")]
        with (self.folder / "luigid.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, *options], cwd=self.folder, stdout=log, stderr=log
            )
        wait_until(self.answers)

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """With -9: it writes nothing down."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@contextmanager
def luigid_of(folder: Path) -> Iterator[Luigid]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    luigid = Luigid(folder, port)
    luigid.start()
    try:
        yield luigid
    finally:
        luigid.kill()
