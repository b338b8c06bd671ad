"""A job of one application, ready for a container: its request and inputs in a folder."""

import datetime
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import checksums, claims
from pipeline.layout import Job, Run
from pipeline.records import File, Marker, Request, RunRequest, Source
from tests.image.engine import Engine

DATE = datetime.date(2024, 3, 5)
# Nobody whom the image knows, and not root, even when the tests run as root.
USER = os.getuid() or 4321
# What a job's container gets: no more than the network, and memory to write to.
CONFINED = ("--network=host", "--read-only", "--tmpfs=/work", "--tmpfs=/tmp", "--cap-drop=ALL")


@dataclass
class ContainerJob:
    """A job, the run that it is for, and the container that carries it out."""

    engine: Engine
    folder: Path
    job: Job
    run: Run
    container: str

    def start(self, image: str) -> None:
        options = (*CONFINED, f"--user={USER}:{USER}", f"--volume={self.folder}:{self.folder}")
        self.engine.do(
            "run", "--detach", f"--name={self.container}", *options, image, self.job.folder
        )

    def wait(self) -> int:
        """The exit status, once the container has ended."""
        return int(self.engine.do("wait", self.container))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, self.printed
            time.sleep(0.05)

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after a minute."""
        self.engine.do("stop", "--time=60", self.container)

    @property
    def printed(self) -> str:
        ended = self.engine.try_to("logs", self.container)
        return ended.stdout + ended.stderr

    @property
    def log(self) -> str:
        return Path(self.job.log).read_text()

    @property
    def failure(self) -> dict:
        return json.loads(Path(self.job.failure).read_text())

    @property
    def run_failure(self) -> dict:
        return json.loads(Path(self.run.failure(self.job.name)).read_text())

    @property
    def is_done(self) -> bool:
        return Path(self.run.marker).exists()

    def predictions(self) -> list[dict]:
        files = json.loads(Path(self.run.marker).read_text())["files"]
        tables = [pq.read_table(Path(self.run.folder, each["path"])) for each in files]
        return pa.concat_tables(tables).to_pylist()


@contextmanager
def application(engine: Engine, folder: Path, **mischief: object) -> Iterator[ContainerJob]:
    """An application of a toy model to three customers, in the new folder `folder`.

    `mischief` is what the model does before it begins. The container is removed at the end.
    """
    name = f"toy-application-20240305-{secrets.token_hex(4)}"
    run = Run("application", DATE, str(folder / "application"))
    job = Job(name, str(folder / "jobs" / name))
    inputs = {"data": _data(folder / "data"), "model": _model(folder / "training", mischief)}
    runs = [RunRequest(DATE, run.folder, inputs, {"date": {"type": "date", "value": str(DATE)}})]
    request = Request(name, "application", "docker", name, None, 120, 0.2, runs)
    Path(job.folder).mkdir(parents=True)
    Path(job.request).write_bytes(request.dump())
    claims.claim(run, 1, name)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, -1)
    try:
        yield ContainerJob(engine, folder, job, run, name)
    finally:
        engine.try_to("rm", "--force", name)


def _data(folder: Path) -> Source:
    (folder / "made").mkdir(parents=True)
    pq.write_table(pa.table({"id": [1, 2, 3]}), folder / "made" / "part-0.parquet")
    return _finish(folder, "data/application", "part-0.parquet")


def _model(folder: Path, mischief: object) -> Source:
    (folder / "made").mkdir(parents=True)
    (folder / "made" / "model.joblib").write_text('{"share": 0.25}')
    config = {"key": "id", "mischief": {str(DATE): mischief}}
    (folder / "made" / "application.json").write_text(json.dumps(config))
    return _finish(folder, "training", "model.joblib", "application.json")


def _finish(folder: Path, family: str, *names: str) -> Source:
    """Write the marker of a run that made files of these names in `folder`/made."""
    paths = [folder / "made" / name for name in names]
    files = [File(f"made/{p.name}", p.stat().st_size, checksums.of_file(p)) for p in paths]
    marker = Marker(family, DATE, "made", 3, files, {}, None, "then", "now", {}).dump()
    (folder / "_SUCCESS").write_bytes(marker)
    return Source(str(folder / "_SUCCESS"), checksums.of_bytes(marker))
