"""Settings that go together, or don't: each right by itself, wrong beside another."""

from pathlib import Path
from typing import Any

from pipeline.errors import SettingsError
from pipeline.setting_files import find_origin


def check_mixes(pipeline: Any, containers: Any, machines: Any, notices: Any) -> None:
    """Raise `SettingsError` for the first settings that do not go together.

    These are the sections [pipeline], [docker], [compute_engine] and [notices]; keys are their
    attributes.
    """
    _check_storage(pipeline)
    if pipeline.compute == "docker" and not containers.image:
        raise _missing("docker", "image", containers, "compute = docker")
    if pipeline.compute == "google":
        _check_machines(machines)
    _check_mail(notices)
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
    for key, _ in machines.get_params():
        if not getattr(machines, key):
            raise _missing("compute_engine", key, machines, "compute = google")
    region = machines.subnetwork.split("/")[-3]
    for zone in split_zones(machines.zones):
        if zone.rpartition("-")[0] != region:
            raise SettingsError(
                f"{find_origin('compute_engine', 'zones')} does not go with"
                f" {find_origin('compute_engine', 'subnetwork')}: {zone} is not in {region}."
            )


def _check_mail(notices: Any) -> None:
    needs = {
        "email_to": ("email_from", "smtp_host"),
        "smtp_user": ("smtp_password",),
        "smtp_password": ("smtp_user",),
    }
    for key, others in needs.items():
        for other in others:
            if getattr(notices, key) and not getattr(notices, other):
                raise _missing("notices", other, notices, key)


def _missing(section: str, key: str, settings: Any, because: str) -> SettingsError:
    parameter = dict(settings.get_params())[key]
    return SettingsError(
        f"{find_origin(section, key)} is missing, and {because} needs it."
        f" It must be {parameter.allowed}."
    )


def _check_prediction(folder: Path) -> None:
    if not folder.is_dir():
        raise SettingsError(
            f"{find_origin('pipeline', 'prediction')}: there is no folder {folder}. "
            "Set it to the folder of the model package."
        )
