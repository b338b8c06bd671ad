"""What the files of the protocol say, and what is refused."""

import dataclasses
import datetime
import json

import pytest

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
)

DATE = datetime.date(2024, 3, 1)
SOURCE = Source("/storage/data/_SUCCESS", "sha256:00")
RECORDS = [
    Claim("job-1"),
    Failure(FailureKind.SILENT, "waiter", "no word", exit_status=1),
    Heartbeat(3, {"2024-03-01": {"progress": 0.5, "message": "half"}}),
    Request(
        job="job-1",
        action="training",
        compute="local",
        machine="host:/work",
        image=None,
        deadline_seconds=60,
        heartbeat_seconds=2,
        runs=(RunRequest(DATE, "/storage/run", {"data": SOURCE}, {"run_id": "job-1"}),),
    ),
    Marker(
        family="training",
        date=DATE,
        job="job-1",
        rows=3,
        files=(File("job-1/model.joblib", 12, "sha256:11"),),
        made_from={"data": SOURCE},
        image=None,
        started_at="2024-03-01T00:00:00+00:00",
        ended_at="2024-03-01T00:01:00+00:00",
        about={"code": "abc"},
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_what_is_written_is_read(record):
    assert type(record).parse(record.dump(), "url") == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_newer_format_is_refused(record):
    newer = json.dumps({**json.loads(record.dump()), "format": 2}).encode()
    with pytest.raises(FormatError, match=r"/there/it\.json has format 2.*Upgrade the program"):
        type(record).parse(newer, "/there/it.json")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_field_that_is_not_known_is_left_alone(record):
    more = json.dumps({**json.loads(record.dump()), "later": 1}).encode()
    assert type(record).parse(more, "url") == record


REQUIRED = [
    (record, each.name)
    for record in RECORDS
    for each in dataclasses.fields(record)
    if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
]


@pytest.mark.parametrize(("record", "name"), REQUIRED, ids=str)
def test_a_record_that_lacks_something_is_refused(record, name):
    values = json.loads(record.dump())
    del values[name]
    with pytest.raises(FormatError, match=f"/there/it.json.*{name}"):
        type(record).parse(json.dumps(values).encode(), "/there/it.json")


@pytest.mark.parametrize(
    ("record", "name", "value"),
    [
        (RECORDS[3], "runs", 7),
        (RECORDS[3], "runs", [{"date": "1"}]),
        (RECORDS[3], "runs", [3]),
        (RECORDS[4], "files", 7),
        (RECORDS[4], "files", ["a"]),
        (RECORDS[4], "date", "1998-13-01"),
        (RECORDS[4], "date", 7),
        (RECORDS[4], "made_from", []),
    ],
    ids=str,
)
def test_a_record_of_another_shape_is_refused(record, name, value):
    values = {**json.loads(record.dump()), name: value}
    with pytest.raises(FormatError, match=r"/there/it\.json"):
        type(record).parse(json.dumps(values).encode(), "/there/it.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"{}", b'{"format": "1"}', b"\xff"])
def test_what_is_no_record_is_refused(content):
    with pytest.raises(FormatError, match=r"/there/it\.json"):
        Claim.parse(content, "/there/it.json")


def test_an_unknown_kind_of_failure_is_refused():
    content = Failure(FailureKind.SILENT, "waiter", "").dump().replace(b"silent", b"sleepy")
    with pytest.raises(FormatError, match="sleepy"):
        Failure.parse(content, "url")
