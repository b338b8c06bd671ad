"""A date that is done, asked for again, against a bare chain of three Luigi tasks that is done.

.venv/bin/python benchmarks/rerun.py
"""

import argparse
from functools import partial
from pathlib import Path

from measuring import LUIGI, compare, head, judge, measure, project, tell

DATE = "1998-04-01"
GOAL = 1.25
BARE = """
import luigi


class Extract(luigi.Task):
    date = luigi.DateParameter()

    def output(self):
        return luigi.LocalTarget(f"bare/{self.task_family}-{self.date}")

    def run(self):
        self.output().open("w").close()


class Apply(Extract):
    def requires(self):
        return Extract(self.date)


class Load(Extract):
    def requires(self):
        return Apply(self.date)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    rounds = options.parse_args().rounds
    head("rerun: a date that is done, asked for again")
    with project() as folder:
        ours = ask("pipeline", "LoadToBigQuery", folder)
        rival = ask("bare", "Load", folder)
        found = compare(ours, rival, rounds)
    tell("LoadToBigQuery", found.ours)
    tell("bare chain", found.rival)
    judge("CPU, ratio", found.ratio("cpu"), at_most=GOAL)


def ask(module: str, task: str, folder: Path) -> partial:
    """The command for a task, which has been done once when this returns."""
    (folder / "bare.py").write_text(BARE)
    command = [*LUIGI, module, task, "--date", DATE, "--local-scheduler"]
    asking = partial(measure, command, folder)
    asking()
    return asking


if __name__ == "__main__":
    main()
