"""What it costs to compare a million rows with the training while they are scored.

    .venv/bin/python benchmarks/drift.py [--rows 1000000] [--rounds 5]

The same model is applied to the same rows with its reference, and in a copy without. Beside it, the
work itself: counting all batches of the rows in one thread.
"""

import argparse
import json
import shutil
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
from measuring import PYTHON, Cost, compare, head, judge, measure, project, tell

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

MODEL, BARE = "var/prediction/model", "var/prediction/bare"
GOAL = 1.1


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    head(f"drift: {given.rows:,} customers, ten features")
    with project() as folder:
        prepare(folder, given.rows)
        found = compare(partial(apply, folder, MODEL), partial(apply, folder, BARE), given.rounds)
        counting = count(folder)
    tell("with the comparison", found.ours)
    tell("without", found.rival)
    judge("CPU, by without", found.ratio("cpu"), at_most=GOAL)
    judge("wall time, by without", found.ratio("wall"), at_most=GOAL)
    judge("memory, by without", found.ratio("peak"), at_most=GOAL)
    judge("counting alone", counting, unit=" s")


def prepare(folder: Path, rows: int) -> None:
    """Make the data, the model of the example, and a copy of it that keeps no reference."""
    shutil.copyfile(HERE / "customers.py", folder / "customers.py")
    measure([PYTHON, "customers.py", rows, "data.parquet"], folder)
    config = "prediction/configs/training.json"
    measure([PYTHON, "-m", "prediction.main", "--action", "training", "--config", config], folder)
    shutil.copytree(folder / MODEL, folder / BARE)
    (folder / BARE / "reference.json").unlink()


def apply(folder: Path, model: str) -> Cost:
    content = {"data_path": "data.parquet", "model_path": model, "output_path": "out/p.parquet"}
    (folder / "config.json").write_text(json.dumps(content))
    words = ["prediction.main", "--action", "application", "--config", "config.json"]
    return measure([PYTHON, "-m", *words], folder)


def count(folder: Path) -> float:
    """Seconds of this thread for all that is counted of the features."""
    from prediction.core.drift import Tally
    from prediction.core.reference import Reference

    kept = Reference.read(folder / MODEL)
    if kept is None:
        raise SystemExit(f"{folder / MODEL} keeps no reference.")
    data = pq.read_table(folder / "data.parquet").to_pandas().astype(float)
    tally = Tally(kept, len(data))
    begun = time.thread_time()
    for start in range(0, len(data), 131_072):
        tally.add_features(start, data.iloc[start : start + 131_072])
    return time.thread_time() - begun


if __name__ == "__main__":
    main()
