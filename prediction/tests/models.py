"""Small models for the tests of the framework. None of them knows scikit-learn."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd


class Plain:
    """Knows `fit` and `predict` only: the chance grows with column x."""

    def __init__(self, slope: float = 1.0) -> None:
        self.slope = slope

    def fit(self, data: pd.DataFrame) -> Self:
        self.mean = float(data["x"].mean())
        return self

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        x = data["x"].fillna(self.mean)
        chance = 1 / (1 + np.exp(-self.slope * (x - self.mean)))
        return pd.DataFrame({"label": chance > 0.5, "probability": chance}, index=data.index)


class Dtypes(Plain):
    """Predicts what the data frame that it is given is made of."""

    def fit(self, data: pd.DataFrame) -> Self:
        return self

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        told = {f"{name}_is": str(dtype) for name, dtype in data.dtypes.items()}
        values = {f"{name}_was": data[name] for name in data.columns}
        return pd.DataFrame({**told, **values}, index=data.index)


class Value(Plain):
    """For regression: predicts x."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"label": data["x"] * self.slope}, index=data.index)


class Unsure(Plain):
    """Has no chance to tell where x is unknown, and an infinite one where it is beyond 1000."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        predicted = super().predict(data)
        chance = predicted["probability"].where(data["x"].notna())
        return predicted.assign(probability=chance.where(~(data["x"] > 1000), np.inf))


class Classes(Plain):
    """For many classes: low and high, with the chances of each."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        high = super().predict(data)["probability"]
        label = pd.Series(np.where(high > 0.5, "high", "low"), data.index)
        columns = {"label": label, "probability_high": high, "probability_low": 1 - high}
        return pd.DataFrame(columns, index=data.index)


class OwnClasses(Classes):
    """Its own metrics have names like those of classes."""

    def evaluate(self, data: pd.DataFrame) -> dict[str, float]:
        return {"precision_at_10": 0.0, "f1_macro": 0.0, "recall": 0.0}


class OtherIndex(Plain):
    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return super().predict(data).reset_index(drop=True)


class FewerRows(Plain):
    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return super().predict(data).iloc[1:]


class OfTheBatch(Plain):
    """Compares each row with the mean of its batch."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        self.mean = float(data["x"].mean())
        return super().predict(data)


class Counting(Plain):
    """Keeps something between calls."""

    calls = 0

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        self.calls += 1
        return super().predict(data).assign(label=self.calls)


class Moody(Plain):
    """Returns another column, or another type, when x is beyond 1000."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        predicted = super().predict(data)
        if data["x"].max() > 2000:
            return predicted.assign(label="yes")
        return (
            predicted.rename(columns={"label": "verdict"}) if data["x"].max() > 1000 else predicted
        )


class Array(Plain):
    def predict(self, data: pd.DataFrame) -> Any:
        return super().predict(data).to_numpy()


class NamesTheKey(Plain):
    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return super().predict(data).assign(id=1)


class Broken(Plain):
    def fit(self, data: pd.DataFrame) -> Self:
        raise KeyError("weights")


class NoPredict:
    def fit(self, data: pd.DataFrame) -> Self:
        return self


class Measured(Plain):
    """Has a metric of its own."""

    def evaluate(self, data: pd.DataFrame) -> dict[str, float]:
        return {"held_out": len(data), "largest": float(data["x"].max())}


class Sloped(Plain):
    """Its own metric is its slope."""

    def evaluate(self, data: pd.DataFrame) -> dict[str, float]:
        return {"largest": self.slope}


class Fussy(Plain):
    """Is lost when x and its copy differ."""

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        if not data["x"].equals(data["copy"].set_axis(data.index).rename("x")):
            raise KeyError("x is not its copy")
        return super().predict(data)


class OwnFile(Plain):
    """Keeps itself in a text file."""

    def save(self, path: Path) -> None:
        path.write_text(f"{self.slope} {self.mean}")

    @classmethod
    def load(cls, path: Path) -> "OwnFile":
        slope, mean = path.read_text().split()
        model = cls(float(slope))
        model.mean = float(mean)
        return model


class Heavy(Plain):
    """Takes some space on the disk."""

    def __init__(self, size_bytes: int = 1000) -> None:
        super().__init__()
        self.weight = np.random.default_rng(0).bytes(size_bytes)


class OwnFolder(OwnFile):
    """Keeps itself in a folder."""

    def save(self, path: Path) -> None:
        path.mkdir()
        super().save(path / "numbers.txt")

    @classmethod
    def load(cls, path: Path) -> "OwnFile":
        return super().load(path / "numbers.txt")
