"""The scheduler's image and container, as scheduler/cloud-init.yaml runs it, for a toy project."""

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.conftest import Project
from tests.image.engine import ROOT, Engine

# Who the image's commands are.
USER = 10001


def run_options() -> list[str]:
    """The options that a machine gives to `docker create`, without name, files and log's size."""
    plan = yaml.safe_load((ROOT / "scheduler" / "cloud-init.yaml").read_text())
    [script] = [f["content"] for f in plan["write_files"] if f["path"].endswith(".sh")]
    words = re.sub(r"\\\n", " ", script).rpartition("docker create ")[2].split("\n")[0].split()
    left_out = {"--name", "--env-file", "--volume", "--log-opt"}
    options: list[str] = []
    for word, before in zip(words[:-1], ["", *words], strict=False):
        if word not in left_out and before not in left_out:
            options.append(word)
    return options


@dataclass
class Scheduler:
    """A container of the scheduler's image, whose project is `project`."""

    engine: Engine
    project: Project
    crontab: str
    name: str = field(default_factory=lambda: f"orchestration-test-{secrets.token_hex(6)}")
    port: int = 0

    @property
    def state(self) -> Path:
        return self.project.folder / "state"

    def start(self, image: str) -> None:
        """With a crontab of its own, and luigid on a port that was free."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        folder = self.project.folder
        self._write_files()
        container = self.engine.do("create", image)
        self.engine.do("cp", folder / "crontab", f"{container}:/etc/cron.d/pipeline")
        self.engine.do("cp", folder / "scheduler.cfg", f"{container}:/srv/scheduler/luigi.cfg")
        self.engine.do("commit", container, f"{self.name}:1")
        self.engine.do("rm", container)
        mounts = [f"--volume={self.state}:/var/lib/scheduler", f"--volume={folder}/var:/srv/var"]
        names = ("luigi.cfg", "prediction", "visits.csv")
        mounts += [f"--volume={folder / name}:/srv/{name}:ro" for name in names]
        port = f"--env=LUIGID_PORT={self.port}"
        words = ("run", "--detach", f"--name={self.name}", *run_options(), *mounts, port)
        self.engine.do(*words, f"{self.name}:1")

    def _write_files(self) -> None:
        folder = self.project.folder
        for path in (self.state, folder / "var"):
            path.mkdir()
            os.chown(path, USER, USER)
        (folder / "crontab").write_text(self.crontab)
        settings = (ROOT / "scheduler" / "luigi.cfg").read_text()
        settings = settings.replace("127.0.0.1\n", f"127.0.0.1\nscheduler_port = {self.port}\n")
        (folder / "scheduler.cfg").write_text(settings)

    @property
    def printed(self) -> str:
        ended = self.engine.try_to("logs", self.name)
        return ended.stdout + ended.stderr

    def ask(self, *words: str) -> str:
        """What a command prints that is run in the container."""
        return self.engine.do("exec", f"--user={USER}", self.name, *words)

    def pid(self, program: str) -> int | None:
        """The process in the container whose command line has `program`."""
        script = 'for p in /proc/[0-9]*; do echo "${p#/proc/} $(tr "\\0" " " <$p/cmdline)"; done'
        for line in self.ask("bash", "-c", f"{script} 2>/dev/null").splitlines():
            if program in line and "for p in" not in line:
                return int(line.split()[0])
        return None

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self.engine.do("stop", "--time=30", self.name)


@contextmanager
def scheduler_of(engine: Engine, project: Project, crontab: str) -> Iterator[Scheduler]:
    """One for `project`, yet to be started; it goes at the end."""
    scheduler = Scheduler(engine, project, crontab)
    try:
        yield scheduler
    finally:
        engine.try_to("rm", "--force", scheduler.name)
        engine.try_to("image", "rm", "--force", f"{scheduler.name}:1")


def every_minute(crontab: str) -> str:
    """The crontab with each of its commands begun every minute."""
    return re.sub(r"^\d\S* \S+ \S+ \S+ \S+ ", "* * * * * ", crontab, flags=re.MULTILINE)


def never(crontab: str) -> str:
    """The crontab with commands that are begun on the 30th of February."""
    return re.sub(r"^\d\S* \S+ \S+ \S+ \S+ ", "0 0 30 2 * ", crontab, flags=re.MULTILINE)
