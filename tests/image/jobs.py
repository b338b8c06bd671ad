"""A job of one run, ready for a container: its request and inputs in a folder."""

import datetime
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
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
CONSTANTS = {"date": {"type": "date", "value": str(DATE)}}
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

    def start(self, image: str) -> None:
        options = (*CONFINED, f"--user={USER}:{USER}", f"--volume={self.folder}:{self.folder}")
        name = f"--name={self.job.name}"
        self.engine.do("run", "--detach", name, *options, image, self.job.folder)

    def wait(self) -> int:
        """The exit status, once the container has ended."""
        return int(self.engine.do("wait", self.job.name))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end, self.printed
            time.sleep(0.05)

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after a minute."""
        self.engine.do("stop", "--time=60", self.job.name)

    @property
    def printed(self) -> str:
        ended = self.engine.try_to("logs", self.job.name)
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

    @property
    def source(self) -> Source:
        """What a run that is made from this one asks for."""
        return Source(self.run.marker, checksums.of_file(Path(self.run.marker)))

    @property
    def results(self) -> dict[str, Path]:
        """The files that the marker lists, by name."""
        files = json.loads(Path(self.run.marker).read_text())["files"]
        paths = [Path(self.run.folder, each["path"]) for each in files]
        return {path.name: path for path in paths}


@contextmanager
def container_job(
    engine: Engine, folder: Path, action: str, inputs: Mapping[str, Source]
) -> Iterator[ContainerJob]:
    """A job for one run of `action`, in `folder`. Its container is removed at the end."""
    name = f"toy-{action}-20240305-{secrets.token_hex(4)}"
    run = Run(action, DATE, str(folder / action))
    job = Job(name, str(folder / "jobs" / name))
    constants = CONSTANTS if action == "application" else {}
    runs = [RunRequest(DATE, run.folder, inputs, constants)]
    request = Request(name, action, "docker", name, None, 120, 0.2, runs)
    Path(job.folder).mkdir(parents=True)
    Path(job.request).write_bytes(request.dump())
    claims.claim(run, 1, name)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, USER, -1)
    try:
        yield ContainerJob(engine, folder, job, run)
    finally:
        engine.try_to("rm", "--force", name)


def finished_data(folder: Path, table: pa.Table) -> Source:
    """A finished extraction in the new folder `folder`: `table`."""
    (folder / "made").mkdir(parents=True)
    pq.write_table(table, folder / "made" / "part-0.parquet")
    return _finish(folder, "part-0.parquet")


def finished_model(folder: Path, **mischief: object) -> Source:
    """A finished training of tests/toy in the new folder `folder`.

    `mischief` is what the model does before it is applied.
    """
    (folder / "made").mkdir(parents=True)
    (folder / "made" / "model.joblib").write_text('{"share": 0.25}')
    config = {"key": "id", "mischief": {str(DATE): mischief}}
    (folder / "made" / "application.json").write_text(json.dumps(config))
    return _finish(folder, "model.joblib", "application.json")


def _finish(folder: Path, *names: str) -> Source:
    paths = [folder / "made" / name for name in names]
    files = [File(f"made/{p.name}", p.stat().st_size, checksums.of_file(p)) for p in paths]
    marker = Marker("training", DATE, "made", 3, files, {}, None, "then", "now", {}).dump()
    (folder / "_SUCCESS").write_bytes(marker)
    return Source(str(folder / "_SUCCESS"), checksums.of_bytes(marker))
