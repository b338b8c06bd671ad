"""What one value of a config must look like: each check returns it in the form that is used.

A check raises `ValueError` with what is expected instead.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

SUFFIXES = (".parquet", ".csv", ".csv.gz")


def text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("it must be a text that is not empty")
    return value


def any_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("it must be a text")
    return value


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it must be true or false")
    return value


def number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("it must be a number")
    return float(value)


def share(value: Any) -> float:
    if not 0 <= number(value) < 1:
        raise ValueError("it must be a share of the rows, at least 0 and below 1")
    return float(value)


def positive(value: Any) -> float:
    if number(value) <= 0:
        raise ValueError("it must be above 0, or null")
    return float(value)


def natural(lowest: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < lowest:
            raise ValueError(f"it must be a whole number, at least {lowest}")
        return value

    return check


def seed(value: Any) -> int:
    if natural(0)(value) >= 1 << 64:
        raise ValueError("it must be a whole number below 2**64")
    return int(value)


def one_of(choices: tuple[str, ...]) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"it must be one of {', '.join(choices)}")
        return str(value)

    return check


def optional(check: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else check(value)


def names(value: Any) -> tuple[str, ...]:
    """One name or a list of them, without repetition."""
    found = some_names([value] if isinstance(value, str) else value)
    if not found:
        raise ValueError("it must be the name of a column, or a list of names")
    return found


def some_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise ValueError("it must be a list of names of columns")
    if len(set(value)) < len(value):
        raise ValueError("it names a column twice")
    return tuple(value)


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("it must be an object, between { and }")
    return value


def number_mapping(value: Any) -> dict[str, float]:
    return {name: number(limit) for name, limit in mapping(value).items()}


def amount_mapping(value: Any) -> dict[str, float]:
    found = number_mapping(value)
    if any(amount < 0 for amount in found.values()):
        raise ValueError("it must have numbers of at least 0")
    return found


def text_mapping(value: Any) -> dict[str, str]:
    return {name: text(item) for name, item in mapping(value).items()}


def class_path(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text(value)):
        raise ValueError("it must be a module and a class, such as prediction.model:Model")
    return str(value)


def paths(value: Any) -> tuple[Path, ...]:
    """A file, a folder, or a list of files."""
    items = value if isinstance(value, list) and value else [value]
    if not all(isinstance(item, str) and item for item in items):
        raise ValueError("it must be a file, a folder or a list of files")
    return tuple(Path(item) for item in items)


def folder(value: Any) -> Path:
    path = Path(text(value))
    if path.suffix == ".joblib":
        raise ValueError("it must be a folder; model.joblib and model.json are made in it")
    return path


def json_file(value: Any) -> Path:
    if not text(value).endswith(".json"):
        raise ValueError("it must end in .json")
    return Path(value)


def table_file(value: Any) -> Path:
    if not text(value).endswith(SUFFIXES):
        raise ValueError(f"it must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    return Path(value)
