"""Objects as files of this machine. A URL is an absolute path, taken literally.

A write goes to a file beside the object that no listing shows; it is put in place, whole, by one
call of the kernel, and is on the disk before that. Being killed leaves at most such a file.
"""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline import checksums
from pipeline.errors import (
    ObjectExistsError,
    ObjectMissingError,
    PipelineError,
    StorageError,
)
from pipeline.storage import Entry, Stat

_UNFINISHED = ".unfinished-"
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


class LocalStorage:
    """`Storage` on the disk: any file below a folder is an object, whoever wrote it."""

    def exists(self, url: str) -> bool:
        with _naming("look at", url):
            return Path(url).is_file()

    def read(self, url: str) -> bytes:
        with _naming("read", url), _missing(url):
            return Path(url).read_bytes()

    def write(self, url: str, content: bytes, *, create_only: bool = False) -> None:
        with _naming("write", url), _unfinished(Path(url)) as unfinished:
            unfinished.write_bytes(content)
            _put(unfinished, Path(url), create_only=create_only)

    def list(self, folder: str) -> Iterator[Entry]:
        with _naming("list", folder):
            entries = sorted(_entries(folder.rstrip("/") or "/"), key=lambda entry: entry.url)
        yield from entries

    def upload(self, path: Path, url: str, *, create_only: bool = False) -> None:
        with _naming("write", url), _unfinished(Path(url)) as unfinished:
            with _missing(str(path)):
                shutil.copyfile(path, unfinished)
            _put(unfinished, Path(url), create_only=create_only)

    def download(self, url: str, path: Path) -> None:
        with _naming(f"download to {path}", url), _unfinished(path) as unfinished:
            with _missing(url):
                shutil.copyfile(url, unfinished)
            unfinished.replace(path)

    def stat(self, url: str) -> Stat:
        path = Path(url)
        with _naming("read", url), _missing(url):
            return Stat(path.stat().st_size, checksums.of_file(path))

    def delete(self, url: str) -> None:
        with _naming("delete", url):
            if Path(url).is_file():
                Path(url).unlink(missing_ok=True)


@contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A new name beside `path`, whose folder is made when it is missing; nothing stays there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.parent / f"{_UNFINISHED}{secrets.token_hex(8)}"
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _put(unfinished: Path, path: Path, *, create_only: bool) -> None:
    """Make the file `unfinished` the object at `path`, for good.

    The file's time is set to our own clock: the kernel's ticks every few milliseconds, too
    coarse to tell two versions apart when an inode is used again.
    """
    now = time.time_ns()
    os.utime(unfinished, ns=(now, now))
    _to_disk(unfinished)
    if create_only:
        _link(unfinished, path)
    else:
        unfinished.replace(path)
    _to_disk(path.parent)


def _link(unfinished: Path, path: Path) -> None:
    try:
        os.link(unfinished, path)
    except FileExistsError:
        raise ObjectExistsError(
            f"{path} is there already and is written only once. Delete it to have it made again."
        ) from None
    except PermissionError as refusal:
        # Linux says "not permitted" where the file system has no hard links (link(2)).
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from refusal


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entries(folder: str) -> Iterator[Entry]:
    """Files below `folder`, in no order. What vanishes while we look was never there."""
    try:
        items = list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
    for item in items:
        if item.is_dir():
            yield from _entries(item.path)
        elif not item.name.startswith(_UNFINISHED) and (entry := _entry(item)):
            yield entry


def _entry(item: os.DirEntry[str]) -> Entry | None:
    try:
        status = item.stat()
    except FileNotFoundError:
        return None
    version = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
    return Entry(item.path, status.st_size, version)


@contextmanager
def _missing(url: str) -> Iterator[None]:
    try:
        yield
    except _NOTHING_THERE:
        raise ObjectMissingError(
            f"{url} does not exist. Run the task that writes it, or correct `storage` under "
            "[pipeline] in luigi.cfg."
        ) from None


@contextmanager
def _naming(verb: str, url: str) -> Iterator[None]:
    """The kernel's errors as ours, with the object and the remedy."""
    try:
        yield
    except PipelineError:
        raise
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "Look at the disk")
        raise StorageError(
            f"Can't {verb} {url}: {error.strerror or error}. {remedy}, or choose another "
            "`storage` under [pipeline] in luigi.cfg."
        ) from error
