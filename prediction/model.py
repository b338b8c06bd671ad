"""The model. Replace it with your own: only `fit` and `predict` are needed.

See docs/bring-your-own.md.
"""

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from prediction.core.errors import DataError


class Model:
    """Chance that a customer does not buy again within the horizon, by logistic regression.

    Amounts and counts have long tails, so their logarithms go in. What is undefined (the gap
    between purchases of a customer with one) gets the median and a flag of its own.

    Parameters
    ----------
    label : str
        Column that is true for customers who did not buy again.
    strength : float, above 0
        Inverse of the L2 penalty on the weights.

    Attributes
    ----------
    pipeline_ : sklearn.pipeline.Pipeline
        Set by `fit`.
    """

    pipeline_: Pipeline

    def __init__(self, label: str = "churned", strength: float = 1.0) -> None:
        self.label = label
        self.strength = strength

    def fit(self, data: pd.DataFrame) -> Self:
        """Estimate from `data` (n_customers, n_features + label), indexed by customer.

        Raises `DataError` when the label is missing or has one class only.
        """
        if self.label not in data.columns:
            raise DataError(f"label {self.label!r} is missing. Name it in `parameters`.")
        if data[self.label].nunique() < 2:
            raise DataError(f"label {self.label!r} has one class only. Correct the labels' query.")
        self.pipeline_ = make_pipeline(
            FunctionTransformer(signed_log1p),
            SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=self.strength, max_iter=1000),
        )
        self.pipeline_.fit(data.drop(columns=self.label), data[self.label])
        return self

    def predict(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return `label` (churns: more likely than not) and `probability` (n_customers, 2).

        `data` is (n_customers, n_features), indexed by customer; so is the result.
        """
        probability = self.pipeline_.predict_proba(data)[:, 1]
        columns = {"label": probability > 0.5, "probability": probability}
        return pd.DataFrame(columns, index=data.index)


def signed_log1p(values: Any) -> Any:
    """Logarithm of 1 + |value|, with the value's sign: 0 stays 0. Any shape; NaN stays NaN."""
    return np.sign(values) * np.log1p(np.abs(values))
