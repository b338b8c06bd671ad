"""The model of the walk, which also measures itself and keeps itself in a file of its own."""

import json
from pathlib import Path

import pandas as pd


class Model:
    """A customer leaves who deposits less and withdraws more than the average customer did."""

    def fit(self, data: pd.DataFrame) -> "Model":
        """Learn the constants from `data`: the features and the label, indexed by the key."""
        self.deposit = data["deposit"].mean()
        self.withdrawal = data["withdrawal"].mean()
        return self

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return one row for each row of `data`, with the same index."""
        leaves = (data["deposit"] < self.deposit) & (data["withdrawal"] > self.withdrawal)
        return pd.DataFrame({"label": leaves.astype(int)}, index=data.index)

    def evaluate(self, data: pd.DataFrame) -> dict[str, float]:
        """Return metrics by name; `data` has the features and the label of the rows held out."""
        left = data[data["label"] == 1]
        return {"found": self.predict(left)["label"].mean()}

    def save(self, path: Path) -> None:
        """Make the file or folder `path`, which is not there yet."""
        path.write_text(json.dumps([float(self.deposit), float(self.withdrawal)]))

    @classmethod
    def load(cls, path: Path) -> "Model":
        """Return what `save` kept."""
        model = cls()
        model.deposit, model.withdrawal = json.loads(path.read_text())
        return model
