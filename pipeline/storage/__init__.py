"""Objects named by URL: the interface, and the side that a URL's scheme chooses.

A URL without a scheme is an absolute path of this machine, gs://bucket/name an object in Cloud
Storage. Both are taken literally: nothing in them is quoted, so a space, `%` or `#` means itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from pipeline.errors import ObjectExistsError, SettingsError


@dataclass(frozen=True)
class Entry:
    """One object of a listing. `version` is a token that changes with the content."""

    url: str
    size_bytes: int
    version: str


@dataclass(frozen=True)
class Stat:
    """What a marker says of a file; `checksum` is `<algorithm>:<hexadecimal digits>`."""

    size_bytes: int
    checksum: str


class Storage(Protocol):
    """Objects named by URL. A write is seen whole or not at all, and by every reader at once.

    Every method raises `StorageError` when the storage itself fails: no permission, no space.
    """

    def exists(self, url: str) -> bool:
        """Whether an object is at `url`. A folder is no object."""

    def read(self, url: str) -> bytes:
        """Raise `ObjectMissingError` when nothing is at `url`."""

    def write(self, url: str, content: bytes, *, create_only: bool = False) -> Stat:
        """Returns what `stat` says of the object.

        Raises `ObjectExistsError` when `create_only` and something is there already.
        """

    def list(self, folder: str) -> Iterator[Entry]:
        """Every object below `folder`, at any depth, ordered by URL. Nothing there: no entry."""

    def upload(self, path: Path, url: str, *, create_only: bool = False) -> Stat:
        """Copy the file at `path` to `url`, with the promises of `write`."""

    def download(self, url: str, path: Path) -> None:
        """Copy the object to the file `path`. Raise `ObjectMissingError` when nothing is there."""

    def stat(self, url: str) -> Stat:
        """Size and checksum of an object. Raise `ObjectMissingError` when nothing is there.

        The algorithm of the checksum is the storage's own, the same for all of its objects.
        """

    def stats(self, folder: str) -> Mapping[str, Stat]:
        """What `stat` says of every object below `folder`, by its URL, in as few requests."""

    def list_remains(self, folder: str) -> Iterator[Entry]:
        """What writers left below `folder` that were killed more than a day ago, by URL.

        No other listing shows it. What a writer may still be at work on is not among it.
        """

    def delete(self, url: str) -> None:
        """Take the object away. No-op when nothing is at `url`."""


def open(url: str) -> Storage:  # noqa: A001 - the port's own word: storage.open(url)
    """The storage that holds `url`."""
    scheme, separator, _ = url.partition("://")
    return _open(scheme if separator else "")


def write_once(url: str, content: bytes) -> bool:
    """Write what is written only once. False when something is at `url` already."""
    try:
        open(url).write(url, content, create_only=True)
    except ObjectExistsError:
        return False
    return True


@cache
def _open(scheme: str) -> Storage:
    if not scheme:
        from pipeline.storage.local import LocalStorage

        return LocalStorage()
    if scheme == "gs":
        from pipeline.storage.google import GoogleStorage

        return GoogleStorage()
    raise SettingsError(
        f"There is no storage for {scheme}:// URLs. Set `storage` under [pipeline] to a folder or"
        " to gs://bucket/prefix."
    )
