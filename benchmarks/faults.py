"""One date from nothing while requests fail at random, again and again.

.venv/bin/python benchmarks/faults.py [--runs 200] [--probability 0.05] [--seed 1]

Each request to Cloud Storage, BigQuery or Compute Engine, the machines' own included, suffers with
that probability one of: 429, 500, 503, a reset before the work is done, a delay of two seconds, a
reply lost after the work was done. A run ends right, or with an error that the same command mends
once nothing fails.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.acceptance.cloud_project import CloudProject
from tests.acceptance.forks import Forks
from tests.cloud.servers import Cloud
from tests.conftest import toy_project

DATE = "2024-03-05"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its faults, the exit status, that of the rerun (None: none), and what is
    wrong with what it left.
    """

    faults: int
    status: int
    again: int | None
    problems: list[str]


def main() -> None:
    from measuring import head  # beside this script; the tests, which import it, need no head

    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=200)
    options.add_argument("--probability", type=float, default=0.05)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    head(f"faults: {given.runs} runs, {given.probability:.0%} of the requests fail")
    dice = random.Random(given.seed)
    begun, wrong, outcomes = time.monotonic(), 0, Counter[str]()
    with place_in_the_cloud() as place, Forks(place.project.folder, place.environment) as forks:
        for version in range(1, given.runs + 1):
            outcome = run(forks, place, version, dice.random(), given.probability)
            outcomes["faults"] += outcome.faults
            outcomes["at once" if outcome.status == 0 else "by a rerun"] += 1
            for problem in outcome.problems:
                wrong += 1
                print(f"  run {version}: {problem}\n{forks.output.read_text()}")
    print(f"  {outcomes['faults']} faults in {time.monotonic() - begun:.0f} s")
    print(f"  {outcomes['at once']} runs ended right at once, {outcomes['by a rerun']} by a rerun")
    print(f"  {wrong} things wrong")
    sys.exit(bool(wrong))


@contextmanager
def place_in_the_cloud() -> Iterator[CloudProject]:
    """The small project of the tests, on servers of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Cloud() as cloud,
        toy_project(Path(folder, "project")) as project,
    ):
        place = CloudProject(project, cloud, cloud.new_bucket(), cloud.new_dataset())
        place.use_machines()
        yield place


def run(
    forks: Forks, place: CloudProject, version: int, seed: float, probability: float
) -> Outcome:
    """Load a date under a version of its own, which begins with nothing."""
    words = ("LoadToBigQuery", "--date", DATE, "--pipeline-version", str(version))
    place.cloud.requests.clear()
    place.cloud.faults.add_at_random(probability, int(seed * 10**9))
    forks.start(words)
    [status] = forks.wait()
    faults = place.cloud.faults.hits
    place.cloud.faults.clear()
    again = None
    if status:
        forks.start(words)
        [again] = forks.wait()
    problems = place.problems(version) if not again else [f"the rerun ended with {again}"]
    return Outcome(faults, status, again, problems)


if __name__ == "__main__":
    main()
