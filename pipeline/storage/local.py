"""Objects as files of this machine. A URL is an absolute path, taken literally.

A write goes to a file beside the object that no listing shows; it is put in place, whole, by one
call of the kernel, and is on the disk before that. Being killed leaves at most such a file, which
`list_remains` finds.
"""

import errno
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pipeline import checksums
from pipeline.storage import Entry, Stat, disk, wording

# No writer is at work on one file for so long.
_REMAINS_SECONDS = 24 * 60 * 60


class _File(NamedTuple):
    """A file that was met on the way, whether it is an object or to become one."""

    path: str
    name: str
    status: os.stat_result

    @property
    def is_unfinished(self) -> bool:
        return self.name.startswith(disk.UNFINISHED)

    def entry(self) -> Entry:
        status = self.status
        version = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
        return Entry(self.path, status.st_size, version)


class LocalStorage:
    """`Storage` on the disk: any file below a folder is an object, whoever wrote it."""

    def exists(self, url: str) -> bool:
        with disk.naming(f"look at {url}"):
            return Path(url).is_file()

    def read(self, url: str) -> bytes:
        with disk.naming(f"read {url}"), disk.missing(url):
            return Path(url).read_bytes()

    def write(self, url: str, content: bytes, *, create_only: bool = False) -> Stat:
        with disk.naming(f"write {url}"), disk.unfinished(Path(url)) as unfinished:
            unfinished.write_bytes(content)
            _put(unfinished, Path(url), create_only=create_only)
        return Stat(len(content), checksums.of_bytes(content))

    def list(self, folder: str) -> Iterator[Entry]:
        with disk.naming(f"list {folder}"):
            found = [file for file in _walk(folder) if not file.is_unfinished]
        yield from _entries(found)

    def upload(self, path: Path, url: str, *, create_only: bool = False) -> Stat:
        with disk.naming(f"write {url}"), disk.unfinished(Path(url)) as unfinished:
            with disk.missing(str(path)):
                stat = Stat(path.stat().st_size, checksums.of_file(path))
                shutil.copyfile(path, unfinished)
            _put(unfinished, Path(url), create_only=create_only)
        return stat

    def download(self, url: str, path: Path) -> None:
        with disk.naming(f"download {url} to {path}"), disk.unfinished(path) as unfinished:
            with disk.missing(url):
                shutil.copyfile(url, unfinished)
            unfinished.replace(path)

    def stat(self, url: str) -> Stat:
        path = Path(url)
        with disk.naming(f"read {url}"), disk.missing(url):
            return Stat(path.stat().st_size, checksums.of_file(path))

    def stats(self, folder: str) -> dict[str, Stat]:
        return {entry.url: self.stat(entry.url) for entry in self.list(folder)}

    def list_remains(self, folder: str) -> Iterator[Entry]:
        before = time.time() - _REMAINS_SECONDS
        with disk.naming(f"list {folder}"):
            found = [file for file in _walk(folder) if file.is_unfinished]
        yield from _entries(file for file in found if file.status.st_mtime < before)

    def delete(self, url: str) -> None:
        with disk.naming(f"delete {url}"):
            if Path(url).is_file():
                Path(url).unlink(missing_ok=True)


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
        raise wording.there_already(str(path)) from None
    except PermissionError as refusal:
        # Linux says "not permitted" where the file system has no hard links (link(2)).
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from refusal


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _entries(files: Iterable[_File]) -> list[Entry]:
    return [file.entry() for file in sorted(files)]


def _walk(folder: str) -> Iterator[_File]:
    """Files below `folder`, in no order. What vanishes while we look was never there."""
    try:
        items = list(os.scandir(folder.rstrip("/") or "/"))
    except (FileNotFoundError, NotADirectoryError):
        return
    for item in items:
        if item.is_dir():
            yield from _walk(item.path)
            continue
        with suppress(FileNotFoundError):
            yield _File(item.path, item.name, item.stat())
