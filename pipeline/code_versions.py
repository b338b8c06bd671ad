"""Which code made a result: a digest of the model package."""

from collections.abc import Iterator
from pathlib import Path

from pipeline import checksums

_SUFFIXES = {".py", ".sql", ".json", ".txt"}
_NOT_CODE = {"tests", "data"}
# It says when results may be made, and nothing of what is in them.
_READY = Path("queries/ready.sql")


def code_version(package: Path) -> str:
    """The first 12 digits of the SHA-256 over the package's code, queries and configs."""
    lines = [f"{path.relative_to(package)} {checksums.of_file(path)}" for path in _code(package)]
    return checksums.of_bytes("\n".join(sorted(lines)).encode()).partition(":")[2][:12]


def _code(package: Path) -> Iterator[Path]:
    for path in package.rglob("*"):
        inner = path.relative_to(package)
        if path.suffix in _SUFFIXES and inner.parts[0] not in _NOT_CODE and inner != _READY:
            yield path
