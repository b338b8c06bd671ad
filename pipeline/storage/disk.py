"""Files of this machine, which every side reads and writes, and what goes wrong with them."""

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError, StorageError
from pipeline.storage import wording

UNFINISHED = ".unfinished-"

_NOTHING_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
_REMEDIES = {
    errno.EACCES: "Give this user the permission",
    errno.EPERM: "Give this user the permission",
    errno.EROFS: "Mount the disk for writing",
    errno.ENOSPC: "Free some space on the disk",
    errno.EDQUOT: "Free some space on the disk",
    errno.ENOTDIR: "Move the file that lies where a folder should be",
    errno.EEXIST: "Move the file that lies where a folder should be",
    errno.EISDIR: "Move the folder that lies where a file should be",
    errno.ENOTSUP: "Use a disk that knows hard links",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
}


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """A new name beside `path`, whose folder is made when it is missing; nothing stays there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        yield name
    finally:
        name.unlink(missing_ok=True)


@contextmanager
def missing(url: str) -> Iterator[None]:
    """A file that is not there as an error that names `url`."""
    try:
        yield
    except _NOTHING_THERE:
        raise wording.missing(url) from None


@contextmanager
def naming(doing: str) -> Iterator[None]:
    """The kernel's errors as ours, with the object and the remedy."""
    try:
        yield
    except PipelineError:
        raise
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Look at the disk")
        raise StorageError(
            f"Can't {doing}: {error.strerror or error}. {remedy}, or choose another "
            "`storage` under [pipeline] in luigi.cfg."
        ) from error
