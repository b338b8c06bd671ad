"""What one would predict without looking at a row: what any model should be better than."""

import pandas as pd


def predict(kind: str, fitted: pd.Series, rows: pd.Index, score: str) -> pd.DataFrame:
    """Predict for `rows` from the labels of the rows fitted on, `fitted`, alone.

    For binary the share of true ones, for multiclass the most frequent class and the shares of
    all, for regression the mean.
    """
    if kind != "multiclass":
        return pd.DataFrame({score: float(fitted.astype(float).mean())}, index=rows)
    shares = fitted.value_counts(normalize=True).sort_index().sort_values(kind="stable")
    commonest = pd.Series([shares.index[-1]], dtype=fitted.dtype).repeat(len(rows)).set_axis(rows)
    chances = {f"probability_{one}": float(share) for one, share in shares.items()}
    return pd.DataFrame({score: commonest, **chances}, index=rows)
