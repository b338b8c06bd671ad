"""What the pipeline reads of the user's model package: its configs and queries, as files.

The package itself is never imported.
"""

import errno
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline import finished
from pipeline.errors import DataError
from pipeline.queries import FEATURES, LABELS, READY

_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True)
class Recipe:
    """The texts of the two queries, and the columns of the key, that a model's data are made with.

    `labels` is None in the recipe of a finished model, which needs no labels any more.
    `beside_key` is what the labels may have besides the key; None: only the package knows.
    """

    features: str
    labels: str | None
    key: tuple[str, ...]
    beside_key: frozenset[str] | None = None

    @classmethod
    def of_package(cls, package: Path) -> Self:
        """The recipe that is in force now. Raises `DataError` naming what is missing."""
        features = _read(package / "queries" / FEATURES)
        labels = _read(package / "queries" / LABELS)
        config = package / "configs" / "training.json"
        key = _key(_read(config), str(config))
        return cls(features, labels, key, _find_beside_key(package))

    @classmethod
    def of_model(cls, url: str) -> Self:
        """The recipe that was sealed with the model whose marker is at `url`."""
        return cls(read_sealed(url, FEATURES), None, sealed_key(url))

    def texts(self) -> dict[str, str]:
        """The queries by the names of their files."""
        labels = {} if self.labels is None else {LABELS: self.labels}
        return {FEATURES: self.features, **labels}


def read_ready(package: Path) -> str | None:
    """The query that tells whether the data of a date are complete; None: they always are."""
    path = package / "queries" / READY
    return _read(path) if path.exists() else None


def find_ignored(package: Path) -> frozenset[str] | None:
    """The columns that the package's models do not read.

    None when the package is not by the framework of `prediction`: then only it knows.
    """
    config = _read_config(package)
    return None if config is None else _ignored(config)


def sealed_key(url: str) -> tuple[str, ...]:
    """The columns of the key of the model whose marker is at `url`."""
    return _key(read_sealed(url, "training.json"), url)


def read_sealed(url: str, name: str) -> str:
    """The text of the file `name` beside the model whose marker is at `url`.

    Raises `DataError` when the marker lists no such file.
    """
    found = finished.find_file(url, name)
    if found is None:
        raise DataError(f"{url} lists no {name}. Train this model again.")
    return finished.read(found[0]).decode()


def _find_beside_key(package: Path) -> frozenset[str] | None:
    """The label, what no model reads, and the day by which rows are held out."""
    config = _read_config(package)
    if config is None:
        return None
    named = {str(config[name]) for name in ("label", "date_column") if name in config}
    return _ignored(config) | named


def _ignored(config: Mapping[str, Any]) -> frozenset[str]:
    ignored = config.get("ignore", [])
    return frozenset(map(str, ignored)) if isinstance(ignored, list) else frozenset()


def _read_config(package: Path) -> dict[str, Any] | None:
    """The training config; None when the package is not by the framework of `prediction`."""
    if not (package / "core").is_dir():
        return None
    path = package / "configs" / "training.json"
    return _parse(_read(path), str(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error}. Save it as UTF-8.") from None
    except OSError as error:
        if error.errno not in _NOTHING_THERE:
            raise DataError(f"{path} can't be read: {error.strerror}. Correct it.") from None
        raise _missing(path) from None


def _missing(path: Path) -> DataError:
    return DataError(
        f"{path} does not exist. Write it, or set `data` under [training] and [application] in"
        " luigi.cfg to files that are there already."
    )


def _key(config: str, name: str) -> tuple[str, ...]:
    try:
        key = _parse(config, name)["key"]
    except (KeyError, TypeError):
        raise DataError(f'{name} has no "key": name the column, or columns, of the key.') from None
    names = [key] if isinstance(key, str) else key
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise DataError(
            f'{name}: "key" is {json.dumps(key)}. It must be the name of a column, or a list of'
            " names."
        )
    return tuple(names)


def _parse(config: str, name: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(config)
    except ValueError as error:
        raise DataError(f"{name} is not JSON: {error}. Correct it.") from None
    return values
