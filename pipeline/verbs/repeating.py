"""Whether a model's predictions depend on a customer's own row only, as `check` finds out.

Some rows are predicted in several ways. Training does the like in its own process
(prediction/core/repeatability.py); this goes through files, as application does every day.
"""

import datetime
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import storage
from pipeline.model_package import Recipe
from pipeline.queries import FEATURES
from pipeline.verbs.asking import Asking, Question
from pipeline.verbs.comparing import Difference, find_differences
from pipeline.verbs.trained import Trained
from pipeline.warehouse import Extraction

ROWS = 1000

_FORWARDS, _BACKWARDS = "rows.parquet", "reversed.parquet"


@dataclass(frozen=True)
class Way:
    """How rows come to the model: in words, from which file, and in which batches and threads."""

    words: str
    data: str
    batch_rows: int
    threads: int

    def keys(self, folder: Path) -> dict[str, Any]:
        """What it is in the model's config, when the files are in `folder`."""
        return {
            "data_path": str(folder / self.data),
            "batch_rows": self.batch_rows,
            "threads": self.threads,
        }


def find_ways(rows: int) -> tuple[Way, ...]:
    """How so many rows are given to a model. The others are compared with the first.

    They come in the order in which each says most: what the mean of a batch changes is no matter of
    order, and what batches change none of threads.
    """
    some, few = max(1, rows // 20), max(1, rows // 27)
    return (
        Way("all at once", _FORWARDS, rows, 1),
        Way("in reversed order", _BACKWARDS, rows, 1),
        Way(f"in batches of {few}", _FORWARDS, few, 1),
        Way(f"in batches of {some}, four at the same time", _FORWARDS, some, 4),
    )


@dataclass(frozen=True)
class Rehearsal:
    """What `model` is to predict from: the features query that was sealed with it, as of a date."""

    model: Trained
    features: Question

    @classmethod
    def of(cls, model: Trained, date: datetime.date, current: str) -> "Rehearsal":
        """`current` is the package's query: where it is the sealed one, it is asked only once."""
        recipe = Recipe.of_model(model.run.marker)
        name = FEATURES if recipe.features == current else f"{FEATURES} of {model.name}"
        return cls(model, Question.of(name, recipe.features, {"date": date}, recipe.key))

    def is_repeatable(self, warehouse: Asking) -> bool:
        """Whether the model predicts the same however rows come; prints what is known."""
        # When one file is refused, others may still be on their way into it.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
            folder = Path(name)
            self.model.fetch(folder)
            rows = _lay_out(warehouse.ask(self.features), folder)
            messages = self._compare(find_ways(rows), folder)
        for message in messages:
            print(message)
        if not messages:
            print(
                f"{self.model.name.capitalize()} predicts the same for {rows:,} rows, whatever the"
                " batches, their order and the threads."
            )
        return not messages

    def _compare(self, ways: Sequence[Way], folder: Path) -> list[str]:
        """In what predictions differ, a message for each column, in the first way that differs."""
        made = self.model.apply(folder, [each.keys(folder) for each in ways])
        once, *others = map(_describe_file, made)
        for way, other in zip(ways[1:], others, strict=True):
            found = list(find_differences(once, other, self.features.key))
            if found:
                return [self._describe(way, each) for each in found]
        return []

    def _describe(self, way: Way, found: Difference) -> str:
        once, then = found.values
        values = f"has {found.column} = {then}, and {once} when all come at once"
        if found.column is None:
            values = f"is {'not ' if once else 'only '}predicted then"
        return (
            f"error: {self.model.name} predicts otherwise when rows come {way.words}: {found.key}"
            f" {values} ({found.count}). Let a prediction depend on its own row only."
        )


def explain_skipping(model: Trained | None) -> str | None:
    """Why no predictions are made here; None when they can be."""
    if model is None:
        return "No model yet: predictions are checked at training, and here once one is there."
    reason = None
    if not model.is_by_framework:
        reason = "of a package with a protocol of its own"
    elif model.marker.image:
        reason = f"applied in its image, {model.marker.image}"
    if reason is None:
        return None
    return f"{model.name.capitalize()} is {reason}: its predictions are not checked here."


def _lay_out(features: Extraction, folder: Path) -> int:
    """Leave some rows at equal distances in `folder`, as they are and reversed; returns how many.

    Never is more than a batch in memory besides.
    """
    step = max(1, features.rows // ROWS)
    chosen, seen = [], 0
    for number, url in enumerate(features.files):
        path = folder / f"features-{number}.parquet"
        storage.open(url).download(url, path)
        for batch in pq.ParquetFile(path).iter_batches():
            places = range(-seen % step, batch.num_rows, step)
            chosen.append(batch.take(pa.array(places, pa.int64())))
            seen += batch.num_rows
    rows = pa.Table.from_batches(chosen).slice(0, ROWS)
    pq.write_table(rows, folder / _FORWARDS)
    pq.write_table(rows.take(pa.array(range(len(rows) - 1, -1, -1))), folder / _BACKWARDS)
    return len(rows)


def _describe_file(path: Path) -> Extraction:
    file, url = pq.ParquetFile(path), str(path)
    columns = {field.name: str(field.type) for field in file.schema_arrow}
    return Extraction({url: storage.open(url).stat(url)}, file.metadata.num_rows, columns)
