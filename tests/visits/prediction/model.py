"""Who comes again? Small models for the framework of `prediction`, most of them wrong."""

import numpy as np
import pandas as pd


class Model:
    """A customer comes again who came more often than the average customer did.

    Parameters
    ----------
    weight_bytes : int
        How much the model weighs when it is kept.
    """

    def __init__(self, weight_bytes: int = 0) -> None:
        self.weight = np.random.default_rng(0).bytes(weight_bytes)

    def fit(self, data: pd.DataFrame) -> "Model":
        self.visits = data["visits"].mean()
        return self

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"label": data["visits"] > self.visits}, index=data.index)


class NoPredict:
    def fit(self, data: pd.DataFrame) -> "NoPredict":
        return self


class OtherIndex(Model):
    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return super().predict(data).reset_index(drop=True)


class FewerRows(Model):
    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        return super().predict(data).iloc[1:]


class Chance(Model):
    """The chance to come again, which grows with the visits: for kind binary.

    Parameters
    ----------
    slope : float
        By how much, in log odds. Below 0 the model is wrong about everybody.
    """

    def __init__(self, slope: float = 1.0) -> None:
        super().__init__()
        self.slope = slope

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        chance = 1 / (1 + np.exp(-self.slope * (data["visits"] - self.visits)))
        return pd.DataFrame({"label": chance > 0.5, "probability": chance}, index=data.index)
