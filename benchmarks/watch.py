"""An orchestrator that waits for fifty machines: what it asks for, and what it costs.

.venv/bin/python benchmarks/watch.py [--minutes 5]
"""

import argparse
import datetime
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cloud import CloudProject, cloud_project
from measuring import LUIGI, head, judge

JOBS = 50
START = datetime.date(1998, 2, 1)
BEAT_SECONDS = 10
# In the place of a container that works: it holds its machine, and hearts() beats for it.
IDLE = "import sys, time\nif 'container.run' in sys.orig_argv: time.sleep(10**6)\n"
TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=5)
    given = options.parse_args()
    head(f"watch: {JOBS} jobs, {given.minutes:g} minutes")
    with cloud_project() as place:
        prepare(place)
        with orchestrator(place) as process, hearts(place):
            measure(place, process, 60 * (given.minutes - 1))


def prepare(place: CloudProject) -> None:
    """Data for a training on each of fifty days, and machines that come up and stay."""
    place.set("pipeline", schedule="daily")
    place.set("training", data=f"{place.bucket}/in/{{date}}.csv", max_dates_per_job="1")
    for number in range(JOBS):
        date = START + datetime.timedelta(days=number)
        place.upload(f"in/{date}.csv", b"customer_id,label\n1,true\n")
    idle = place.folder / "idle"
    idle.mkdir()
    (idle / "sitecustomize.py").write_text(IDLE)
    place.cloud.compute_engine.change(environment={"PYTHONPATH": str(idle)})


@contextmanager
def orchestrator(place: CloudProject) -> Iterator[subprocess.Popen[bytes]]:
    stop = START + datetime.timedelta(days=JOBS)
    words = ["pipeline", "Backfill", "--start", START, "--stop", stop, "--workers", JOBS]
    with (place.folder / "luigi.log").open("wb") as log:
        process = subprocess.Popen(
            [*LUIGI, *map(str, words), "--local-scheduler"],
            cwd=place.folder,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def hearts(place: CloudProject) -> Iterator[None]:
    """What fifty containers would leave: they started, and they live."""
    ended = threading.Event()
    while len(jobs := place.names(r"jobs/churn-training-.*/request\.json$")) < JOBS:
        time.sleep(1)
    folders = [name.rpartition("/")[0] for name in jobs]
    for folder in folders:
        told = {"format": 1, "host": "machine", "started_at": "now", "libraries": {}}
        place.upload(f"{folder}/started.json", json.dumps(told).encode())

    def beat() -> None:
        count = 0
        while not ended.is_set():
            count += 1
            told = json.dumps({"format": 1, "count": count, "runs": {}}).encode()
            for folder in folders:
                place.upload(f"{folder}/heartbeat.json", told)
            ended.wait(BEAT_SECONDS)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def measure(place: CloudProject, process: subprocess.Popen[bytes], seconds: float) -> None:
    time.sleep(60)
    place.cloud.requests.clear()
    began, before = time.monotonic(), cpu_seconds(process.pid)
    time.sleep(seconds)
    spent, passed = cpu_seconds(process.pid) - before, time.monotonic() - began
    asked = [each for each in place.cloud.requests if each.service != "machines"]
    print(f"  {len(processes(process.pid))} processes, {len(asked)} requests")
    judge("of one core", 100 * spent / passed, at_most=2, unit=" %")
    judge("memory in all", memory_bytes(process.pid) / 1e6, at_most=1500, unit=" MB")
    judge("requests, by job and minute", 60 * len(asked) / passed / JOBS, at_most=2, unit="")


def processes(pid: int) -> list[int]:
    """A process and its children, theirs too."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def cpu_seconds(pid: int) -> float:
    """What a process and those below it have used until now."""
    ticks = 0
    for each in processes(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


def memory_bytes(pid: int) -> int:
    """What they hold, a page that several share counted once."""
    held = 0
    for each in processes(pid):
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        [line] = [line for line in rollup.splitlines() if line.startswith("Pss:")]
        held += 1024 * int(line.split()[1])
    return held


if __name__ == "__main__":
    main()
