"""A model by LightGBM, whose wheel asks for libgomp1 of Debian."""

from pathlib import Path
from typing import Self

import lightgbm
import numpy as np
from company_rates import RATE


class Model:
    """The chance of the label by boosted trees.

    Parameters
    ----------
    rounds : int
        Number of trees.

    Attributes
    ----------
    booster_ : lightgbm.Booster
        Set by `fit`.
    """

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds

    def fit(self, features: np.ndarray, labels: np.ndarray) -> Self:
        parameters = {"objective": "binary", "learning_rate": RATE, "min_data_in_leaf": 1}
        parameters |= {"min_data_in_bin": 1, "num_threads": 1, "seed": 1, "verbose": -1}
        data = lightgbm.Dataset(features, labels)
        self.booster_ = lightgbm.train(parameters, data, num_boost_round=self.rounds)
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        return self.booster_.predict(features)

    def save(self, path: Path) -> None:
        self.booster_.save_model(path)
