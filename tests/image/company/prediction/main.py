"""Trains this package's model on columns x and label, and says how well it knows them again."""

import argparse
import json
from pathlib import Path

import pyarrow.parquet as pq
from company_words import TRAINED

from prediction.model import Model


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--action", required=True, choices=["training"])
    parser.add_argument("--config", action="append", required=True)
    parser.add_argument("--progress", type=Path, required=True)
    options = parser.parse_args()
    for path in options.config:
        config = json.loads(Path(path).read_text())
        rows = train(config)
        line = {"config": path, "status": "done", "rows": rows, "done": rows, "total": rows}
        with options.progress.open("a") as file:
            file.write(json.dumps(line) + "\n")


def train(config: dict) -> int:
    table = pq.read_table(config["data_path"])
    features, labels = table["x"].to_numpy().reshape(-1, 1), table["label"].to_numpy()
    model = Model(config["rounds"]).fit(features, labels)
    model.save(Path(config["model_path"], "model.txt"))
    right = ((model.predict(features) > 0.5) == labels).mean()
    Path(config["model_path"], "metrics.json").write_text(json.dumps({"right": right}))
    print(TRAINED)
    return len(labels)


if __name__ == "__main__":
    main()
