"""A bench: data made of columns, configs made of keys, and the command line called in process."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from prediction.main import main


class Bench:
    """One folder with data, a model and predictions; without `capsys` nothing is `told`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str] | None = None) -> None:
        self.folder, self._capsys = folder, capsys
        self.model, self.output = folder / "model", folder / "predictions.parquet"
        self.told = ""

    def write(self, name: str, columns: Mapping[str, Any], **options: Any) -> Path:
        """Make a file of `columns`; the suffix of `name` says of which kind."""
        path = self.folder / name
        table = pa.table(dict(columns))
        if name.endswith(".parquet"):
            pq.write_table(table, path, **options)
        else:
            pa.csv.write_csv(table, path)
        return path

    def training_data(self, rows: int = 400, **more: Any) -> dict[str, Any]:
        """Columns id, x, y, where y is likelier when x is large."""
        random = np.random.default_rng(0)
        x = random.normal(size=rows)
        y = x + random.normal(size=rows) > 0
        return {"id": np.arange(rows), "x": x, "y": y, **more}

    def config(self, name: str, **keys: Any) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(keys, default=str))
        return path

    def train(self, data: Any = None, /, **keys: Any) -> int:
        """Train on `data` (columns, or a file), a config's `keys` over the bench's own."""
        if data is None:
            data = self.training_data()
        if isinstance(data, Mapping):
            data = self.write("training.parquet", data)
        usual = {
            "data_path": data,
            "model_path": self.model,
            "model": "prediction.tests.models:Plain",
            "key": "id",
            "label": "y",
            "kind": "binary",
        }
        return self.run("training", self.config("training.json", **{**usual, **keys}))

    def apply(self, data: Any, /, **keys: Any) -> int:
        if isinstance(data, Mapping):
            data = self.write("application.parquet", data)
        usual = {"data_path": data, "model_path": self.model, "output_path": self.output}
        return self.run("application", self.config("application.json", **{**usual, **keys}))

    def run(self, action: str, *configs: Path, more: Sequence[str] = ()) -> int:
        """Type the command; `told` is what it then says on standard error."""
        asked = [word for config in configs for word in ("--config", str(config))]
        status = main(["--action", action, *asked, *more])
        if self._capsys:
            self.told = self._capsys.readouterr().err
        return status

    @property
    def error(self) -> str:
        """The line that says what went wrong; there must be one such line only."""
        (line,) = [line for line in self.told.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in self.told
        return line

    @property
    def description(self) -> Any:
        return json.loads((self.model / "model.json").read_text())

    @property
    def card(self) -> Any:
        return json.loads((self.model / "card.json").read_text())

    @property
    def page(self) -> str:
        return (self.model / "card.html").read_text()

    @property
    def predictions(self) -> pa.Table:
        return pq.read_table(self.output)
