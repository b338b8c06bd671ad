"""Where things lie: the only module that spells a path, an object name or a machine's name.

Everything is derived from values; nothing here looks at the world.
"""

import datetime
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote

MARKER = "_SUCCESS"
UNTOLD = "untold.json"
# Of an application's files: what is loaded into the tables of predictions and of drift, and what
# says more of drift.
PREDICTIONS, DRIFT_TABLE, DRIFT = "part-*.parquet", "drift.parquet", "drift.json"
_CLAIM = re.compile(r"claim-([1-9][0-9]{0,5})\.json")
_DAY = r"\d{4}-\d{2}-\d{2}"
_TOLD = re.compile(rf"(.+)/date=({_DAY})/({_DAY})-([0-9a-f]{{12}})(-recovered)?\.json")


@dataclass(frozen=True, order=True)
class Run:
    """One action for one date. Its results live in `folder`, a URL without a final slash.

    `family` is what runs of one kind have in common: data/training, data/application, training,
    application, load/<hash>, and for evaluations data/evaluation, evaluation, evaluations/<hash>.
    """

    family: str
    date: datetime.date
    folder: str

    @property
    def marker(self) -> str:
        return f"{self.folder}/{MARKER}"

    def claim(self, number: int) -> str:
        return f"{self.folder}/claim-{number}.json"

    def results(self, job: str) -> str:
        """The folder of one attempt's files."""
        return f"{self.folder}/{job}"

    def failure(self, job: str) -> str:
        """Why `job` could not do this one run."""
        return f"{self.folder}/{job}/failure.json"

    def __str__(self) -> str:
        """As a person says it: training of 1998-04-01, data for training of, load of."""
        kind, _, rest = self.family.partition("/")
        names = {"data": f"data for {rest}", "load": "load", "evaluations": "load of evaluation"}
        return f"{names.get(kind, kind)} of {self.date}"


@dataclass(frozen=True)
class Job:
    """The folder of one job, and the files of the protocol in it."""

    name: str
    folder: str

    @property
    def request(self) -> str:
        return f"{self.folder}/request.json"

    @property
    def started(self) -> str:
        return f"{self.folder}/started.json"

    @property
    def heartbeat(self) -> str:
        return f"{self.folder}/heartbeat.json"

    @property
    def log(self) -> str:
        return f"{self.folder}/log.txt"

    @property
    def failure(self) -> str:
        return f"{self.folder}/failure.json"

    @property
    def model(self) -> tuple[str, str]:
        """Name and version of the model that the job works for, as its folder spells them."""
        *_, name, version, _, _ = self.folder.split("/")
        return name, version.removeprefix("v")


@dataclass(frozen=True, order=True)
class Notice:
    """That people were told, on `day`, that a run of `family` for `date` failed for a `cause`.

    `cause` is what `cause_digest` makes of the reason.
    """

    family: str
    date: datetime.date
    day: datetime.date
    cause: str


@dataclass(frozen=True)
class Layout:
    """The tree of one model's version in one storage."""

    storage: str
    name: str
    version: int

    @property
    def root(self) -> str:
        return f"{self.storage.rstrip('/')}/{self.name}/v{self.version}"

    @property
    def table(self) -> str:
        """The table that this version's predictions are delivered to."""
        return table_of(self.version)

    @property
    def drift_table(self) -> str:
        """The table that says how far this version's data are from those of its trainings."""
        return drift_table_of(self.version)

    @property
    def evaluations_table(self) -> str:
        """The table that this version's evaluations are delivered to."""
        return evaluations_table_of(self.version)

    def family(self, family: str) -> str:
        """The folder that holds the runs of one family."""
        return f"{self.root}/{family}"

    def run(self, family: str, date: datetime.date) -> Run:
        return Run(family, date, f"{self.root}/{family}/date={date}")

    def run_at(self, marker: str) -> Run | None:
        """The run whose marker is at the URL `marker`, or None when it is none of this tree's."""
        date = marker_date(marker)
        family, _, _ = marker.removeprefix(f"{self.root}/").rpartition("/date=")
        if date is None or not marker.startswith(f"{self.root}/"):
            return None
        return self.run(family, date)

    def job(self, name: str) -> Job:
        return Job(name, f"{self.root}/jobs/{name}")

    @property
    def waits(self) -> str:
        """The folder of all dates whose sources were not complete when they were asked for."""
        return f"{self.root}/waits"

    def waiting(self, date: datetime.date) -> str:
        """What says that the data before `date` were not complete."""
        return f"{self.waits}/date={date}.json"

    @property
    def told(self) -> str:
        """The folder of all notices."""
        return f"{self.root}/told"

    def notice(self, notice: Notice, *, recovered: bool = False) -> str:
        """What says that a failure was told of, or with `recovered` that it is over."""
        end = "-recovered" if recovered else ""
        folder = f"{self.told}/{notice.family}/date={notice.date}"
        return f"{folder}/{notice.day}-{notice.cause}{end}.json"

    def read_notice(self, url: str) -> tuple[Notice, bool] | None:
        """The notice that `url` names, and whether as recovered; None for something else."""
        matched = _TOLD.fullmatch(url.removeprefix(f"{self.told}/"))
        if not matched:
            return None
        family, date, day, cause, recovered = matched.groups()
        date, day = (datetime.date.fromisoformat(each) for each in (date, day))
        return Notice(family, date, day, cause), bool(recovered)

    def new_job(self, family: str, dates: Sequence[datetime.date]) -> Job:
        """A job that never was: its name holds what it does, the first date, and chance.

        The name is a machine's and a container's name too: at most 63 of [a-z0-9-], beginning
        with a letter (RFC 1035).
        """
        stem = f"{self.name}-{family.replace('/', '-')}"[:40].rstrip("-")
        return self.job(f"{stem}-{min(dates):%Y%m%d}-{secrets.token_hex(5)}")


def run_beside(folder: str, date: datetime.date) -> str:
    """The marker of the run of another date, whose family is that of the run in `folder`."""
    return f"{folder.rpartition('/')[0]}/date={date}/{MARKER}"


def cleaned_beside(marker: str) -> str:
    """Where it is said that files which a marker lists were deleted for their age."""
    return f"{marker.rpartition('/')[0]}/cleaned.json"


def untold_beside(run: Run) -> str:
    """Where it is said that nobody was told yet which model a load's predictions are by."""
    return f"{run.folder}/{UNTOLD}"


def given_up(run: Run, number: int) -> str:
    """Where it is said that claim `number` of a run was the last that was tried."""
    return f"{run.folder}/given-up-{number}.json"


def table_of(version: int) -> str:
    """The table that a version's predictions are delivered to."""
    return f"predictions_v{version}"


def drift_table_of(version: int) -> str:
    """The table of a version's drift."""
    return f"drift_v{version}"


def evaluations_table_of(version: int) -> str:
    """The table that a version's evaluations are delivered to."""
    return f"evaluations_v{version}"


def load_family(warehouse: str, table: str, kind: str = "load") -> str:
    """The family of loads into one table: two warehouses never share a marker."""
    return f"{kind}/{hashlib.sha256(f'{warehouse} {table}'.encode()).hexdigest()[:12]}"


def cause_digest(reason: str) -> str:
    """What two failures have in common whose reasons differ in dates and names of jobs only."""
    return hashlib.sha256(reason.encode()).hexdigest()[:12]


def notes_folder(work: str, command: str) -> str:
    """Where the processes of one command leave what failed, on their machine."""
    return f"{work}/notices/{command}"


def storage_digest(storage: str) -> str:
    """What tells the machines of two environments apart that share a project, or an engine."""
    return hashlib.sha256(storage.rstrip("/").encode()).hexdigest()[:8]


def data_folder(template: str) -> str:
    """The folder in which all files are that a template such as /data/{date}/*.csv names."""
    return re.split(r"[{*?\[]", template)[0].rpartition("/")[0] or "/"


def claim_number(url: str) -> int | None:
    """N of `claim-N.json`, or None when `url` names something else."""
    matched = _CLAIM.fullmatch(base_name(url))
    return int(matched[1]) if matched else None


def marker_date(url: str) -> datetime.date | None:
    """The date of the run whose marker `url` is, or None when `url` names something else."""
    *_, folder, name = ("", *url.split("/"))
    if name != MARKER or not folder.startswith("date="):
        return None
    return datetime.date.fromisoformat(folder.removeprefix("date="))


def link(url: str) -> str:
    """What a browser opens whose user may read the object; a path of a machine as it is."""
    if not url.startswith("gs://"):
        return url
    return f"https://storage.cloud.google.com/{quote(url.removeprefix('gs://'))}"


def base_name(url: str) -> str:
    return PurePosixPath(url).name


def file_url(folder: str, path: str) -> str:
    """The URL of a marker's file: absolute as it is, otherwise relative to the run's folder."""
    return path if path.startswith("/") or "://" in path else f"{folder}/{path}"
