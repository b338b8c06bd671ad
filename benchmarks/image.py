"""The image of the example: its size as pushed, how soon a job works in it, how soon it is rebuilt.

REGISTRY=127.0.0.1:5000 .venv/bin/python benchmarks/image.py

Needs a Docker engine, and a registry that it may push to. BASE_IMAGE, DOCKER and DOCKER_HOST are
heeded as by make image.
"""

import argparse
import json
import os
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.csv
from measuring import ROOT, head, judge

sys.path.insert(0, str(ROOT))

from pipeline.records import Source
from tests.image.engine import NO_ENGINE, NO_REGISTRY, Engine
from tests.image.jobs import CONFINED, ContainerJob, container_job, finished_data

GOAL_MB = 150
GOAL_START = 1.5
GOAL_REBUILD_SECONDS = 2
IMPORTS = "import sklearn, pandas, pyarrow.parquet; print('imported', flush=True)"
LIMIT_SECONDS = 60
EXAMPLES = ROOT / "prediction" / "data"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PARTS = ("pipeline", "container", "prediction")
# What a library's files would weigh, packed by themselves as a layer is: name, bytes.
WEIGH = """
import collections, pathlib, re, zlib
weights = collections.Counter()
for path in pathlib.Path("/opt/venv/lib").glob("python3*/site-packages/**/*"):
    if path.is_file():
        top = path.parts[path.parts.index("site-packages") + 1]
        name = re.split(r"[-.]", top)[0].lower().replace("scikit_learn", "sklearn")
        weights[name] += len(zlib.compress(path.read_bytes()))
for name, size in weights.most_common():
    print(name, size)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    rounds = options.parse_args().rounds
    head("image: the example's, as it is pushed, started and rebuilt")
    engine, registry = Engine(), os.environ.get("REGISTRY")
    if not engine.answers():
        sys.exit(NO_ENGINE.format(program=engine.program))
    if not registry:
        sys.exit(NO_REGISTRY)
    with engine.image("prediction") as image:
        tell_size(engine, image, registry)
        tell_start(engine, image, rounds)
    tell_rebuild(engine, rounds)


def tell_size(engine: Engine, image: str, registry: str) -> None:
    layers = pushed_layers(engine, image, registry)
    print("  layers, MB as pushed     ", *(f"{size / 1e6:.1f}" for size in layers))
    judge("all layers", sum(layers) / 1e6, at_most=GOAL_MB, unit=" MB")
    options = ("--rm", "--entrypoint=python")
    weights = engine.do("run", *options, image, "-c", WEIGH).splitlines()
    for name, size in (line.split() for line in weights):
        if int(size) >= 1e6:
            judge(name, int(size) / 1e6, unit=" MB")


def pushed_layers(engine: Engine, image: str, registry: str) -> list[int]:
    """Bytes of each layer that a registry has of the image."""
    name, tag = f"benchmark-{secrets.token_hex(4)}", "1"
    engine.do("tag", image, f"{registry}/{name}:{tag}")
    try:
        engine.do("push", f"{registry}/{name}:{tag}")
        url = f"http://{registry}/v2/{name}/manifests/{tag}"
        request = urllib.request.Request(url, headers={"Accept": MANIFEST})
        with urllib.request.urlopen(request, timeout=60) as reply:  # noqa: S310
            return [layer["size"] for layer in json.load(reply)["layers"]]
    finally:
        engine.do("image", "rm", f"{registry}/{name}:{tag}")


def tell_start(engine: Engine, image: str, rounds: int) -> None:
    """From `docker run` to the marker, which comes after the model is loaded; and bare imports."""
    with tempfile.TemporaryDirectory() as name, trained(engine, image, Path(name)) as training:
        pairs = [
            (until_marker(training, image, Path(name, str(number))), until_imported(engine, image))
            for number in range(rounds + 1)
        ][1:]
    judge("docker run to marker", statistics.median(ours for ours, _ in pairs), unit=" s")
    judge("the same, bare imports", statistics.median(rival for _, rival in pairs), unit=" s")
    ratio = statistics.median(ours / rival for ours, rival in pairs)
    judge("ratio", ratio, at_most=GOAL_START)


@contextmanager
def trained(engine: Engine, image: str, folder: Path) -> Iterator[ContainerJob]:
    """A training of the example that was carried out in its image."""
    table = pyarrow.csv.read_csv(EXAMPLES / "training.csv")
    inputs = {"data": finished_data(folder / "data", table)}
    with container_job(engine, folder, "training", inputs) as job:
        job.start(image)
        if job.wait():
            sys.exit(job.printed)
        yield job


def until_marker(training: ContainerJob, image: str, folder: Path) -> float:
    """Seconds from `docker run` until one customer's prediction is there."""
    # A copy, as only this folder is in the container.
    copy = shutil.copytree(training.run.folder, folder / "training")
    model = Source(str(copy / "_SUCCESS"), training.source.checksum)
    data = finished_data(folder / "data", pyarrow.csv.read_csv(EXAMPLES / "application.csv")[:1])
    inputs = {"data": data, "model": model}
    with container_job(training.engine, folder, "application", inputs) as job:
        begun = time.monotonic()
        job.start(image)
        while not job.is_done:
            if time.monotonic() > begun + LIMIT_SECONDS:
                sys.exit(job.printed)
            time.sleep(0.002)
        seconds = time.monotonic() - begun
        job.wait()
    return seconds


def until_imported(engine: Engine, image: str) -> float:
    """Seconds from `docker run` until Python has imported what the model needs."""
    options = ("--rm", *CONFINED, "--entrypoint=python")
    command = [engine.program, "run", *options, image, "-c", IMPORTS]
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdout.readline() != "imported\n":
            sys.exit("The imports failed.")
        return time.monotonic() - begun


def tell_rebuild(engine: Engine, rounds: int) -> None:
    """How long a build takes when nothing but the model's code was changed."""
    with tempfile.TemporaryDirectory() as name:
        checkout = Path(name)
        shutil.copyfile(ROOT / ".dockerignore", checkout / ".dockerignore")
        for part in PARTS:
            shutil.copytree(ROOT / part, checkout / part)
        with engine.image("prediction", checkout):
            seconds = [rebuild(engine, checkout) for _ in range(rounds)]
    goal = GOAL_REBUILD_SECONDS
    judge("rebuild of prediction/", statistics.median(seconds), at_most=goal, unit=" s")


def rebuild(engine: Engine, checkout: Path) -> float:
    with (checkout / "prediction" / "model.py").open("a") as file:
        file.write(f"# {secrets.token_hex(8)}\n")
    begun = time.monotonic()
    with engine.image("prediction", checkout):
        return time.monotonic() - begun


if __name__ == "__main__":
    main()
