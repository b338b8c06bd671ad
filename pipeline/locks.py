"""Files that are locked as long as a process lives: how one machine knows what runs on it.

The kernel lets go of a lock when the last process that holds it ends, however it ends, so a lock
can't be left behind. A child that inherits the file's descriptor holds the lock too.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.01


class Lock:
    """An exclusive lock on a file, made by `acquire`, held until `release` or the process's end."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def acquire(cls, path: Path) -> Self | None:
        """The lock on `path`, or None when another process holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + _PATIENCE_SECONDS
        while not _try(descriptor, fcntl.LOCK_EX):
            # `is_held` shares the lock for a moment, which is long when the machine is busy. Only
            # what can't be shared is a holder.
            if not _try(descriptor, fcntl.LOCK_SH) or time.monotonic() > end:
                os.close(descriptor)
                return None
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            time.sleep(_PAUSE_SECONDS)
        return cls(descriptor)

    def note(self, text: str) -> None:
        """Leave `text` in the file, for `read_note`."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, text.encode(), 0)

    def release(self) -> None:
        """Close this process's descriptor. A child that inherited it goes on holding the lock."""
        os.close(self.descriptor)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock on `path`."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return not _try(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def read_note(path: Path) -> str:
    """What the holder left in the file; empty when there is none."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _try(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
