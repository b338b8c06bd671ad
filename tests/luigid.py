"""luigid, Luigi's own server, on a port of this machine."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import requests

from tests.cloud.processes import free_ports
from tests.conftest import Project
from tests.waiting import wait_until

# How a project finds it: without luigi's 3 x 30 seconds of patience, it would be no fun to wait.
_SETTINGS = """
[core]
default_scheduler_host = 127.0.0.1
default_scheduler_port = {port}
rpc_retry_attempts = 60
rpc_retry_wait = 1
"""


@dataclass
class Luigid:
    """A server whose state and settings lie in `folder`; it begins where it was stopped."""

    folder: Path
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def page(self) -> str:
        return f"{self.address}/static/visualiser/index.html"

    def start(self) -> None:
        state = ["--state-path", str(self.folder / "state.pickle")]
        where = ["--address", "127.0.0.1", "--port", str(self.port)]
        program = Path(sys.executable).with_name("luigid")
        with (self.folder / "luigid.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, *where, *state], stdout=log, stderr=log, cwd=self.folder
            )
        wait_until(self.answers)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.address}/api/task_list", timeout=5).ok
        except requests.ConnectionError:
            return False

    def kill(self) -> None:
        """As kill -9 does it: no state is written."""
        assert self.process
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def serve(self, project: Project) -> None:
        """Have the commands of `project` go by this server."""
        text = (project.folder / "luigi.cfg").read_text()
        settings = _SETTINGS.format(port=self.port)
        text = text.replace("\n[core]\n", settings).replace("local_scheduler = true\n", "")
        (project.folder / "luigi.cfg").write_text(text)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
