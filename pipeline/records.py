"""What the files of the job protocol say: request, claim, marker, failure, heartbeat.

Each is a JSON object with the version of its format. Reading one that is broken or newer raises
`FormatError`; a field that is unknown is left alone, so that an older reader can skip it.
"""

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Self, get_args, get_origin, get_type_hints

from pipeline.errors import FormatError

FORMAT = 1

# The model that a new one is compared with, among the inputs of its training.
PREVIOUS = "previous"


class Budget(StrEnum):
    """What a retry is paid from."""

    PREEMPTION = "preemption"
    CAPACITY = "capacity"
    INFRASTRUCTURE = "infrastructure"
    NONE = "none"


class FailureKind(StrEnum):
    """Why a job, or one of its runs, ended without a marker."""

    PREEMPTED = "preempted"
    NO_CAPACITY = "no capacity"
    PULL_FAILED = "pull failed"
    KILLED = "killed"
    SILENT = "silent"
    VANISHED = "vanished"
    NEVER_STARTED = "never started"
    OUT_OF_MEMORY = "out of memory"
    MODEL_ERROR = "model's error"
    ERROR = "error"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    FORGOTTEN = "forgotten"

    @property
    def budget(self) -> Budget:
        if self is FailureKind.PREEMPTED:
            return Budget.PREEMPTION
        if self is FailureKind.NO_CAPACITY:
            return Budget.CAPACITY
        if self in _FINAL:
            return Budget.NONE
        return Budget.INFRASTRUCTURE

    @property
    def of_the_model(self) -> bool:
        """Whether the same model would fail again on any machine, whatever the settings say."""
        return self in _OF_THE_MODEL


_FINAL = {
    FailureKind.OUT_OF_MEMORY,
    FailureKind.MODEL_ERROR,
    FailureKind.ERROR,
    FailureKind.DEADLINE,
    FailureKind.CANCELLED,
    FailureKind.FORGOTTEN,
}
_OF_THE_MODEL = {FailureKind.OUT_OF_MEMORY, FailureKind.MODEL_ERROR, FailureKind.DEADLINE}


@dataclass(frozen=True)
class Record:
    """One file of the protocol."""

    def dump(self) -> bytes:
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        return (json.dumps(content, indent=2, default=str) + "\n").encode()

    @classmethod
    def parse(cls, content: bytes, url: str) -> Self:
        """Read what `dump` wrote; `url` is what an error names."""
        return cls.build(_load(content, url), url)

    @classmethod
    def build(cls, values: Mapping[str, Any], url: str) -> Self:
        names = {each.name for each in dataclasses.fields(cls)}
        try:
            record = cls(**{name: value for name, value in values.items() if name in names})
            _check_types(record)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise FormatError(
                f"{url} is no {cls.__name__.lower()} of format {FORMAT}: {error}."
                " Delete it if it was written by hand; otherwise tell who maintains this."
            ) from None
        return record


@dataclass(frozen=True)
class File(Record):
    """One file of a run: `path` is relative to the run's folder, or a URL when it is elsewhere.

    `checksum` is `<algorithm>:<hexadecimal digits>`.
    """

    path: str
    size_bytes: int
    checksum: str


@dataclass(frozen=True)
class Source(Record):
    """A run that another was made from: its marker, and the checksum of that marker's bytes."""

    marker: str
    checksum: str


@dataclass(frozen=True)
class RunRequest(Record):
    """What one run of a job needs. `constants` become columns of the predictions."""

    date: datetime.date
    folder: str
    inputs: Mapping[str, Source]
    constants: Mapping[str, Any]

    @classmethod
    def build(cls, values: Mapping[str, Any], url: str) -> Self:
        inputs = {name: Source.build(each, url) for name, each in values["inputs"].items()}
        date = datetime.date.fromisoformat(values["date"])
        return super().build({**values, "inputs": inputs, "date": date}, url)


@dataclass(frozen=True)
class Request(Record):
    """All that a job must know. Written before anything else of the job, never changed.

    `spec` is what the compute must know to make the machine: whoever adopts the job makes the same.
    """

    job: str
    action: str
    compute: str
    machine: str
    image: str | None
    deadline_seconds: float
    heartbeat_seconds: float
    runs: Sequence[RunRequest]
    spec: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def build(cls, values: Mapping[str, Any], url: str) -> Self:
        try:
            runs = tuple(RunRequest.build(each, url) for each in values["runs"])
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise FormatError(f"{url} has a run that can't be read: {error!r}.") from None
        return super().build({**values, "runs": runs}, url)


@dataclass(frozen=True)
class Claim(Record):
    """The job that makes one attempt at a run."""

    job: str


@dataclass(frozen=True)
class Started(Record):
    """Who carries out a job. It exists once: a second container of the same job gives up."""

    host: str
    started_at: str
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Heartbeat(Record):
    """What a job is doing: per date `progress` (0 to 1), `message`, and whether it `ended`."""

    count: int
    runs: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Failure(Record):
    """Why a job or one run of it ended: `by` whom it was seen, a `reason` in one line, `detail`."""

    kind: FailureKind
    by: str
    reason: str
    detail: str = ""
    exit_status: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", FailureKind(self.kind))


@dataclass(frozen=True)
class GivenUp(Record):
    """Why nobody tries a run again by himself: the last `reason`, its detail, its log's URL."""

    reason: str
    log: str | None
    given_up_at: str
    detail: str = ""


@dataclass(frozen=True)
class Marker(Record):
    """A finished run: its files, and what it was made from.

    `about` holds what else is known of the run: metrics, versions, the job's own figures.
    """

    family: str
    date: datetime.date
    job: str
    rows: int | None
    files: Sequence[File]
    made_from: Mapping[str, Source]
    image: str | None
    started_at: str
    ended_at: str
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sources(self) -> Sequence[Source]:
        """What its results come from, without what they were only compared with."""
        return [source for name, source in self.made_from.items() if name != PREVIOUS]

    @classmethod
    def build(cls, values: Mapping[str, Any], url: str) -> Self:
        try:
            files = tuple(File.build(each, url) for each in values["files"])
            made_from = {key: Source.build(each, url) for key, each in values["made_from"].items()}
            date = datetime.date.fromisoformat(values["date"])
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise FormatError(f"{url} is no marker of format {FORMAT}: {error!r}.") from None
        return super().build({**values, "files": files, "made_from": made_from, "date": date}, url)


def _check_types(record: Record) -> None:
    """Raise `TypeError` for a field whose value is not what the class says."""
    kinds = _kinds(type(record))  # type: ignore[arg-type]  # a class can be hashed
    for name, kind in kinds.items():
        value = getattr(record, name)
        if not _fits(value, kind):
            raise TypeError(f"{name} can't be {value!r:.100}")


@cache
def _kinds(record: type[Record]) -> Mapping[str, Any]:
    return get_type_hints(record)


def _fits(value: object, kind: Any) -> bool:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is UnionType:
        return any(_fits(value, each) for each in arguments)
    if origin is Mapping:
        return isinstance(value, Mapping) and all(
            _fits(key, arguments[0]) and _fits(each, arguments[1]) for key, each in value.items()
        )
    if origin is Sequence:
        return isinstance(value, list | tuple) and all(_fits(each, arguments[0]) for each in value)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, (int, float) if kind is float else kind)


def _load(content: bytes, url: str) -> dict[str, Any]:
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{url} is not JSON: {error}.") from None
    if not isinstance(values, dict) or type(values.get("format")) is not int:
        raise FormatError(f"{url} does not say the version of its format.")
    if values["format"] > FORMAT:
        raise FormatError(
            f"{url} has format {values['format']}, this program reads up to {FORMAT}."
            " Upgrade the program."
        )
    return values
