"""Application: rows in, predictions out, in the same order, never the whole in memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, TypeVar

import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from prediction.core import classes, columns, comparison, predictions, reading, sealing, writing
from prediction.core.columns import Types
from prediction.core.config import ApplicationConfig
from prediction.core.constants import Constant
from prediction.core.drift import Tally
from prediction.core.errors import ConfigError, DataError
from prediction.core.formats import File
from prediction.core.keys import KeyCheck
from prediction.core.progress import Progress
from prediction.core.reference import Reference
from prediction.core.sealing import Seal

T = TypeVar("T")
R = TypeVar("R")

CONSTANT_TYPES = {
    "bool": pa.bool_(),
    "date": pa.date32(),
    "double": pa.float64(),
    "int64": pa.int64(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
}


def apply(config: ApplicationConfig, progress: Progress) -> int:
    """Predict every row of `data_path` into `output_path`; returns the number of rows.

    Memory is that of some `threads` + 3 batches, and of 8 bytes per row when the keys are not in
    ascending order. Nothing is left at `output_path` when it fails. Beside it is told how far the
    rows are from those of the training (`comparison`).
    """
    seal, model = sealing.read(config.model_path)
    kept = Reference.read(config.model_path)
    files = reading.find(config.data_path)
    reading.check_columns(files, {**seal.key, **seal.features}, known(seal))
    rows, total = 0, reading.count(files)
    tally = Tally(kept, total) if kept else None
    scorer = Scorer(seal, model, config.constants, tally)
    check = KeyCheck(lambda: (scorer.keys(b) for b in batches(files, seal.key, config)))
    if total == 0:
        raise _no_rows(files)

    def checked() -> Iterator[tuple[int, pa.RecordBatch]]:
        start = 0
        for batch in batches(files, as_read(seal), config):
            check.see(scorer.keys(batch))
            yield start, batch
            start += batch.num_rows

    # One core for each thread: the libraries' own threads would only fight over them.
    with threadpool_limits(1), writing.writing(config.output_path, scorer.schema) as writer:
        for scored in in_order(scorer, checked(), config.threads):
            writer.write_batch(scored)
            rows += scored.num_rows
            progress.rows("scoring", rows, total)
        if not rows:
            raise _no_rows(files)
        check.finish()
        _compare(config, tally, progress)
    progress.wrote({column.name: str(column.type) for column in scorer.schema})
    return rows


def _compare(config: ApplicationConfig, tally: Tally | None, progress: Progress) -> None:
    """Tell of drift. Raises `DataError` when there is more than the config allows."""
    if tally is None:
        comparison.write_nothing_to_compare(config)
        return
    drifts = tally.drifts()
    comparison.check(drifts, config)
    told = comparison.warnings(drifts, config)
    comparison.write(drifts, config, told)
    progress.warn(told)


def known(seal: Seal) -> set[str]:
    """Columns that the data may have and the model does not read."""
    return {*seal.ignored, *([seal.label] if seal.label else [])}


def batches(files: list[File], types: Types, config: ApplicationConfig) -> Iterator[pa.RecordBatch]:
    """Read the columns `types` in the batches of this run."""
    return reading.batches(files, types, config.batch_rows)


def as_read(seal: Seal) -> Types:
    """How to read a file that knows no types. A feature that is a number may have a fraction."""
    number = {
        name: pa.float64()
        for name, type_ in seal.features.items()
        if columns.kind(type_) == "number"
    }
    return {**seal.key, **seal.features, **number}


class Scorer:
    """Turns a batch of data into a batch of predictions: the key, what was predicted, constants.

    Called from several threads at once. What goes in and what comes out is counted by `tally`.
    """

    def __init__(
        self,
        seal: Seal,
        model: Any,
        constants: dict[str, Constant],
        tally: Tally | None = None,
    ) -> None:
        if twice := [name for name in constants if name in seal.key or name in seal.predicted]:
            raise ConfigError(
                f"constant {twice[0]!r} is also a column of the key or of the predictions. "
                "Rename it."
            )
        self._seal, self._model, self._tally = seal, model, tally
        self._constants = [
            pa.scalar(one.value, CONSTANT_TYPES[one.type]) for one in constants.values()
        ]
        types = {name: CONSTANT_TYPES[one.type] for name, one in constants.items()}
        self.schema = pa.schema({**seal.key, **seal.predicted, **types})

    def keys(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The columns of the key (n_rows, n_keys), in training's types."""
        names = list(self._seal.key)
        return pa.record_batch([self._key(batch, name) for name in names], names=names)

    def __call__(self, placed: tuple[int, pa.RecordBatch]) -> pa.RecordBatch:
        """Predict (n_rows, n_key + n_features) and return (n_rows, n_columns of the table).

        `placed` has, before the batch, how many rows of the data come before it.
        """
        start, batch = placed
        keys = self.keys(batch)
        features = batch.select(list(self._seal.features))
        whole = pa.record_batch(
            [*keys.columns, *features.columns], names=[*keys.schema.names, *features.schema.names]
        )
        data = columns.frame(whole, list(self._seal.key), self._seal.features)
        # Before the model has had the features in its hands: it may write into them.
        if self._tally:
            self._tally.add_features(start, data)
        predicted = predictions.arrays(classes.predict(self._model, data), self._seal.predicted)
        if self._tally:
            named = dict(zip(self._seal.predicted, predicted, strict=True))
            self._tally.add_predictions(start, named)
        constants = [pa.repeat(value, batch.num_rows) for value in self._constants]
        return pa.record_batch([*keys.columns, *predicted, *constants], schema=self.schema)

    def _key(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        column = batch.column(name)
        try:
            return column.cast(self._seal.key[name])
        except pa.ArrowInvalid as error:
            raise DataError(
                f"key {name!r} is not {self._seal.key[name]}, as it was at training: {error}"
            ) from error


def in_order(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Do `work` on each of `items` in `threads` threads; yield results in the order of `items`.

    One thread more reads `items`, one ahead. At most `threads` + 2 items are in hand at once.
    """
    iterator = chain(items)
    waiting: deque[Future[R]] = deque()
    reader = ThreadPoolExecutor(1)
    workers = ThreadPoolExecutor(threads, initializer=threadpool_limits, initargs=(1,))
    try:
        following = reader.submit(next, iterator, None)
        while (item := following.result()) is not None:
            following = reader.submit(next, iterator, None)
            waiting.append(workers.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for pool in (reader, workers):
            pool.shutdown(cancel_futures=True)


def _no_rows(files: list[File]) -> DataError:
    return DataError(f"{files[0].path} has no rows. Make the data again, or correct `data_path`.")
