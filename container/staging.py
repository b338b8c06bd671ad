"""The files of a run on the machine: inputs brought in and checked, results taken out."""

import json
import logging
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline import storage
from pipeline.errors import ChecksumError, DataError, ObjectMissingError
from pipeline.fetching import Fetched, fetch
from pipeline.layout import PREDICTIONS, base_name
from pipeline.records import PREVIOUS, File, RunRequest, Source
from pipeline.transfers import Tell, say_nothing, transfer

logger = logging.getLogger(__name__)

DATA_SUFFIXES = (".parquet", ".csv", ".csv.gz")
_OUTPUT = "part-0.parquet"
# What evaluation needs of a model: not its weights, which may have been cleaned long since.
_DESCRIPTION = "model.json"


@dataclass(frozen=True)
class Staged:
    """A run that is ready for the model: its resolved config, and the folder it writes into.

    `origins` are files and folders of this machine, and what each is a copy of; `sealed` are the
    files that lie in `results` before the model begins.
    """

    request: RunRequest
    config: Path
    results: Path
    origins: Mapping[str, str]
    sealed: Collection[Path] = ()

    def has_results(self) -> bool:
        """Whether the model left any. Hidden files are drafts that it did not come to finish."""
        return any(
            path.is_file() and path not in self.sealed and not path.name.startswith(".")
            for path in self.results.rglob("*")
        )

    def trace(self, words: str) -> str:
        """What the model says, with each file named as the one that a person can correct."""
        return _trace(words, self.origins)


class Stage:
    """Brings runs onto this machine. Inputs that several runs share are brought once.

    Parameters
    ----------
    scratch : Path
        Folder for all files.
    package : Path
        The model package's folder, with `configs/`.
    action : str
    provenance : Mapping[str, str]
        What the model's card shall tell of a training, in words, beside its date.
    """

    def __init__(
        self,
        scratch: Path,
        package: Path,
        action: str,
        provenance: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.scratch = scratch
        self.package = package
        self.action = action
        self._provenance = provenance
        self._inputs: dict[str, Fetched] = {}
        self._numbers = count()

    def prepare(self, request: RunRequest, tell: Tell = say_nothing) -> Staged:
        """Fetch a run's inputs and write its config; `tell` hears how many files are there.

        The config is the action's file, from the model's folder when the run applies a model and
        from the package otherwise, with paths and constants laid over it. Evaluation has no file:
        all that it needs is laid there.
        """
        folder = self.scratch / str(request.date)
        results = folder / "results"
        results.mkdir(parents=True)
        fetched = self._fetch_inputs(request, tell)
        origins = {copy: url for each in fetched.values() for copy, url in each.origins().items()}
        if self._evaluates(request):
            name, content = f"the evaluation of {request.date}", {}
        else:
            config = self._configs(fetched) / f"{self.action}.json"
            name = _trace(str(config), origins)
            content = _read_config(config, name)
        content.update(self._paths(fetched, results))
        if request.constants:
            content["constants"] = {**content.get("constants", {}), **request.constants}
        sealed = []
        if self.action == "training":
            sealed = self._seal(fetched, results)
            given = content.get("provenance", {})
            # Anything else the model package refuses in its own words.
            if isinstance(given, dict):
                content["provenance"] = {**given, **self._provenance_of(request, fetched)}
        resolved = folder / f"{self.action}.json"
        resolved.write_text(json.dumps(content, indent=2))
        return Staged(request, resolved, results, {str(resolved): name, **origins}, sealed)

    def _evaluates(self, request: RunRequest) -> bool:
        return "predictions" in request.inputs

    def _fetch_inputs(self, request: RunRequest, tell: Tell) -> dict[str, Fetched]:
        """What the run is made from, by name; an evaluation with what describes the model."""
        needed = {name: each for name, each in request.inputs.items() if name != PREVIOUS}
        fetched = {name: self._fetch(name, each, tell) for name, each in needed.items()}
        if self._evaluates(request):
            made_by = fetched["predictions"].marker.made_from["model"]
            fetched["model"] = self._fetch("model", made_by, tell, names=(_DESCRIPTION,))
        return {**fetched, **self._fetch_previous(request, tell)}

    def _configs(self, fetched: Mapping[str, Fetched]) -> Path:
        return fetched["model"].folder if "model" in fetched else self.package / "configs"

    def _paths(self, fetched: Mapping[str, Fetched], results: Path) -> dict[str, object]:
        """Where the model finds its data, and where it puts what it makes."""
        data = fetched["data"]
        paths = _data_paths(data)
        if "model" in fetched:
            model = str(fetched["model"].folder)
            if "predictions" in fetched:
                predictions = filter(_is_part, _data_paths(fetched["predictions"]))
                return {
                    "data_path": paths,
                    "predictions_path": list(predictions),
                    "model_path": model,
                    "evaluation_path": str(results),
                }
            return {"data_path": paths, "model_path": model, "output_path": str(results / _OUTPUT)}
        window = data.marker.about.get("training_window")
        previous = {"previous_path": str(fetched[PREVIOUS].folder)} if PREVIOUS in fetched else {}
        return {
            "data_path": paths,
            "model_path": str(results),
            **previous,
            **({"training_window": window} if window else {}),
        }

    def _provenance_of(self, request: RunRequest, fetched: Mapping[str, Fetched]) -> dict[str, str]:
        """What a model's card tells of where it comes from: texts by name."""
        found = {**self._provenance, "date": str(request.date)}
        if PREVIOUS in fetched:
            found["previous"] = fetched[PREVIOUS].source
        return {**found, "command": f"luigi --module pipeline TrainModel --date {request.date}"}

    def _seal(self, fetched: Mapping[str, Fetched], results: Path) -> list[Path]:
        """Put the configs and queries that were in force beside the model. Returns the copies.

        Data that are files have no queries; then those that application may need are the package's.
        """
        queries = [path for path in fetched["data"].paths if path.suffix == ".sql"]
        configs = sorted((self.package / "configs").glob("*.json"))
        for path in configs:
            _read_config(path, str(path))
        queries = queries or sorted((self.package / "queries").glob("*.sql"))
        return [shutil.copyfile(path, results / path.name) for path in configs + queries]

    def _fetch_previous(self, request: RunRequest, tell: Tell) -> Mapping[str, Fetched]:
        """The model to compare a new one with. What is wrong with it ends no training.

        That storage fails does: tried again, the training has something to be compared with.
        """
        if PREVIOUS not in request.inputs:
            return {}
        try:
            return {PREVIOUS: self._fetch(PREVIOUS, request.inputs[PREVIOUS], tell)}
        except (ChecksumError, DataError, ObjectMissingError) as error:
            logger.warning("the previous model is not compared: %s", error)
            return {}

    def _fetch(
        self, name: str, source: Source, tell: Tell, names: Sequence[str] | None = None
    ) -> Fetched:
        if source.marker not in self._inputs:
            folder = self.scratch / f"{name}-{next(self._numbers)}"
            folder.mkdir()
            self._inputs[source.marker] = fetch(source, folder, tell, names)
        return self._inputs[source.marker]


def upload(folder: Path, run_folder: str, attempt: str, tell: Tell = say_nothing) -> list[File]:
    """Take all files of `folder` to `<run_folder>/<attempt>/` and list them.

    Raises `ObjectExistsError` when another has used the attempt's name.
    """

    def take(path: Path) -> File:
        name = f"{attempt}/{path.relative_to(folder).as_posix()}"
        url = f"{run_folder}/{name}"
        stat = storage.open(url).upload(path, url, create_only=True)
        return File(name, stat.size_bytes, stat.checksum)

    return transfer(take, sorted(each for each in folder.rglob("*") if each.is_file()), tell)


def _data_paths(fetched: Fetched) -> list[str]:
    return [str(path) for path in fetched.paths if path.name.endswith(DATA_SUFFIXES)]


def _is_part(path: str) -> bool:
    """Whether a file has predictions: a run may leave other tables beside them."""
    return fnmatchcase(base_name(path), PREDICTIONS)


def _trace(words: str, origins: Mapping[str, str]) -> str:
    for copy, origin in origins.items():
        words = words.replace(copy, origin)
    return words


def _read_config(path: Path, name: str) -> dict[str, Any]:
    """The config at `path`, which errors call `name`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"There is no config {name}. Write it beside the package's other configs, and train"
            " again: a model keeps the configs of its training."
        ) from None
    except ValueError as error:
        raise DataError(f"{name} is not JSON: {error}. Correct it.") from None
    if not isinstance(content, dict):
        raise DataError(f"{name} holds no JSON object. Write the keys between {{ and }}.")
    return content
