"""Which libraries a model was made with, and whether these are here."""

import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

from prediction.core.errors import SealError

PYTHON = platform.python_version()

_apart: set[str] = set()


def imported() -> dict[str, str]:
    """Name and version of each distribution that this process has imported something of.

    Our own is left out: the code is the user's, and told by its commit. So is what was imported
    `apart`.
    """
    providers = _providers()
    tops = _tops() - _apart
    ours = set(providers.get(__package__ or "", []))
    found = {name for top in tops for name in providers.get(top, [])} - ours
    return {name: _installed(name) for name in sorted(found, key=str.lower)}


@contextmanager
def apart() -> Iterator[None]:
    """What is imported here for the first time is no part of a model: no upgrade of it matters."""
    before = _tops()
    try:
        yield
    finally:
        _apart.update(_tops() - before)


def _tops() -> set[str]:
    return {name.partition(".")[0] for name in list(sys.modules) if not name.startswith("_")}


@cache
def _providers() -> Mapping[str, list[str]]:
    """Which distributions provide each top-level package. Reads the metadata of all of them."""
    return metadata.packages_distributions()


def check(folder: Path, python: str, libraries: Mapping[str, str]) -> None:
    """Raise `SealError` when Python's x.y or the version of a library is not what it was."""
    other = list(_differences(python, libraries))
    if other:
        raise SealError(
            f"the model in {folder} was made with {', '.join(other)}. Install the versions that "
            f"{folder / 'model.json'} names, or train the model anew."
        )


def _differences(python: str, libraries: Mapping[str, str]) -> Iterator[str]:
    if python.split(".")[:2] != PYTHON.split(".")[:2]:
        yield f"Python {python} (here: {PYTHON})"
    for name, version in libraries.items():
        here = _installed(name)
        if here != version:
            yield f"{name} {version} (here: {here})"


@cache
def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
