"""Results into files: predictions, which appear whole or not at all, and the disk's refusals."""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from prediction.core.errors import WriteError

_REMEDIES = {
    errno.ENOSPC: "Free some space on the disk",
    errno.EDQUOT: "Free some space on the disk",
    errno.EACCES: "Give this user the permission",
    errno.EPERM: "Give this user the permission",
    errno.EROFS: "Mount the disk for writing",
    errno.ENOTDIR: "Move the file that lies where a folder should be",
    errno.EEXIST: "Move the file that lies where a folder should be",
    errno.EISDIR: "Move the folder that lies where a file should be",
}


class Writer(Protocol):
    """An open file of predictions."""

    def write_batch(self, batch: pa.RecordBatch) -> None:
        """Append the rows of `batch`."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn the system's refusals to write `path` into a `WriteError`; others pass as they are."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REMEDIES:
            raise
        # The system's own words: a library wraps them in many.
        reason = os.strerror(error.errno)
        raise WriteError(
            f"{path} cannot be written: {reason}. {_REMEDIES[error.errno]}."
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a draft for one small file, which takes the name `path` at the end if all went well.

    Raises `WriteError` when the disk refuses.
    """
    draft = path.with_name(f".{path.name}.tmp")
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield draft
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def writing(path: Path, schema: pa.Schema) -> Iterator[Writer]:
    """Open a file that takes the name `path` at the end, if all went well.

    The suffix chooses: Parquet (compressed by Zstandard), or CSV, perhaps compressed by gzip.
    Raises `WriteError` when the disk refuses.
    """
    draft = path.with_name(f".{path.name}.tmp")
    with ExitStack() as stack:
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.callback(draft.unlink, missing_ok=True)
            file = ExitStack()
            writer = _open(draft, path.name, schema, file)
        try:
            yield _Naming(writer, path)
        except BaseException:
            # The reason is known; that the broken file cannot be ended well is none.
            with suppress(OSError, pa.ArrowException):
                file.close()
            raise
        with naming(path):
            file.close()
            draft.replace(path)


class _Naming:
    """A writer whose refusals name the file."""

    def __init__(self, writer: Writer, path: Path) -> None:
        self._writer, self._path = writer, path

    def write_batch(self, batch: pa.RecordBatch) -> None:
        with naming(self._path):
            self._writer.write_batch(batch)


def _open(draft: Path, name: str, schema: pa.Schema, stack: ExitStack) -> Any:
    if name.endswith(".parquet"):
        return stack.enter_context(pq.ParquetWriter(draft, schema, compression="zstd"))
    compression = "gzip" if name.endswith(".gz") else None
    sink = stack.enter_context(pa.output_stream(draft, compression=compression))
    return stack.enter_context(pa.csv.CSVWriter(sink, schema))
