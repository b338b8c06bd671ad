"""Real records, mutated at random: read, or refused with the file's name."""

import dataclasses
import datetime
import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import FormatError
from pipeline.records import (
    Claim,
    Failure,
    FailureKind,
    File,
    Heartbeat,
    Marker,
    Request,
    RunRequest,
    Source,
    Started,
)

URL = "/storage/toy/v1/training/date=2024-03-01/some.json"
DATE = datetime.date(2024, 3, 1)
SOURCE = Source("/storage/data/_SUCCESS", "sha256:00")
FILES = (File("job-1/model.joblib", 12, "sha256:11"), File("gs://b/x.csv", 0, "crc32c:22"))
MOMENT = "2024-03-01T00:00:00+00:00"
RUN = RunRequest(DATE, "/storage/run", {"data": SOURCE}, {"run_id": "job-1"})
RECORDS = [
    Claim("job-1"),
    Started("host", MOMENT, {"python": "3.11"}),
    Failure(FailureKind.SILENT, "waiter", "no word", exit_status=1),
    Heartbeat(3, {"2024-03-01": {"progress": 0.5, "message": "half"}}),
    Request("job-1", "training", "local", "host:/work", None, 60, 2.5, (RUN, RUN)),
    Marker("training", DATE, "job-1", 3, FILES, {"data": SOURCE}, None, MOMENT, MOMENT, {"a": 1}),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def places(value: object, place: tuple = ()) -> list[tuple]:
    """Where something can be put in the place of something else."""
    inner = value.items() if isinstance(value, dict) else []
    inner = enumerate(value) if isinstance(value, list) else inner
    return [place, *(found for key, each in inner for found in places(each, (*place, key)))]


def put(value: object, place: tuple, new: object) -> object:
    """`value` with `new` at `place`; with nothing there when `new` is DROP."""
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    if new is DROP and len(place) == 1:
        del copy[place[0]]
    else:
        copy[place[0]] = put(copy[place[0]], place[1:], new)
    return copy


DROP = object()


def read(kind: type, content: bytes) -> None:
    """A record whose every field is used as the program does, or a refusal."""
    refusal = refuse(kind, content)
    if refusal:
        assert refusal.startswith(URL)
        return
    record = kind.parse(content, URL)
    use(record)
    assert kind.parse(record.dump(), URL) == record or "NaN" in content.decode()


def refuse(kind: type, content: bytes) -> str | None:
    try:
        kind.parse(content, URL)
    except FormatError as error:
        return str(error)
    return None


def use(record: object) -> None:
    if isinstance(record, Marker):
        assert all(
            each.path + each.checksum and each.size_bytes >= each.size_bytes
            for each in record.files
        )
        assert all(source.marker.rpartition("/") for source in record.made_from.values())
        assert record.date <= datetime.date.max
        assert record.rows is None or f"{record.rows:,}"
    if isinstance(record, Request):
        assert all(each.folder + "/" and each.inputs.values() is not None for each in record.runs)
        assert record.machine.partition(":")
        assert record.deadline_seconds + record.heartbeat_seconds is not None
    if isinstance(record, Failure):
        assert record.kind.budget
        assert (record.reason + record.detail).splitlines() is not None
    if isinstance(record, Heartbeat):
        assert all(each.get("progress", 0) is not DROP for each in record.runs.values())
    if isinstance(record, Claim):
        assert record.job + "/"


@given(st.sampled_from(RECORDS), st.data(), JSON | st.just(DROP))
def test_a_record_with_something_else_in_it_is_read_or_refused(record, data, new):
    values = json.loads(record.dump())
    place = data.draw(st.sampled_from(places(values)[1:]))
    read(type(record), json.dumps(put(values, place, new)).encode())


@given(st.sampled_from(RECORDS), st.data())
def test_a_record_with_other_bytes_in_it_is_read_or_refused(record, data):
    content = bytearray(record.dump())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    read(type(record), bytes(content[: data.draw(st.integers(0, len(content)))]))


@given(st.sampled_from(RECORDS), st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_what_is_no_record_is_refused(record, content):
    read(type(record), content)


@given(st.sampled_from(RECORDS), st.integers(2))
def test_a_newer_format_is_refused_whatever_it_says(record, version):
    values = dict.fromkeys(dataclasses.asdict(record))
    content = json.dumps({**values, "format": version}).encode()
    words = f"{URL} has format {version}, this program reads up to 1."
    assert refuse(type(record), content).startswith(words)


def test_a_record_of_a_hundred_thousand_brackets_is_refused():
    read(Claim, b'{"format": 1, "job": ' + b"[" * 100_000)
