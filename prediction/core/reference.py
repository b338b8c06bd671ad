"""What the data of a training were like: kept with the model, to compare later data with.

`reference.json` lies beside `model.json`. A model that was trained before there was one is applied
all the same; there is nothing to compare its data with then.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa

from prediction.core import bins, columns, predictions
from prediction.core.bins import Bins
from prediction.core.columns import Types
from prediction.core.errors import SealError

FILE = "reference.json"
FORMAT = 1
ROWS = 200_000  # at most so many are looked at
FEATURE, SCORE = "feature", "score"


@dataclass(frozen=True)
class Column:
    """A feature, or the score, as it was at training: `shares` of `rows` rows lay in `bins`."""

    name: str
    role: str
    bins: Bins
    shares: tuple[float, ...]
    rows: int

    @classmethod
    def of(cls, name: str, role: str, bins_: Bins, values: Any) -> Self:
        """Count `values` (n_rows), of which there is one at least."""
        places = bins_.place(values)
        shares = np.bincount(places, minlength=len(bins_.names)) / len(places)
        return cls(name, role, bins_, tuple(map(float, shares)), len(places))

    @property
    def missing_share(self) -> float:
        return self.shares[-1]


@dataclass(frozen=True)
class Reference:
    """The features in their order, and at last the score if the model has one."""

    columns: Sequence[Column]

    def write(self, folder: Path) -> None:
        described = [
            {"name": one.name, "role": one.role, "rows": one.rows}
            | {**one.bins.plain(), "shares": list(one.shares)}
            for one in self.columns
        ]
        content = json.dumps({"format": FORMAT, "columns": described}, indent=2)
        (folder / FILE).write_text(content + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """What is kept with the model in `folder`; None when nothing is. Raises `SealError`."""
        path = folder / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT:
                raise ValueError(f"it has format {content['format']}, and this code reads {FORMAT}")
            return cls([_column(one) for one in content["columns"]])
        except FileNotFoundError:
            return None
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise SealError(f"{path} cannot be read: {error}. Train the model anew.") from error


def of_features(data: pd.DataFrame, types: Types, seed: int) -> list[Column]:
    """Look at the features (n_rows, n_features), or at a sample of `ROWS` of the rows."""
    data = sample(data, seed)
    return [
        Column.of(name, FEATURE, bins.of(type_, data[name]), data[name])
        for name, type_ in types.items()
    ]


def of_score(predicted: pd.DataFrame, score: str | None, key: Sequence[str]) -> list[Column]:
    """Look at the column `score` of predictions (n_rows, n_columns); nothing without such a one."""
    if score is None or score not in predicted.columns or predicted[score].isna().all():
        return []
    types = predictions.types(predicted[[score]], key)
    if columns.kind(types[score]) is None:
        return []
    [array] = predictions.arrays(predicted[[score]], types)
    values = score_values(array)
    return [Column.of(score, SCORE, bins.of(types[score], values), values)]


def score_values(array: pa.Array) -> Any:
    """What is compared of a score (n_rows). Whole numbers beyond 2**53 are rounded; no harm."""
    if columns.kind(array.type) == "number":
        return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return columns.feature("", array, array.type)


def sample(data: pd.DataFrame, seed: int) -> pd.DataFrame:
    """`ROWS` of the rows, in their order; all when there are no more."""
    if len(data) <= ROWS:
        return data
    chosen = np.random.default_rng(seed).choice(len(data), ROWS, replace=False)
    return data.iloc[np.sort(chosen)]


def _column(plain: dict[str, Any]) -> Column:
    found = bins.read(plain)
    shares = tuple(map(float, plain["shares"]))
    if len(shares) != len(found.names):
        raise ValueError(f"{plain['name']} has {len(shares)} shares of {len(found.names)} bins")
    return Column(str(plain["name"]), str(plain["role"]), found, shares, int(plain["rows"]))
