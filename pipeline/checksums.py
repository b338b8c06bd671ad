"""Checksums as `<algorithm>:<hexadecimal digits>`, of files and of bytes."""

import hashlib
from pathlib import Path

_ALGORITHM = "sha256"


def of_bytes(content: bytes) -> str:
    return f"{_ALGORITHM}:{hashlib.sha256(content).hexdigest()}"


def of_file(path: Path) -> str:
    """Raise `OSError` when the file can't be read."""
    with path.open("rb") as file:
        return f"{_ALGORITHM}:{hashlib.file_digest(file, _ALGORITHM).hexdigest()}"
