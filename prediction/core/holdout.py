"""Which rows are held out from fitting, to measure the model on.

With several dates the latest ones are; else rows are chosen by a seeded hash of their key, so that
neither the order of the rows nor what other rows there are changes the luck of a key much.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from prediction.core.errors import DataError
from prediction.core.keys import mixed

Rows = npt.NDArray[np.bool_]


def latest(dates: pd.Series, share: float) -> Rows:
    """Mark (n_rows) the rows of the latest dates: as few dates as reach `share` of the rows.

    At least one date stays for fitting. Raises `DataError` for a null date.
    """
    if dates.isna().any():
        raise DataError(f"date column {dates.name!r} has nulls. Leave such rows out in the query.")
    per_date = dates.value_counts().sort_index(ascending=False)
    reached = int((per_date.cumsum() < share * len(dates)).sum()) + 1
    held = per_date.index[: min(reached, len(per_date) - 1)]
    return dates.isin(held).to_numpy()


def by_key(keys: pd.Index, label: pd.Series | None, share: float, seed: int) -> Rows:
    """Mark (n_rows) `share` of the rows, by their keys; of each class when `label` is given."""
    hashed = np.asarray(pd.util.hash_pandas_object(keys, index=False))
    order = pd.Series(mixed(hashed + mixed(np.array([seed], np.uint64))))
    groups = pd.Series(0, order.index) if label is None else label.reset_index(drop=True)
    rank = order.groupby(groups).rank(method="first")
    size = order.groupby(groups).transform("size")
    return (rank <= (size * share).round()).to_numpy()
