"""Predictions into a file, which appears whole or not at all."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq


class Writer(Protocol):
    """An open file of predictions."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append the rows of `batch`."""


@contextmanager
def writing(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    """Open a file that takes the name `path` at the end, if all went well.

    The suffix chooses: Parquet (compressed by Zstandard), or CSV, perhaps compressed by gzip.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    try:
        with ExitStack() as stack:
            yield _open(draft, path.name, schema, stack)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _open(draft: Path, name: str, schema: pa.Schema, stack: ExitStack) -> Any:
    if name.endswith(".parquet"):
        return stack.enter_context(pq.ParquetWriter(draft, schema, compression="zstd"))
    compression = "gzip" if name.endswith(".gz") else None
    sink = stack.enter_context(pa.output_stream(draft, compression=compression))
    return stack.enter_context(pa.csv.CSVWriter(sink, schema))
