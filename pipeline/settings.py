"""What luigi.cfg and the command line say, checked before anything is scheduled.

    settings.check()                      # in every task's __init__; free after the first time
    settings.pipeline().storage           # "gs://bucket/prefix", or an absolute path (str)
    settings.pipeline().prediction        # an absolute path (Path)
    settings.action("training").deadline_seconds
    settings.jobs().silence_limit_seconds
    settings.tables()                     # {"transactions": "/srv/churn/data/transactions.csv.gz"}

One class is one section, one attribute one key; docs/configuration.md says what they mean. A
class is made when its values are wanted, never at import: luigi knows the command line
(`--pipeline-storage gs://...`) only once it makes the root task. Every error is a `SettingsError`
of one line. A test that changes the configuration calls `settings.check.cache_clear()`.
"""

import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import luigi

from pipeline.errors import SettingsError
from pipeline.setting_files import find_origin
from pipeline.setting_names import check_names
from pipeline.setting_tables import read_tables
from pipeline.setting_values import Folder, Place, Seconds, Template, Text, Whole


class pipeline(luigi.Config):  # noqa: N801 - luigi's rule: the class is named as its section
    """What is predicted, how often, and where data, models and predictions lie."""

    name: str = Text(
        pattern=r"[a-z][a-z0-9-]{0,19}",
        allowed="at most 20 lower-case letters, digits and dashes, the first a letter",
    )
    version: int = Whole(default=1, at_least=1)
    schedule: str = Text(
        default="monthly", pattern="daily|weekly|monthly", allowed="daily, weekly or monthly"
    )
    horizon_days: int = Whole(at_least=0)
    storage: str = Place(
        pattern=r"gs://[^/]+(/.*)?|((?!://).)+", allowed="a folder or gs://bucket/prefix"
    )
    warehouse: str = Place(
        pattern=r"bigquery://[^/]+/[^/]+|((?!://).)+\.duckdb",
        allowed="a file that ends in .duckdb, or bigquery://project/dataset",
    )
    compute: str = Text(
        default="local", pattern="local|docker|google", allowed="local, docker or google"
    )
    prediction: Path = Folder(default=Path("prediction"))
    work: Path = Folder(default=Path("var/work"))


class training(luigi.Config):  # noqa: N801 - as above
    """What one job that fits models gets."""

    data: str = Template(default="")
    deadline_seconds: int = Whole(default=3600, at_least=1)
    max_dates_per_job: int = Whole(default=10, at_least=1)


class application(luigi.Config):  # noqa: N801 - as above
    """What one job that makes predictions gets."""

    data: str = Template(default="")
    deadline_seconds: int = Whole(default=3600, at_least=1)
    max_dates_per_job: int = Whole(default=30, at_least=1)


class jobs(luigi.Config):  # noqa: N801 - as above
    """How long a job may be silent, and how often it is tried again."""

    start_limit_seconds: float = Seconds(default=600)
    silence_limit_seconds: float = Seconds(default=300)
    heartbeat_seconds: float = Seconds(default=2)
    preemption_retries: int = Whole(default=3, at_least=0)
    infrastructure_retries: int = Whole(default=2, at_least=0)


SECTIONS = (pipeline, training, application, jobs)
TABLES = "local_warehouse"

# What is chosen by value, and the module that must be there for it.
_SIDES = {
    ("storage", "gs://"): "pipeline.storage.google",
    ("warehouse", "bigquery://"): "pipeline.warehouse.google",
    ("compute", "docker"): "pipeline.compute.docker",
    ("compute", "google"): "pipeline.compute.google",
}


def action(name: str) -> training | application:
    """The settings of an action of the model package: "training" or "application"."""
    return training() if name == "training" else application()


def tables() -> Mapping[str, str]:
    """The local warehouse's files: table name -> absolute path, perhaps a pattern (`*`)."""
    return read_tables(TABLES)


@cache
def check() -> None:
    """Raise `SettingsError` for the first setting that is misspelt, wrong or goes with no other.

    Done once in a process.
    """
    check_names(SECTIONS, TABLES)
    for section in SECTIONS:
        section()
    tables()
    chosen = pipeline()
    _check_mix(chosen)
    _check_sides(chosen)
    _check_prediction(chosen)


def _check_mix(chosen: pipeline) -> None:
    """Machines and BigQuery reach results in Cloud Storage only."""
    storage = find_origin("pipeline", "storage")
    if chosen.storage.startswith("gs://"):
        return
    for key, value in (("compute", "google"), ("warehouse", "bigquery://")):
        if getattr(chosen, key).startswith(value):
            raise SettingsError(
                f"{find_origin('pipeline', key)} does not go with {storage}. "
                "Set storage to gs://bucket/prefix."
            )


def _check_sides(chosen: pipeline) -> None:
    for (key, value), module in _SIDES.items():
        if getattr(chosen, key).startswith(value) and not importlib.util.find_spec(module):
            raise SettingsError(
                f"{find_origin('pipeline', key)} is not available yet. Set {key} to "
                f"{'local' if key == 'compute' else 'a path of this machine'}."
            )


def _check_prediction(chosen: pipeline) -> None:
    if not chosen.prediction.is_dir():
        raise SettingsError(
            f"{find_origin('pipeline', 'prediction')}: there is no folder {chosen.prediction}. "
            "Set it to the folder of the model package."
        )
