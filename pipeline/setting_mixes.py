"""Settings that go together, or don't: each right by itself, wrong beside another."""

import importlib.util
from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError
from pipeline.setting_files import find_origin

# What is chosen by value, and the module that must be there for it.
_SIDES = {
    ("storage", "gs://"): "pipeline.storage.google",
    ("warehouse", "bigquery://"): "pipeline.warehouse.google",
    ("compute", "docker"): "pipeline.compute.docker",
    ("compute", "google"): "pipeline.compute.google",
}


def check_mixes(pipeline: Any, machines: Any) -> None:
    """Raise `SettingsError` for the first settings that do not go together.

    `pipeline` and `machines` are the sections of these names, whose keys are their attributes.
    """
    _check_storage(pipeline)
    if pipeline.compute == "google":
        _check_machines(machines)
    _check_sides(pipeline)
    _check_prediction(pipeline.prediction)


def split_zones(text: str) -> tuple[str, ...]:
    """The zones in a text with commas between them."""
    return tuple(zone.strip() for zone in text.split(",") if zone.strip())


def _check_storage(pipeline: Any) -> None:
    """Machines and BigQuery reach results in Cloud Storage only."""
    if pipeline.storage.startswith("gs://"):
        return
    for key, value in (("compute", "google"), ("warehouse", "bigquery://")):
        if getattr(pipeline, key).startswith(value):
            raise SettingsError(
                f"{find_origin('pipeline', key)} does not go with"
                f" {find_origin('pipeline', 'storage')}. Set storage to gs://bucket/prefix."
            )


def _check_machines(machines: Any) -> None:
    for key, parameter in machines.get_params():
        if not getattr(machines, key):
            raise SettingsError(
                f"{find_origin('compute_engine', key)} is missing, and compute = google needs it."
                f" It must be {parameter.allowed}."
            )
    region = machines.subnetwork.split("/")[-3]
    for zone in split_zones(machines.zones):
        if zone.rpartition("-")[0] != region:
            raise SettingsError(
                f"{find_origin('compute_engine', 'zones')} does not go with"
                f" {find_origin('compute_engine', 'subnetwork')}: {zone} is not in {region}."
            )


def _check_sides(pipeline: Any) -> None:
    for (key, value), module in _SIDES.items():
        if getattr(pipeline, key).startswith(value) and not importlib.util.find_spec(module):
            raise SettingsError(
                f"{find_origin('pipeline', key)} is not available yet. Set {key} to "
                f"{'local' if key == 'compute' else 'a path of this machine'}."
            )


def _check_prediction(folder: Path) -> None:
    if not folder.is_dir():
        raise SettingsError(
            f"{find_origin('pipeline', 'prediction')}: there is no folder {folder}. "
            "Set it to the folder of the model package."
        )
