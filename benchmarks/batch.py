"""Sixty dates from nothing, against one container for each date.

.venv/bin/python benchmarks/batch.py [--data full] [--together 10]
"""

import argparse
import math
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from measuring import PYTHON, Cost, head, judge, measure, project, tell

RANGE = ("--start", "1998-02-01", "--stop", "1998-04-02")
DATES = 60
GOAL = 5
OWN = "own-seconds"
# Luigi's command, which tells at its end what its own process used, without the containers.
PROGRAM = f'''
import atexit
import pathlib
import resource

from luigi.cmdline import luigi_run


def tell():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pathlib.Path("{OWN}").write_text(str(usage.ru_utime + usage.ru_stime))


atexit.register(tell)
luigi_run()
'''


@dataclass(frozen=True)
class Filled:
    """What a backfill cost, in all and in the orchestrator's own process, and its jobs' number."""

    cost: Cost
    own: float
    jobs: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", choices=["sample", "full"], default="sample")
    options.add_argument("--together", type=int, default=30, help="max_dates_per_job")
    options.add_argument("--rounds", type=int, default=1)
    given = options.parse_args()
    head(f"batch: {DATES} dates from nothing, {given.data} data")
    with project() as folder:
        (folder / "program.py").write_text(PROGRAM)
        if given.data == "sample":
            use_sample(folder / "luigi.cfg")
        ask = partial(backfill, folder)
        parallel = ask(given.together, workers=2)
        pairs = [(ask(given.together), ask(1)) for _ in range(given.rounds)]
    # The round that went worst for us.
    ours, rival = min(pairs, key=lambda pair: pair[1].cost.cpu / pair[0].cost.cpu)
    for name, each in ((f"{given.together} dates to a job", ours), ("1 date to a job", rival)):
        tell(f"{name}, {each.jobs} jobs", [each.cost])
        print(f"{'':27}{each.own:8.2f} s of it the orchestrator's own")
    least = math.ceil(DATES / given.together)
    judge("application jobs", ours.jobs, at_most=least, unit="")
    judge("... with 2 workers", parallel.jobs, at_most=least + 1, unit="")
    judge("CPU, ratio", ours.cost.cpu / rival.cost.cpu, at_most=1 / GOAL)
    containers = (ours.cost.cpu - ours.own) / (rival.cost.cpu - rival.own)
    judge("... containers only", containers, at_most=1 / GOAL)


def backfill(folder: Path, together: int, workers: int = 1) -> Filled:
    shutil.rmtree(folder / "var", ignore_errors=True)
    limits = []
    for action in ("training", "application"):
        limits += [f"--{action}-max-dates-per-job", together]
    words = ["--module", "pipeline", "Backfill", *RANGE, *limits, "--workers", workers]
    cost = measure([PYTHON, "program.py", *words, "--local-scheduler"], folder)
    jobs = list(folder.glob("var/storage/*/v1/jobs/*-application-*"))
    jobs = [job for job in jobs if "-data-" not in job.name]
    return Filled(cost, float((folder / OWN).read_text()), len(jobs))


def use_sample(path: Path) -> None:
    settings = path.read_text()
    path.write_text(settings.replace("transactions.csv.gz", "transactions-sample.csv.gz"))


if __name__ == "__main__":
    main()
