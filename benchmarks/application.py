"""Millions of customers scored from Parquet to Parquet, against doing no more than that by hand.

    .venv/bin/python benchmarks/application.py [--rows 10000000]

Two rivals: read, predict_proba and write of the same batches in a loop, and pandas on the whole of
a CSV file. This process stays small: a child's peak memory begins at its parent's.
"""

import argparse
import json
import shutil
from functools import partial
from pathlib import Path

from measuring import PYTHON, Cost, compare, head, judge, measure, project, tell

HERE = Path(__file__).parent
MODEL = "var/prediction/model"
BATCH_ROWS = (16_384, 65_536, 131_072, 262_144, 1_048_576)
GOAL_CPU, GOAL_SPEED, GOAL_SAVING, GOAL_PEAK_MB, GOAL_GROWTH = 1.3, 4, 5, 1000, 1.1
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=10_000_000)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    head(f"application: {given.rows:,} customers")
    with project() as folder:
        prepare(folder, given.rows)
        ours = partial(apply, folder, "all.parquet")
        loop = compare(ours, partial(rival, folder, "batches", "all.parquet"), given.rounds)
        whole = rival(folder, "whole", "all.csv")
        tenth = apply(folder, "tenth.parquet")
        sizes = {rows: apply(folder, "tenth.parquet", rows) for rows in BATCH_ROWS}
    tell("prediction.main", loop.ours)
    tell("bare loop over batches", loop.rival)
    tell("pandas, CSV to CSV", [whole])
    tell("prediction.main, a tenth", [tenth])
    best = min(loop.ours, key=lambda cost: cost.wall)
    peak = max(cost.peak for cost in loop.ours)
    judge("CPU, by the bare loop", loop.ratio("cpu"), at_most=GOAL_CPU)
    judge("wall time, by pandas", best.wall / whole.wall, at_most=1 / GOAL_SPEED)
    judge("memory, by pandas", peak / whole.peak, at_most=1 / GOAL_SAVING)
    judge("peak memory", peak / 1e6, at_most=GOAL_PEAK_MB, unit=" MB")
    judge("memory, by a tenth's", peak / tenth.peak, at_most=GOAL_GROWTH)
    print("  a tenth, by batch_rows  ", end="")
    print("; ".join(f" {rows:,}: {each.cpu:.2f} s CPU" for rows, each in sizes.items()))


def prepare(folder: Path, rows: int) -> None:
    """Make the data, and the model of the example."""
    for name in ("customers.py", "plain_application.py"):
        shutil.copyfile(HERE / name, folder / name)
    measure([PYTHON, "customers.py", rows, "all.parquet", "all.csv"], folder)
    measure([PYTHON, "customers.py", rows // 10, "tenth.parquet"], folder)
    config = "prediction/configs/training.json"
    measure([PYTHON, "-m", "prediction.main", "--action", "training", "--config", config], folder)


def apply(folder: Path, data: str, batch_rows: int | None = None) -> Cost:
    content = {"data_path": data, "model_path": MODEL, "output_path": "predictions.parquet"}
    more = {} if batch_rows is None else {"batch_rows": batch_rows}
    (folder / "config.json").write_text(json.dumps({**content, **more}))
    words = ["prediction.main", "--action", "application", "--config", "config.json"]
    return measure([PYTHON, "-m", *words], folder)


def rival(folder: Path, how: str, data: str) -> Cost:
    target = f"rival{Path(data).suffix}"
    words = ["plain_application.py", how, f"{MODEL}/model.joblib", data, target]
    return measure([PYTHON, *words], folder, **ONE_THREAD)


if __name__ == "__main__":
    main()
