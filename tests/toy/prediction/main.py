"""A model package of the smallest kind: it keeps the contract of the command line, and no more.

It learns the share of true labels and predicts it for everybody. Its config's `mischief`, by
date, tells it to misbehave: {"2024-03-05": {"sleep": 2}}. In an image, which has a config of its
own, the environment variable MISCHIEF does. The config's `drift`, {"visits": 0.4}, is what it
tells of drift, with a warning.
"""

import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--action", required=True)
    parser.add_argument("--config", action="append", required=True)
    parser.add_argument("--progress", type=Path, required=True)
    options = parser.parse_args()
    failed = False
    for path in options.config:
        config = json.loads(Path(path).read_text())
        try:
            misbehave(config, path, options.progress)
            rows = ACTIONS[options.action](config)
            told = {"warnings": [f"{name} drifts" for name in config.get("drift", ())]}
            done = {"done": rows, "total": rows, "rows": rows, "status": "done"}
            say(options.progress, config=path, **done, **told)
        except Exception as error:
            failed = True
            trace = traceback.format_exc()
            say(options.progress, config=path, status="failed", reason=str(error), traceback=trace)
            print(f"error: {error}", file=sys.stderr)
    return 1 if failed else 0


def train(config: dict) -> int:
    table = pq.read_table(config["data_path"])
    labels = table["label"].to_pylist()
    model = {"share": sum(labels) / len(labels), "seed": os.urandom(8).hex()}
    Path(config["model_path"], "model.joblib").write_text(json.dumps(model))
    return len(labels)


def apply(config: dict) -> int:
    model = json.loads(Path(config["model_path"], "model.joblib").read_text())
    table = pq.read_table(config["data_path"]).select(["id"])
    table = table.append_column("share", pa.array([model["share"]] * len(table)))
    for name, value in config["constants"].items():
        table = table.append_column(name, pa.array([constant(value)] * len(table)))
    pq.write_table(table, config["output_path"])
    if "drift" in config:
        tell_drift(config["drift"], config["constants"], Path(config["output_path"]).parent)
    return len(table)


def tell_drift(drift: dict, constants: dict, folder: Path) -> None:
    told = {name: constant(constants[name]).as_py() for name in ("date", "model_date", "run_id")}
    rows = [{**told, "feature": name, "psi": psi} for name, psi in drift.items()]
    pq.write_table(pa.Table.from_pylist(rows), folder / "drift.parquet")
    more = {"role": "feature", "missing_share": 0.1, "missing_share_training": 0}
    bins = [{"bin": "any", "share_training": 1, "share": 1}]
    columns = [{"feature": name, "psi": drift[name], **more, "bins": bins} for name in drift]
    content = {"format": 1, "limits": {"drift_warn": 0.3}, "columns": columns}
    (folder / "drift.json").write_text(json.dumps(content))


def evaluate(config: dict) -> int:
    labels = pq.read_table(config["data_path"], columns=["id", "label"])
    predicted = pq.read_table(config["predictions_path"], columns=["id", "share"])
    met = predicted.join(labels, keys="id", join_type="inner")
    truth = [float(each) for each in met["label"].to_pylist()]
    pairs = zip(met["share"].to_pylist(), truth, strict=True)
    metrics = {
        "brier": sum((share - label) ** 2 for share, label in pairs) / len(met),
        "actual": sum(truth) / len(met),
        "predicted": sum(met["share"].to_pylist()) / len(met),
    }
    counts = {"rows": len(met), "unlabelled": len(predicted) - len(met)}
    row = {name: [constant(value)] for name, value in config["constants"].items()}
    row |= {name: [pa.scalar(value)] for name, value in (counts | metrics).items()}
    folder = Path(config["evaluation_path"])
    table = {name: pa.array(value, value[0].type) for name, value in row.items()}
    pq.write_table(pa.table(table), folder / "part-0.parquet")
    told = {**counts, "metrics": metrics, "trained": {"brier": None}}
    (folder / "metrics.json").write_text(json.dumps(told))
    return len(met)


def constant(value: object) -> pa.Scalar:
    if not isinstance(value, dict):
        return pa.scalar(value)
    kinds = {"date": pa.date32(), "timestamp": pa.timestamp("us", "UTC")}
    return pa.scalar(value["value"]).cast(kinds[value["type"]])


def misbehave(config: dict, path: str, progress: Path) -> None:
    date = Path(path).parent.name
    mischief = {**config.get("mischief", {}), **json.loads(os.environ.get("MISCHIEF", "{}"))}
    for what, value in mischief.get(date, {}).items():
        print(f"mischief: {what} {value}", flush=True)
        if what == "wait_for":  # says that it works, and goes on when it may
            Path(value + ".here").write_text(str(os.getpid()))
            while not Path(value).exists():
                time.sleep(0.02)
        elif what == "sleep":
            for step in range(10):
                say(progress, config=path, done=step, total=10, message=f"step {step}")
                time.sleep(value / 10)
        elif what == "fail":
            raise ValueError(value)
        elif what == "exit":
            print("the last words", flush=True)
            os._exit(value)
        elif what == "doom_parent":  # let the kernel take the program that started the model
            Path(f"/proc/{os.getppid()}/oom_score_adj").write_text("1000")
            os.fork()  # two that eat, each of them smaller
        elif what == "eat_bytes":
            print(len(b"x" * value))
        elif what == "kill_once" and not Path(value).exists():
            Path(value).write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def say(path: Path, **line: object) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


ACTIONS = {"training": train, "application": apply, "evaluation": evaluate}

if __name__ == "__main__":
    sys.exit(main())
