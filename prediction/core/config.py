"""What a config may say: its keys, their defaults and what each must look like.

A config is a JSON object. Paths are relative to the current directory. Nothing heavy is
imported here, so that a wrong config is told at once.
"""

import difflib
import json
import os
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from prediction.core import values
from prediction.core.constants import Constant, constants
from prediction.core.errors import ConfigError

KINDS = ("binary", "multiclass", "regression", "none")
LOWER_IS_BETTER = ("log_loss", "brier", "rmse", "mae")
SCORES = {"binary": "probability", "multiclass": "label", "regression": "label", "none": None}

T = TypeVar("T", bound="TrainingConfig | ApplicationConfig | TestingConfig | EvaluationConfig")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """What `--action training` needs; docs/bring-your-own.md tells each key.

    `data_path` are files or one folder, `model_path` is the folder in which `model.joblib`,
    `model.json`, `metrics.json` and the card are made, `previous_path` that of another model.
    """

    data_path: tuple[Path, ...]
    model_path: Path
    key: tuple[str, ...]
    kind: str
    label: str | None = None
    score: str | None = None
    model: str = "prediction.model:Model"
    parameters: dict[str, Any] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    types: dict[str, str] = field(default_factory=dict)
    holdout: float = 0.2
    date_column: str | None = None
    seed: int = 0
    floors: dict[str, float] = field(default_factory=dict)
    ceilings: dict[str, float] = field(default_factory=dict)
    not_worse_by: dict[str, float] = field(default_factory=dict)
    previous_path: Path | None = None
    refit: bool = True
    training_window: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    provenance: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.kind == "none") != (self.label is None):
            raise ValueError(
                f"`kind` is {self.kind!r} and `label` is {json.dumps(self.label)}; a kind other "
                "than 'none' needs the name of a column, and 'none' has no label"
            )
        for name in (self.label, self.date_column):
            if name in self.key:
                raise ValueError(
                    f"`key` names {name!r}, which is also the label or the date. Name other columns"
                )
        if self.holdout == 0 and (self.floors or self.ceilings or self.not_worse_by):
            raise ValueError(
                "`holdout` is 0, so that there are no metrics for `floors`, `ceilings` and "
                "`not_worse_by`. Raise it"
            )
        if wrong := [name for name in self.floors if name in LOWER_IS_BETTER]:
            raise ValueError(
                f"`floors` has {wrong[0]!r}, which is better when lower. Put it under `ceilings`"
            )
        object.__setattr__(self, "score", self.score or SCORES[self.kind])


@dataclass(frozen=True, kw_only=True)
class ApplicationConfig:
    """What `--action application` needs; the rest comes from the model's `model.json`.

    `output_path` ends in .parquet, .csv or .csv.gz; `constants` become columns of every row.
    """

    data_path: tuple[Path, ...]
    model_path: Path
    output_path: Path
    batch_rows: int = 131_072
    threads: int = field(default_factory=cores)
    constants: dict[str, Constant] = field(default_factory=dict)
    drift_warn: float | None = 0.25
    drift_stop: float | None = None
    missing_warn: float | None = None
    missing_stop: float | None = None
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class TestingConfig:
    """What `--action testing` needs: labelled rows, a model, and a JSON file for the metrics."""

    data_path: tuple[Path, ...]
    model_path: Path
    metrics_path: Path
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """What `--action evaluation` needs: labels, predictions, and the folder of `model.json`.

    `evaluation_path` is the folder for the results; `constants` become columns of their one row.
    """

    data_path: tuple[Path, ...]
    predictions_path: tuple[Path, ...]
    model_path: Path
    evaluation_path: Path
    constants: dict[str, Constant] = field(default_factory=dict)
    description: str = ""


CHECKS: dict[str, Callable[[Any], Any]] = {
    "data_path": values.paths,
    "model_path": values.folder,
    "output_path": values.table_file,
    "metrics_path": values.json_file,
    "predictions_path": values.paths,
    "evaluation_path": values.folder,
    "key": values.names,
    "kind": values.one_of(KINDS),
    "label": values.optional(values.text),
    "score": values.optional(values.text),
    "model": values.class_path,
    "parameters": values.mapping,
    "ignore": values.some_names,
    "types": values.text_mapping,
    "holdout": values.share,
    "date_column": values.optional(values.text),
    "seed": values.seed,
    "floors": values.number_mapping,
    "ceilings": values.number_mapping,
    "not_worse_by": values.amount_mapping,
    "previous_path": values.optional(values.folder),
    "refit": values.boolean,
    "training_window": values.mapping,
    "description": values.any_text,
    "provenance": values.text_mapping,
    "batch_rows": values.natural(1),
    "threads": values.natural(1),
    "constants": constants,
    "drift_warn": values.optional(values.positive),
    "drift_stop": values.optional(values.positive),
    "missing_warn": values.optional(values.positive),
    "missing_stop": values.optional(values.positive),
}


def read(path: str, kind: type[T]) -> T:
    """Make a config of `kind` from the JSON file at `path`.

    Raises `ConfigError`, with the file and the key in its message.
    """
    content = _content(path)
    _check_known(path, set(content), kind)
    _check_needed(path, set(content), kind)
    given = _values(path, content)
    try:
        return kind(**given)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}.") from error


def check_beside(folder: Path) -> None:
    """Raise `ConfigError` when the application config that a model is kept with can't be used.

    It would be too late to correct it then. No-op where there is none in `folder`; what whoever
    applies the model lays over it may be missing.
    """
    path = folder / "application.json"
    if path.exists():
        content = _content(str(path))
        _check_known(path.name, set(content), ApplicationConfig)
        _values(path.name, content)


def _values(path: str, content: dict[str, Any]) -> dict[str, Any]:
    found = {}
    for key, value in content.items():
        try:
            found[key] = CHECKS[key](value)
        except ValueError as error:
            raise ConfigError(f"{path}: `{key}` is {json.dumps(value)}; {error}.") from error
    return found


def _content(path: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Correct --config.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds no JSON object. Write the keys between {{ and }}.")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"key `{twice[0]}` is there twice")
    return dict(pairs)


def _check_known(path: str, given: set[str], kind: type[Any]) -> None:
    known = {item.name for item in fields(kind)}
    for key in sorted(given - known):
        near = difflib.get_close_matches(key, sorted(known), n=1)
        advice = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(sorted(known))}."
        raise ConfigError(f"{path}: unknown key `{key}`. {advice}")


def _check_needed(path: str, given: set[str], kind: type[Any]) -> None:
    needed = {i.name for i in fields(kind) if i.default is MISSING and i.default_factory is MISSING}
    if missing := sorted(needed - given):
        raise ConfigError(f"{path}: key `{missing[0]}` is missing. Add it.")
