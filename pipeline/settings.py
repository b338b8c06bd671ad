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

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import luigi

from pipeline.setting_mixes import check_mixes, split_zones
from pipeline.setting_names import check_names
from pipeline.setting_tables import read_columns, read_tables
from pipeline.setting_values import (
    Amount,
    Folder,
    OptionalDay,
    Place,
    Seconds,
    SecretPlace,
    Template,
    Text,
    Whole,
)

_PROJECT = r"[a-z][a-z0-9-]{4,28}[a-z0-9]"
_ZONE = r"[a-z]+-[a-z]+\d+-[a-z]"
_ADDRESS = r"[^\s\0@,;<>\"]+@[\w.-]+"


class pipeline(luigi.Config):  # noqa: N801 - luigi's rule: the class is named as its section
    """What is predicted, how often, and where data, models and predictions lie."""

    name: str = Text(
        pattern=r"[a-z][a-z0-9-]{0,19}",
        allowed="at most 20 lower-case letters, digits and dashes, the first a letter",
    )
    version: int = Whole(default=1, at_least=1)
    owner: str = Text(
        default="",
        pattern=r"[a-z0-9_-]{0,63}",
        allowed="empty, or at most 63 lower-case letters, digits, dashes and underscores",
    )
    schedule: str = Text(
        default="monthly", pattern="daily|weekly|monthly", allowed="daily, weekly or monthly"
    )
    horizon_days: int = Whole(at_least=0)
    ready_by: str = Text(
        default="00:00",
        pattern=r"([01]\d|2[0-3]):[0-5]\d",
        allowed="a time of day (UTC) as HH:MM",
    )
    fallback_days: int = Whole(default=0, at_least=0)
    model_date: str = OptionalDay()
    storage: str = Place(
        pattern=r"gs://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](/.*)?|((?!://).)+",
        allowed="a folder or gs://bucket/prefix",
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


class ActionSettings:
    """What one job of an action gets: its data, its time, its machine."""

    data: str = Template(default="")
    min_rows: int = Whole(default=0, at_least=0)
    max_row_change_percent: int = Whole(default=0, at_least=0)
    deadline_seconds: int = Whole(default=3600, at_least=1)
    max_dates_per_job: int = Whole(default=10, at_least=1)
    machine_type: str = Text(
        default="e2-standard-4",
        pattern=r"[a-z][a-z0-9]*(-[a-z0-9]+)+",
        allowed="a machine type of Compute Engine",
    )
    disk_size_gb: int = Whole(default=50, at_least=10)
    provisioning_model: str = Text(
        default="spot", pattern="spot|standard", allowed="spot or standard"
    )


class training(ActionSettings, luigi.Config):  # noqa: N801 - as above
    """What one job that fits models gets."""


class application(ActionSettings, luigi.Config):  # noqa: N801 - as above
    """What one job that makes predictions gets."""

    max_dates_per_job: int = Whole(default=30, at_least=1)


class jobs(luigi.Config):  # noqa: N801 - as above
    """How long a job may be silent, and how often it is tried again."""

    start_limit_seconds: float = Seconds(default=600)
    silence_limit_seconds: float = Seconds(default=300)
    heartbeat_seconds: float = Seconds(default=2)
    preemption_retries: int = Whole(default=3, at_least=0)
    infrastructure_retries: int = Whole(default=2, at_least=0)


class bigquery(luigi.Config):  # noqa: N801 - as above
    """Who pays for queries, what they read, and how much they may read."""

    billing_project: str = Text(
        default="", pattern=f"({_PROJECT})?", allowed="empty, or a project's id"
    )
    source_dataset: str = Text(
        default="", pattern=rf"({_PROJECT}\.\w+)?", allowed="empty, or project.dataset"
    )
    maximum_bytes_billed: int = Whole(default=10**12, at_least=1)


class docker(luigi.Config):  # noqa: N801 - as above
    """The containers of `compute = docker`, which needs an image."""

    image: str = Text(
        default="",
        pattern=r"([a-z0-9][\w./:-]*(@sha256:[0-9a-f]{64})?)?",
        allowed="a container image: what `make image` prints, or NAME@sha256:...",
    )
    memory_gb: float = Amount(default=4.0)
    network: str = Text(
        default="", pattern=r"[\w.-]*", allowed="empty, or a network of the Docker engine"
    )


class compute_engine(luigi.Config):  # noqa: N801 - as above
    """The machines of `compute = google`, which needs every one of these."""

    project: str = Text(default="", pattern=f"({_PROJECT})?", allowed="a project's id")
    zones: str = Text(
        default="",
        pattern=rf"({_ZONE}(\s*,\s*{_ZONE})*)?",
        allowed="zones of one region with commas between them, such as"
        " europe-west1-b, europe-west1-c",
    )
    subnetwork: str = Text(
        default="",
        pattern=rf"((projects/{_PROJECT}/)?regions/[a-z0-9-]+/subnetworks/[a-z0-9-]+)?",
        allowed="regions/REGION/subnetworks/NAME",
    )
    service_account: str = Text(
        default="",
        pattern=r"([^@\s]+@[a-z0-9.-]+\.gserviceaccount\.com)?",
        allowed="the address of a service account",
    )
    image: str = Text(
        default="",
        pattern=r"([\w./:-]+@sha256:[0-9a-f]{64})?",
        allowed="a container image by digest, NAME@sha256:..., because a tag can be moved",
    )


class notices(luigi.Config):  # noqa: N801 - as above
    """Who is told what failed (nobody, without `webhook` and `email_to`), and that all is well."""

    webhook: str = SecretPlace()
    email_to: str = Text(
        default="",
        pattern=rf"({_ADDRESS}(\s*,\s*{_ADDRESS})*)?",
        allowed="empty, or addresses with commas between them",
    )
    email_from: str = Text(
        default="", pattern=f"({_ADDRESS})?", allowed="the address that messages come from"
    )
    smtp_host: str = Text(
        default="", pattern=r"[\w.:-]*", allowed="the name of a mail server that speaks SMTP"
    )
    smtp_port: int = Whole(default=587, at_least=1, at_most=65535)
    smtp_user: str = Text(
        default="", pattern=r"[^\s\0]*", allowed="empty, or a user of the mail server"
    )
    smtp_password: str = SecretPlace()
    traceback_lines: int = Whole(default=0, at_least=0)
    heartbeat: str = SecretPlace()


SECTIONS = (pipeline, training, application, jobs, bigquery, docker, compute_engine, notices)
TABLES = "local_warehouse"
SOURCES = "sources"

Section = TypeVar("Section", bound=luigi.Config)
_checked: dict[type[luigi.Config], Any] = {}


def action(name: str) -> ActionSettings:
    """The settings of an action of the model package. Evaluation has those of application."""
    section: ActionSettings = training() if name == "training" else application()  # type: ignore[no-untyped-call]
    return section


def machine_zones() -> tuple[str, ...]:
    """The zones for machines, the one to be tried first at the front."""
    return split_zones(compute_engine().zones)


def tables() -> Mapping[str, str]:
    """The local warehouse's files: table name -> absolute path, perhaps a pattern (`*`)."""
    return read_tables(TABLES)


def sources() -> Mapping[str, str]:
    """The column of each source table that says when a row came about: table name -> column."""
    return read_columns(SOURCES)


@cache
def check() -> None:
    """Raise `SettingsError` for the first setting that is misspelt, wrong or goes with no other.

    Done once in a process.
    """
    check_names(SECTIONS, TABLES, SOURCES)
    read = {section: section() for section in SECTIONS}
    tables()
    sources()
    check_mixes(read[pipeline], read[docker], read[compute_engine], read[notices])
    _checked.update([*read.items()])


def checked(section: type[Section]) -> Section | None:
    """A section as it was when it was checked, None before.

    At the end of a command luigi has forgotten what was typed; this has not.
    """
    found: Section | None = _checked.get(section)
    return found
