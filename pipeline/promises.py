"""What the predictions of a model will look like, held against the table before there are any."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from pipeline.errors import DataError, PipelineError
from pipeline.layout import Run
from pipeline.model_package import read_sealed
from pipeline.warehouse import Warehouse

# A child of Luigi's logger: one level and one format for all that a command says.
logger = logging.getLogger("luigi-interface.pipeline")

# Arrow's type of a constant: of one that says its type, and of one that is JSON's own.
_TOLD = {
    "bool": "bool",
    "date": "date32[day]",
    "double": "double",
    "int64": "int64",
    "string": "string",
    "timestamp": "timestamp[us, tz=UTC]",
}
_PLAIN = {bool: "bool", float: "double", int: "int64", str: "string"}


def warn_of_misfit(
    model: Run, constants: Mapping[str, object], warehouse: Warehouse, table: str
) -> None:
    """Tell now what the first load of the model's predictions would be refused for.

    `constants` are what the pipeline adds to each row. No-op when the model does not say what it
    predicts, and when nobody can look at the table now: the load will tell.
    """
    try:
        columns = promised_columns(model.marker, constants)
        differences = warehouse.differences(table, columns) if columns else []
    except PipelineError as error:
        logger.warning("%s: whether its predictions fit %s is not known: %s", model, table, error)
        return
    if differences:
        logger.warning(
            "%s: its predictions do not fit the table %s: %s. They will be refused. Raise `version`"
            " under [pipeline] in luigi.cfg: a new version has a table of its own.",
            model,
            table,
            "; ".join(differences),
        )


def promised_columns(marker: str, constants: Mapping[str, object]) -> dict[str, str]:
    """Name -> Arrow type of what the model at `marker` will deliver; empty when it does not say."""
    try:
        seal = json.loads(read_sealed(marker, "model.json"))
        described = [*seal["key"], *seal["predicted"]]
        config = json.loads(read_sealed(marker, "application.json"))
        own = {each["name"]: each["type"] for each in described}
    except (DataError, KeyError, TypeError, ValueError):
        return {}
    constants = {**config.get("constants", {}), **constants}
    return {**own, **{name: _type(value) for name, value in constants.items()}}


def _type(value: Any) -> str:
    if isinstance(value, dict):
        return _TOLD.get(value.get("type", ""), "string")
    return _PLAIN.get(type(value), "string")
