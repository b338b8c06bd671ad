"""A trained model and all that application must know of it, in one folder.

The folder has the model's own file or folder, `metrics.json`, what else training kept, and
`model.json`, which is written last: without it there is no model. Checksums are compared before
anything is unpickled.
"""

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prediction.core import classes, columns, reference, versions, writing
from prediction.core.columns import Types
from prediction.core.errors import SealError

FORMAT = 1
DESCRIPTION, METRICS = "model.json", "metrics.json"
# What training may have left in the draft, beside the model's own file.
BESIDE = ("card.html", "card.json", reference.FILE)


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What `model.json` tells of a model. Columns are name -> Arrow type, in their order."""

    model: str
    parameters: Mapping[str, Any]
    kind: str
    label: str | None
    score: str | None
    key: Types
    features: Types
    predicted: Types
    ignored: tuple[str, ...]
    rows: int
    metrics: Mapping[str, float]
    training_window: Mapping[str, Any]
    description: str


TYPES = ("key", "features", "predicted")


@contextmanager
def drafting(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, gone afterwards whatever happens."""
    parent = folder.absolute().parent
    with writing.naming(folder):
        parent.mkdir(parents=True, exist_ok=True)
        draft = tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=parent)
    with draft:
        yield Path(draft.name)


def write(seal: Seal, saved: Path, folder: Path) -> None:
    """Move the file or folder `saved` into `folder`, and seal it there with `seal`.

    What else is known to lie BESIDE a model, and lies beside `saved`, comes along.
    A model that was there is not one from the first step on; ours is one after the last.
    """
    draft = saved.parent
    described = {**_plain(seal), "files": _checksums(saved), "python": versions.PYTHON}
    described["libraries"] = versions.imported()
    _write_json(draft / METRICS, described["metrics"])
    _write_json(draft / DESCRIPTION, described)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (DESCRIPTION, METRICS, "model.joblib", "model", *BESIDE):
        _remove(folder / name)
    beside = [name for name in BESIDE if (draft / name).exists()]
    for name in (saved.name, METRICS, *beside, DESCRIPTION):
        (draft / name).replace(folder / name)


def read(folder: Path) -> tuple[Seal, Any]:
    """Load the model in `folder`, with its description.

    Raises `SealError` when it is not there, was changed, or was made by other libraries.
    """
    described = _described(folder)
    _check_files(folder, described["files"])
    versions.check(folder, described["python"], described["libraries"])
    seal = _seal(folder, described)
    name = Path(next(iter(described["files"]))).parts[0]
    return seal, classes.load(classes.find(seal.model), folder / name)


def describe(folder: Path) -> Seal:
    """What `model.json` in `folder` tells. The model's own files need not be there."""
    return _seal(folder, _described(folder))


def _described(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SealError(
            f"{path} does not exist. Train a model, or correct `model_path`."
        ) from error
    except (OSError, ValueError) as error:
        raise SealError(f"{path} cannot be read: {error}. Train the model anew.") from error
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        found = described.get("format") if isinstance(described, dict) else None
        raise SealError(
            f"{path} has format {found}, and this code reads {FORMAT}. Use the code that made it, "
            "or train the model anew."
        )
    return described


def _plain(seal: Seal) -> dict[str, Any]:
    values = {name: getattr(seal, name) for name in Seal.__dataclass_fields__}
    for name in TYPES:
        values[name] = [{"name": one, "type": str(type_)} for one, type_ in values[name].items()]
    values["metrics"] = {n: v if math.isfinite(v) else None for n, v in seal.metrics.items()}
    return {"format": FORMAT, **values}


def _seal(folder: Path, described: Mapping[str, Any]) -> Seal:
    try:
        values = {name: described[name] for name in Seal.__dataclass_fields__}
        for name in TYPES:
            values[name] = {one["name"]: columns.parse(one["type"]) for one in values[name]}
        return Seal(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise SealError(
            f"{folder / DESCRIPTION} is not what training wrote: {error}. Train the model anew."
        ) from error


def _checksums(saved: Path) -> dict[str, dict[str, Any]]:
    files = sorted(path for path in saved.rglob("*") if path.is_file()) or [saved]
    found = {}
    for path in files:
        name = path.relative_to(saved.parent).as_posix()
        found[name] = {"sha256": _sha256(path), "size_bytes": path.stat().st_size}
    return found


def _check_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise SealError(f"{path} does not exist, and belongs to the model. Train it anew.")
        if (found := _sha256(path)) != expected["sha256"]:
            raise SealError(
                f"{path} has SHA-256 {found[:12]}..., and {DESCRIPTION} says "
                f"{expected['sha256'][:12]}...: it was changed after training, and is not loaded. "
                "Bring the original back, or train the model anew."
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, content: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(content, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
