"""The warehouse's file: open for one transaction at a time, and closed in between.

While a process has a DuckDB file open for writing no other can open it, so each waits its turn at
a lock file beside it. A person's own `duckdb` shell knows nothing of that file, but holds DuckDB's
own lock: it is waited for in the same way.
"""

import os
import re
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from pipeline.errors import DataError, StorageError, WarehouseBusyError
from pipeline.locks import Lock, read_note
from pipeline.warehouse.local.session import connect, explain

_PAUSE_SECONDS = 0.05
_SHOWN_LETTERS = 100
_CONFLICT = "Could not set lock on file"
_HOLDER = re.compile(r"Conflicting lock is held in (.+) \(PID (\d+)\)")


@contextmanager
def transaction(path: Path, wait_seconds: float) -> Iterator[duckdb.DuckDBPyConnection]:
    """The database at `path`, made when it is not there. An error or a kill leaves it as it was.

    Raises `WarehouseBusyError` when another process still holds it after `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    lock = _lock(path, deadline, wait_seconds)
    try:
        with closing(_open(path, deadline, wait_seconds)) as connection:
            connection.begin()
            yield connection
            connection.commit()
    except duckdb.DataError as error:
        raise DataError(
            f"The files do not fit {path}, which is as it was: {explain(error)}."
        ) from error
    except duckdb.Error as error:
        raise StorageError(
            f"The warehouse {path} can't be used, and is as it was: {explain(error)}. Look at its"
            " disk, and run this again."
        ) from error
    finally:
        lock.release()


def _lock(path: Path, deadline: float, wait_seconds: float) -> Lock:
    beside = path.with_name(f"{path.name}.lock")
    try:
        lock = Lock.acquire(beside)
        while lock is None:
            if time.monotonic() >= deadline:
                raise _busy(path, _name_holder(read_note(beside)), wait_seconds)
            time.sleep(_PAUSE_SECONDS)
            lock = Lock.acquire(beside)
        lock.note(f"{os.getpid()} {shlex.join(sys.orig_argv)}")
    except OSError as error:
        raise StorageError(
            f"The lock file {beside} can't be written: {error.strerror}. Let this user write to"
            " its folder, or correct `warehouse` under [pipeline] in luigi.cfg."
        ) from error
    return lock


def _open(path: Path, deadline: float, wait_seconds: float) -> duckdb.DuckDBPyConnection:
    while True:
        try:
            return connect(str(path))
        except duckdb.Error as error:
            if _CONFLICT not in str(error):
                raise DataError(
                    f"The warehouse {path} can't be opened: {explain(error)}. Move the file away,"
                    " or correct `warehouse` under [pipeline] in luigi.cfg."
                ) from error
            if time.monotonic() >= deadline:
                raise _busy(path, _name_foreigner(str(error)), wait_seconds) from error
        time.sleep(_PAUSE_SECONDS)


def _busy(path: Path, holder: str, wait_seconds: float) -> WarehouseBusyError:
    return WarehouseBusyError(
        f"The warehouse {path} was in use by {holder} for {wait_seconds:g} s. Let that process end,"
        " or close the file there; then run this again."
    )


def _name_holder(note: str) -> str:
    pid, _, command = note.partition(" ")
    return _name(pid, command) if pid else "another process"


def _name_foreigner(message: str) -> str:
    """The process that DuckDB blames, with its command line where the system shows it."""
    holder = _HOLDER.search(message)
    if not holder:
        return "another process"
    program, pid = holder.groups()
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode().split("\0")
    except (OSError, UnicodeDecodeError):
        return _name(pid, program)
    return _name(pid, shlex.join(words))


def _name(pid: str, command: str) -> str:
    line = re.sub(r"\s+", " ", command)
    rest = " ..." if line[_SHOWN_LETTERS:] else ""
    return f"process {pid} ({line[:_SHOWN_LETTERS]}{rest})"
