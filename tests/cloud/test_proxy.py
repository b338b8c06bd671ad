"""The proxy keeps a true log, and makes the faults that it is told to."""

import contextlib
import http.client
import io
import json
import threading
import time
from urllib.parse import urlsplit

import pytest

from tests.cloud.servers import Cloud

OBJECT = b"content"


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    return cloud.new_bucket().removeprefix("gs://")


def ask(cloud: Cloud, method: str, path: str, body: object = None, at: str = "storage") -> tuple:
    """The status and body that a service's door answers."""
    door = urlsplit(cloud.addresses[at])
    connection = http.client.HTTPConnection(door.hostname, door.port, timeout=10)
    try:
        connection.request(method, path, body)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def upload(cloud: Cloud, bucket: str, name: str = "a", body: object = OBJECT) -> int:
    path = f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
    return ask(cloud, "POST", path, body)[0]


def download(cloud: Cloud, bucket: str, name: str = "a") -> tuple:
    return ask(cloud, "GET", f"/download/storage/v1/b/{bucket}/o/{name}?alt=media")


def statuses(cloud: Cloud, count: int) -> list[int]:
    return [ask(cloud, "GET", "/storage/v1/b?project=p")[0] for _ in range(count)]


def test_what_was_asked_and_answered_is_in_the_log(cloud, bucket):
    assert upload(cloud, bucket) == 200
    assert download(cloud, bucket) == (200, OBJECT)
    sent, got = cloud.requests
    assert (sent.service, sent.method, sent.status) == ("storage", "POST", 200)
    assert sent.path == f"/upload/storage/v1/b/{bucket}/o"
    assert sent.query == {"uploadType": "media", "name": "a"}
    assert (sent.size, got.reply_size, got.fault) == (len(OBJECT), len(OBJECT), None)


def test_the_log_has_headers_and_json_but_no_content_of_objects(cloud, bucket, storage_client):
    blob = storage_client.bucket(bucket).blob("a")
    blob.metadata = {"run": "1"}
    blob.upload_from_string(OBJECT)
    (sent,) = cloud.requests.to("storage", "^POST")
    assert sent.json["metadata"] == {"run": "1"}
    assert "content" not in sent.body.replace("contentType", "")
    assert sent.headers["content-type"].startswith("multipart/related")


def test_a_cleared_log_is_empty(cloud, bucket):
    upload(cloud, bucket)
    assert len(cloud.requests) == 1
    cloud.requests.clear()
    assert list(cloud.requests) == []


def test_a_body_in_chunks_arrives_whole(cloud, bucket):
    assert upload(cloud, bucket, body=iter([b"con", b"tent"])) == 200
    assert download(cloud, bucket) == (200, OBJECT)


def test_a_name_with_odd_letters_arrives_as_it_was_sent(cloud, bucket):
    assert upload(cloud, bucket, "a%20%25%2F%C3%BC%23") == 200
    assert download(cloud, bucket, "a%20%25%2F%C3%BC%23") == (200, OBJECT)


@pytest.mark.parametrize(
    ("when", "seen"),
    [
        ({"nth": 2}, [200, 503, 200, 200]),
        ({"nth": [1, 4]}, [503, 200, 200, 503]),
        ({"every": 2}, [200, 503, 200, 503]),
        ({"every": 2, "times": 1}, [200, 503, 200, 200]),
        ({}, [503, 503, 503, 503]),
        ({"service": "bigquery|machines"}, [200, 200, 200, 200]),
        ({"service": "bigquery|storage", "nth": 1}, [503, 200, 200, 200]),
    ],
)
def test_a_rule_says_which_requests_suffer(cloud, when, seen):
    cloud.faults.add("^GET .*project=p$", status=503, **when)
    assert statuses(cloud, 4) == seen
    assert cloud.faults.hits == seen.count(503)
    assert [each.status for each in cloud.requests] == seen


@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "rateLimitExceeded"), (500, "internalError"), (503, "backendError")],
)
def test_an_error_has_the_reason_by_which_clients_ask_again(cloud, status, reason):
    cloud.faults.add("", status=status)
    answered, body = ask(cloud, "GET", "/storage/v1/b?project=p")
    assert answered == status
    assert json.loads(body)["error"]["errors"][0]["reason"] == reason


def test_a_fault_before_the_work_keeps_the_request_from_the_server(cloud, bucket):
    cloud.faults.add("^POST", reset=True)
    with pytest.raises(ConnectionError):
        upload(cloud, bucket)
    assert download(cloud, bucket)[0] == 404
    assert cloud.requests[0].status is None


@pytest.mark.parametrize("fault", [{"reset": True}, {"status": 503}])
def test_a_fault_after_the_work_loses_only_the_reply(cloud, bucket, fault):
    cloud.faults.add("^POST", after=True, **fault)
    try:
        assert upload(cloud, bucket) == 503
    except ConnectionError:
        assert "reset" in fault
    assert download(cloud, bucket) == (200, OBJECT)


def test_a_delay_comes_before_the_work(cloud):
    cloud.faults.add("", delay_seconds=0.3)
    start = time.monotonic()
    assert statuses(cloud, 1) == [200]
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize("after", [False, True])
def test_a_held_request_stands_until_the_rules_are_cleared(cloud, bucket, after):
    cloud.faults.add("^POST", hold=True, after=after)
    asking = threading.Thread(target=pytest.raises, args=(ConnectionError, upload, cloud, bucket))
    asking.start()
    deadline = time.monotonic() + 5
    while not cloud.faults.hits and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert download(cloud, bucket)[0] == (200 if after else 404)
    assert asking.is_alive()
    cloud.faults.clear()
    asking.join(5)
    assert not asking.is_alive()


def test_the_same_seed_makes_the_same_faults(cloud):
    def outcomes() -> list[object]:
        cloud.faults.clear()
        cloud.faults.add_at_random(0.5, seed=7, delay_seconds=0)
        return [outcome(cloud) for _ in range(40)]

    first = outcomes()
    assert first == outcomes()
    assert {200, 429, 500, 503, "reset"} == set(first)


def outcome(cloud: Cloud) -> object:
    try:
        return statuses(cloud, 1)[0]
    except ConnectionError:
        return "reset"


def test_at_random_no_reply_to_a_chunk_is_lost(cloud):
    cloud.faults.add_at_random(0.9, seed=1, match="upload_id", delay_seconds=0)
    for _ in range(60):
        with contextlib.suppress(ConnectionError):
            ask(cloud, "PUT", "/upload/storage/v1/b/none/o?uploadType=resumable&upload_id=1")
    assert not [each for each in cloud.requests if each.fault and each.fault["after"]]


def test_a_client_stays_at_its_door(cloud, bucket, storage_client):
    blob = storage_client.bucket(bucket).blob("a", chunk_size=256 * 1024)
    blob.upload_from_file(io.BytesIO(bytes(300 * 1024)))
    blob.reload()
    assert len(blob.download_as_bytes()) == 300 * 1024
    assert len(cloud.requests.to("storage", "^PUT")) == 2
    assert cloud.requests.to("storage", "^GET /download")


def test_machines_have_a_door_of_their_own(cloud, bucket):
    upload(cloud, bucket)
    cloud.requests.clear()
    path = f"/download/storage/v1/b/{bucket}/o/a?alt=media"
    assert ask(cloud, "GET", path) == ask(cloud, "GET", path, at="machines") == (200, OBJECT)
    assert [each.service for each in cloud.requests] == ["storage", "machines"]
