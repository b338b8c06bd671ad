"""What the model card costs, as a share of the training that it is about; and the look at the
data that later data are compared with.

    .venv/bin/python benchmarks/card.py [--rows 1000000]

The example's model on ten features, a fifth of the rows held out, as it comes.
"""

import argparse
import json
import shutil
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measuring import PYTHON, head, judge, measure, project

HERE = Path(__file__).parent
GOAL_SHARE, GOAL_BOTH = 0.1, 0.2


@dataclass(frozen=True)
class Training:
    """CPU seconds of the card, of the reference for drift, and of all of the process."""

    card: float
    drift: float
    all: float

    @property
    def share(self) -> float:
        return self.card / (self.all - self.card)

    @property
    def both(self) -> float:
        return (self.card + self.drift) / (self.all - self.card - self.drift)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    head(f"model card: a training of {given.rows:,} customers")
    with project() as folder:
        prepare(folder, given.rows)
        found = {"first": [], "with a previous model": []}
        for _ in range(given.rounds):
            found["first"].append(train(folder, "first"))
            found["with a previous model"].append(train(folder, "second", previous_path="first"))
        size = (folder / "second" / "card.html").stat().st_size
    for name, trainings in found.items():
        card, whole = (
            statistics.median(getattr(t, what) for t in trainings) for what in ("card", "all")
        )
        print(f"  {name:<24} {card:8.2f} s CPU of {whole:.2f} for the card")
        share = statistics.median(each.share for each in trainings)
        judge("card, by the rest", 100 * share, at_most=100 * GOAL_SHARE, unit=" %")
        both = statistics.median(each.both for each in trainings)
        judge("card and drift, by the rest", 100 * both, at_most=100 * GOAL_BOTH, unit=" %")
    judge("card.html", size / 1e3, unit=" kB")


def prepare(folder: Path, rows: int) -> None:
    """Make the data, with a label that recency and frequency tell something of."""
    for name in ("customers.py", "timed_training.py"):
        shutil.copyfile(HERE / name, folder / name)
    measure([PYTHON, "customers.py", rows, "features.parquet"], folder)
    data = pq.read_table(folder / "features.parquet")
    odds = data["recency_days"].to_numpy() / 90 - data["frequency"].to_numpy() / 3
    label = np.random.default_rng(1).random(rows) < 1 / (1 + np.exp(-odds))
    pq.write_table(data.append_column("churned", pa.array(label)), folder / "training.parquet")


def train(folder: Path, model: str, **keys: str) -> Training:
    content = json.loads((folder / "prediction/configs/training.json").read_text())
    content |= {"data_path": "training.parquet", "model_path": model, "ceilings": {}, **keys}
    (folder / "config.json").write_text(json.dumps(content))
    measure([PYTHON, "timed_training.py", "config.json"], folder)
    return Training(**json.loads((folder / "benchmark.log").read_text().splitlines()[-1]))


if __name__ == "__main__":
    main()
