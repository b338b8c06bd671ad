"""The newest model in storage, brought here and applied by a process of the model package."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline import finished, settings
from pipeline.errors import DataError
from pipeline.fetching import fetch
from pipeline.layout import Run, base_name
from pipeline.model_package import read_sealed
from pipeline.records import Marker
from pipeline.verbs.runs import open_overview

# What the framework in prediction/core leaves with every model.
_DESCRIPTION = "model.json"
_HOME = "model"
# A thousand rows as of any day may be unlike those of the training: that is no fault of the model.
_STOPS = ("drift_stop", "missing_stop")


@dataclass(frozen=True)
class Trained:
    """A finished training run."""

    run: Run
    marker: Marker

    @classmethod
    def newest(cls) -> Self | None:
        """Of this version; None when none is trained yet."""
        run = open_overview(["training"]).newest_done("training")
        return None if run is None else cls(run, finished.read_marker(run.marker))

    @property
    def name(self) -> str:
        return f"the model of {self.run.date}"

    @property
    def is_by_framework(self) -> bool:
        """Whether the package keeps its models as the framework does, and has its configs."""
        return any(base_name(each.path) == _DESCRIPTION for each in self.marker.files)

    def fetch(self, folder: Path) -> None:
        """Bring its files into a folder within. Raises `ChecksumError` for one that was changed."""
        fetch(finished.seal(self.run), folder / _HOME)

    def apply(self, folder: Path, ways: Sequence[Mapping[str, Any]]) -> list[Path]:
        """Predict in several ways with the model that was fetched to `folder`, by one process.

        Each of `ways` is laid over the config that was sealed with the model, without what stops a
        date for drift. Returns a file of predictions for each. Raises `DataError` with the
        process's reason when it fails.
        """
        sealed = json.loads(read_sealed(self.run.marker, "application.json"))
        sealed = {key: value for key, value in sealed.items() if key not in _STOPS}
        package = settings.pipeline().prediction
        command = [sys.executable, "-m", f"{package.name}.main", "--action", "application"]
        outputs = []
        for number, way in enumerate(ways):
            config, output = (folder / f"way-{number}.{end}" for end in ("json", "parquet"))
            paths = {"model_path": str(folder / _HOME), "output_path": str(output)}
            config.write_text(json.dumps({**sealed, **paths, **way}))
            command += ["--config", str(config)]
            outputs.append(output)
        ended = subprocess.run(
            command, cwd=package.parent, capture_output=True, text=True, check=False
        )
        if ended.returncode:
            raise DataError(self._explain(ended.stderr, folder))
        return outputs

    def _explain(self, said: str, folder: Path) -> str:
        """Why the process failed, with files named as those that a person can look at."""
        results = self.run.results(self.marker.job)
        said = re.sub(
            rf"{re.escape(str(folder))}/way-\d+\.json", f"{results}/application.json", said
        )
        lines = said.replace(str(folder / _HOME), results).splitlines()
        reasons = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        reason = (reasons or lines or ["it ended without a word"])[0]
        return f"{self.name.capitalize()} can't be applied: {reason}"
