"""A backfill of 1,000 dates that are done, against the rerun of one date.

.venv/bin/python benchmarks/completeness.py
"""

import argparse
import datetime
import shutil
from functools import partial
from pathlib import Path

from measuring import LUIGI, compare, head, judge, measure, project, tell

STOP = datetime.date(1998, 4, 2)
GOAL = 3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--dates", type=int, default=1000)
    options.add_argument("--rounds", type=int, default=9)
    given = options.parse_args()
    days = [STOP - datetime.timedelta(days=n + 1) for n in range(given.dates)]
    head(f"completeness: a backfill of {given.dates:,} dates that are done")
    with project() as folder:
        one = ask(folder, "LoadToBigQuery", "--date", days[0])
        one()
        copy_load(folder, days)
        all_ = ask(folder, "Backfill", "--start", days[-1], "--stop", STOP)
        found = compare(all_, one, given.rounds)
    tell(f"Backfill, {given.dates:,} dates", found.ours)
    tell("LoadToBigQuery, 1 date", found.rival)
    judge("CPU, ratio", found.ratio("cpu"), at_most=GOAL)


def ask(folder: Path, *words: object) -> partial:
    return partial(measure, [*LUIGI, "pipeline", *words, "--local-scheduler"], folder)


def copy_load(folder: Path, days: list[datetime.date]) -> None:
    """Give every date what the load of the first one left: its claim and its marker."""
    [done] = folder.glob(f"var/storage/*/v1/load/*/date={days[0]}")
    for day in days[1:]:
        shutil.copytree(done, done.with_name(f"date={day}"))


if __name__ == "__main__":
    main()
