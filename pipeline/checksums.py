"""Checksums as `<algorithm>:<hexadecimal digits>`, of files and of bytes.

The algorithm is SHA-256, or CRC32C (RFC 3720, appendix B.4), which Cloud Storage keeps of every
object: cloud.google.com/storage/docs/data-validation
"""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

from pipeline.errors import ChecksumError

SHA256 = "sha256"
CRC32C = "crc32c"

_CHUNK_BYTES = 1 << 20


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def of_bytes(content: bytes, algorithm: str = SHA256) -> str:
    counted = _algorithm(algorithm)()
    counted.update(content)
    return f"{algorithm}:{counted.digest().hex()}"


def of_file(path: Path, algorithm: str = SHA256) -> str:
    """Raise `OSError` when the file can't be read."""
    counted = _algorithm(algorithm)()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            counted.update(chunk)
    return f"{algorithm}:{counted.digest().hex()}"


def matches(path: Path, checksum: str) -> bool:
    """Whether the file at `path` has `checksum`, of either algorithm.

    Raises `ChecksumError` when the algorithm is another, and `OSError` like `of_file`.
    """
    return of_file(path, checksum.partition(":")[0]) == checksum


@cache
def _algorithm(name: str) -> Callable[[], _Hash]:
    if name == SHA256:
        return hashlib.sha256
    if name == CRC32C:
        # Only who reads or writes Cloud Storage needs it.
        from google_crc32c import Checksum

        return Checksum
    raise ChecksumError(
        f"A checksum of the kind {name!r} can't be compared, only {SHA256} and {CRC32C}. Upgrade"
        " the program that reads it."
    )
