"""What Cloud Storage alone can do to us: faults on the way, races, refusals, its own counting.

What it shares with the other side is in test_storage.py.
"""

import base64
import datetime
import gc
import gzip
import itertools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from container.staging import upload
from pipeline import checksums, storage
from pipeline.errors import ChecksumError, ObjectExistsError, ObjectMissingError, StorageError
from pipeline.fetching import fetch
from pipeline.records import Marker, Source
from pipeline.storage.google import GoogleStorage
from tests.cloud.fixtures import Cloud
from tests.contract.interference import CutReply, interference

# The library leaves the socket of a download that failed to Python's garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

PART_BYTES = 16 * 1024 * 1024
REFUSED = (
    "robot@shop.iam.gserviceaccount.com does not have storage.objects.create access to the Google"
    " Cloud Storage object. Permission 'storage.objects.create' denied on resource (or it may not"
    " exist)."
)


@pytest.fixture(autouse=True)
def _environment(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    yield
    gc.collect()


@pytest.fixture
def folder(cloud: Cloud) -> str:
    return f"{cloud.new_bucket()}/store"


@pytest.fixture
def url(folder: str) -> str:
    return f"{folder}/object.bin"


@pytest.fixture
def store(folder: str) -> storage.Storage:
    return storage.open(folder)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A file that goes up in two parts."""
    path = tmp_path / "big"
    path.write_bytes(os.urandom(1_000_003) * 20)
    return path


def urls(store: storage.Storage, folder: str) -> list[str]:
    return [entry.url for entry in store.list(folder)]


def python(code: str, *arguments: str, **environment: str) -> str:
    """What a process of its own prints, the last line of a traceback included."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.stdout


# Faults


OPERATIONS: dict[str, Callable[[storage.Storage, str, Path], object]] = {
    "exists": lambda store, url, path: store.exists(url),
    "read": lambda store, url, path: store.read(url),
    "write": lambda store, url, path: store.write(url, b"content"),
    "create": lambda store, url, path: store.write(f"{url}.new", b"content", create_only=True),
    "list": lambda store, url, path: list(store.list(url.rpartition("/")[0])),
    "upload": lambda store, url, path: store.upload(path, f"{url}.new", create_only=True),
    "download": lambda store, url, path: store.download(url, path.with_name("copy")),
    "stat": lambda store, url, path: store.stat(url),
    "delete": lambda store, url, path: store.delete(url),
}


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"reset": True}])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_fails_on_its_way_is_asked_again(cloud, store, url, big, operation, fault):
    store.write(url, b"content")
    cloud.faults.add(".", service="storage", nth=1, **fault)
    OPERATIONS[operation](store, url, big)
    assert cloud.faults.hits == 1


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": True}])
@pytest.mark.parametrize("operation", ["write", "create", "delete"])
def test_what_was_done_is_done_though_the_reply_is_lost(cloud, store, url, big, operation, fault):
    store.write(url, b"content")
    cloud.faults.add(".", service="storage", nth=1, after=True, **fault)
    OPERATIONS[operation](store, url, big)
    assert cloud.faults.hits == 1
    found = {"write": [url], "create": [url, f"{url}.new"], "delete": []}[operation]
    assert urls(store, url.rpartition("/")[0]) == found


def test_who_writes_once_learns_that_she_did_though_the_reply_is_lost(cloud, url):
    cloud.faults.add("POST", service="storage", nth=1, after=True, reset=True)
    assert storage.write_once(url, b"the same")
    assert cloud.faults.hits == 1
    assert not storage.write_once(url, b"the same")


def test_a_file_that_is_created_is_known_for_ours_though_the_reply_is_lost(cloud, store, url, big):
    big.write_bytes(b"small enough for one request")
    cloud.faults.add("POST", service="storage", nth=1, after=True, status=503)
    assert store.upload(big, url, create_only=True) == store.stat(url)
    assert cloud.faults.hits == 1


def test_the_same_bytes_from_another_are_not_ours(cloud, url):
    """The one is held up before Cloud Storage has heard of it, and the other is done meanwhile."""
    cloud.faults.add("POST", service="storage", nth=1, hold=True)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(storage.write_once, url, b"the same")
        wait_for(lambda: cloud.faults.hits == 1)
        assert storage.write_once(url, b"the same")
        cloud.faults.clear()
        assert not slow.result()


def test_what_never_works_says_why_and_for_how_long(cloud, url):
    cloud.faults.add(".", service="storage", status=503, message="The backend is down.")
    words = (
        rf"Can't read {url}: The backend is down \(Timeout of 1\.0s exceeded\)\. Run the command"
    )
    with pytest.raises(StorageError, match=words):
        GoogleStorage(deadline_seconds=1).read(url)


def test_a_server_that_is_not_there_is_told(url, cloud):
    code = (
        "import sys\nfrom pipeline.storage.google import GoogleStorage\n"
        "GoogleStorage(deadline_seconds=1).read(sys.argv[1])"
    )
    printed = python(code, url, STORAGE_EMULATOR_HOST="http://127.0.0.1:9")
    assert re.search(rf"StorageError: Can't read {url}: .*Look at the network", printed)


# What is not in the proxy's power: replies that are cut or damaged


READ_AND_DOWNLOAD = """
import sys
from pathlib import Path
from pipeline import checksums, storage
url, path = sys.argv[1], Path(sys.argv[2])
assert storage.open(url).read(url) == Path(sys.argv[3]).read_bytes()
storage.open(url).download(url, path)
print("done")
"""


def test_a_download_that_is_cut_goes_on_where_it_was(cloud, store, url, big, tmp_path):
    store.upload(big, url)
    cuts = itertools.count()

    def cut(request, reply):
        is_first = "alt=media" in request.target and not request.header("range")
        return CutReply(**vars(reply)) if is_first and next(cuts) >= 0 else reply

    cloud.requests.clear()
    copy = tmp_path / "copy"
    with interference(cloud.environment["STORAGE_EMULATOR_HOST"], cut) as address:
        printed = python(READ_AND_DOWNLOAD, url, str(copy), str(big), STORAGE_EMULATOR_HOST=address)
    assert printed == "done\n"
    assert copy.read_bytes() == big.read_bytes()
    asked = [each.headers.get("range") for each in cloud.requests.to("storage", "GET")]
    assert [bool(each) for each in asked] == [False, True, False, True]


@pytest.mark.parametrize("is_cut", [False, True])
def test_content_that_is_damaged_on_its_way_is_refused(cloud, store, url, big, tmp_path, is_cut):
    store.upload(big, url)
    copy = tmp_path / "new" / "copy"

    def damage(request, reply):
        if is_cut and not request.header("range"):
            return CutReply(**vars(reply))
        return replace(reply, body=reply.body[:-1] + bytes([reply.body[-1] ^ 1]))

    codes = {
        "read": "import sys\nfrom pipeline import storage\nstorage.open('gs://').read(sys.argv[1])",
        "download": (
            "import sys\nfrom pathlib import Path\nfrom pipeline import storage\n"
            "storage.open('gs://').download(sys.argv[1], Path(sys.argv[2]))"
        ),
    }
    with interference(cloud.environment["STORAGE_EMULATOR_HOST"], damage) as address:
        for code in codes.values():
            printed = python(code, url, str(copy), STORAGE_EMULATOR_HOST=address)
            assert f"StorageError: {url} was damaged on its way: Cloud Storage says" in printed
    assert list(copy.parent.iterdir()) == []


def test_an_upload_is_sent_with_its_checksum_and_compared_with_the_reply(cloud, store, url, big):
    store.upload(big, url)
    start = next(each for each in cloud.requests.to("storage", "POST"))
    told = base64.b64decode(start.json["crc32c"]).hex()
    assert f"crc32c:{told}" == checksums.of_file(big, checksums.CRC32C)

    def lie(request, reply):
        return replace(reply, body=re.sub(rb'("crc32c": ?)"[^"]*"', rb'\1"AAAAAA=="', reply.body))

    code = (
        "import sys\nfrom pipeline import storage\nstorage.open('gs://').write(sys.argv[1], b'x')"
    )
    with interference(cloud.environment["STORAGE_EMULATOR_HOST"], lie) as address:
        printed = python(code, url, STORAGE_EMULATOR_HOST=address)
    assert f"{url} was damaged on its way: Cloud Storage says crc32c:00000000" in printed


@pytest.mark.parametrize(("size", "method"), [(1000, "POST"), (9_000_000, "PUT")])
def test_a_file_that_is_damaged_on_its_way_up_is_refused(cloud, store, url, big, size, method):
    big.write_bytes(os.urandom(size))
    cloud.faults.add(method, service="storage", nth=1, spoil=True)
    with pytest.raises(StorageError, match=rf"{url} was damaged on its way: .* Run the command"):
        store.upload(big, url, create_only=True)
    assert cloud.faults.hits == 1
    assert urls(store, url.rpartition("/")[0]) == []


def test_what_is_asked_wrongly_is_told_in_the_services_words(cloud, store, url):
    message = "The specified object name is not valid."
    cloud.faults.add("POST", service="storage", status=400, message=message)
    with pytest.raises(StorageError, match=rf"Can't write {url}: {message} Correct what it"):
        store.write(url, b"content")


# Big files


def test_a_big_file_never_takes_the_place_of_what_is_finished(cloud, store, url, big):
    store.write(url, b"finished")
    with pytest.raises(ObjectExistsError, match=r"object\.bin is there already"):
        store.upload(big, url, create_only=True)
    assert store.read(url) == b"finished"
    assert cloud.requests.to("storage", "PUT") == []


def test_a_big_file_is_too_late_when_another_is_finished_during_its_upload(cloud, store, url, big):
    cloud.faults.add("PUT", service="storage", nth=2, hold=True)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(store.upload, big, url, create_only=True)
        wait_for(lambda: cloud.faults.hits == 1)
        assert urls(store, url.rpartition("/")[0]) == []
        store.write(url, b"finished", create_only=True)
        cloud.faults.clear()
        with pytest.raises(ObjectExistsError, match=r"object\.bin is there already"):
            slow.result()
    assert store.read(url) == b"finished"


def test_a_big_file_goes_on_with_the_part_that_failed(cloud, store, url, big):
    cloud.faults.add("PUT", service="storage", nth=[1, 3], status=503)
    store.upload(big, url, create_only=True)
    assert store.read(url) == big.read_bytes()
    sizes = [each.size for each in cloud.requests.to("storage", "PUT")]
    rest = big.stat().st_size - PART_BYTES
    assert sizes == [PART_BYTES, PART_BYTES, rest, rest]


def test_a_writer_that_is_killed_during_a_big_upload_leaves_nothing(cloud, store, url, big):
    cloud.faults.add("PUT", service="storage", nth=2, hold=True)
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipeline import storage\n"
        "storage.open('gs://').upload(Path(sys.argv[2]), sys.argv[1])"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, url, str(big)])
    wait_for(lambda: cloud.faults.hits == 1)
    writer.kill()
    writer.wait()
    cloud.faults.clear()
    assert urls(store, url.rpartition("/")[0]) == []


# Counting


@pytest.mark.parametrize("operation", ["exists", "read", "write", "create", "list", "stat"])
def test_an_operation_is_one_request_even_the_first_of_a_process(cloud, store, url, big, operation):
    codes = {
        "exists": "store.exists(url)",
        "read": "store.read(url)",
        "write": "store.write(url, b'new')",
        "create": "store.write(url + '.new', b'new', create_only=True)",
        "list": "list(store.list(url.rpartition('/')[0]))",
        "stat": "store.stat(url)",
    }
    store.write(url, b"content")
    cloud.requests.clear()
    # A request that the library makes in the background would come a little later.
    head = "import sys, time\nfrom pipeline import storage\nurl = sys.argv[1]\n"
    printed = python(f"{head}store = storage.open(url)\n{codes[operation]}\ntime.sleep(0.2)", url)
    assert printed == ""
    assert len(cloud.requests) == 1


def test_a_listing_comes_in_pages_of_a_thousand_and_asks_for_little(cloud, store, folder):
    names = sorted(f"{folder}/date={number:04}/_SUCCESS" for number in range(1050))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda url: store.write(url, b""), names))
    cloud.requests.clear()
    assert urls(store, folder) == names
    asked = cloud.requests.to("storage")
    assert [each.query.get("maxResults") for each in asked] == ["1000", "1000"]
    assert {each.query["fields"] for each in asked} == {"items(name,size,generation),nextPageToken"}


def test_a_precondition_is_sent_when_an_object_is_to_be_new_and_only_then(cloud, store, url):
    store.write(url, b"first", create_only=True)
    store.write(url, b"second")
    sent = [each.query.get("ifGenerationMatch") for each in cloud.requests.to("storage", "POST")]
    assert sent == ["0", None]


def test_asking_loads_neither_bigquery_nor_compute_engine(url):
    code = (
        "import sys\nfrom pipeline import storage\nstorage.open('gs://').exists(sys.argv[1])\n"
        "heavy = ('google.cloud.bigquery', 'google.cloud.compute', 'transfer_manager', 'pandas')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    assert python(code, url) == "[]\n"


# Names and content


def test_a_folder_that_the_console_made_is_no_object(store, folder):
    store.write(f"{folder}/data/", b"")
    store.write(f"{folder}/data/part.csv", b"id")
    assert not store.exists(f"{folder}/data/")
    assert urls(store, f"{folder}/data/") == [f"{folder}/data/part.csv"]


def test_a_bucket_is_a_folder_too(store, folder):
    bucket = folder.rpartition("/")[0]
    store.write(f"{folder}/object", b"")
    assert not store.exists(bucket)
    assert urls(store, bucket) == urls(store, f"{bucket}/") == [f"{folder}/object"]


def test_what_is_stored_compressed_comes_down_as_it_is_stored(store, url, tmp_path):
    """Not as the header Content-Encoding would have it, or no checksum would fit."""
    stored = gzip.compress(b"id,amount\n" * 100)
    code = (
        "import sys\nfrom google.cloud.storage import Client\n"
        "blob = Client('any').bucket(sys.argv[1]).blob(sys.argv[2])\n"
        "blob.content_encoding = 'gzip'\n"
        "blob.upload_from_string(bytes.fromhex(sys.argv[3]))"
    )
    bucket, _, name = url.removeprefix("gs://").partition("/")
    assert python(code, bucket, name, stored.hex()) == ""
    assert store.read(url) == stored
    store.download(url, tmp_path / "copy.csv.gz")
    assert checksums.matches(tmp_path / "copy.csv.gz", store.stat(url).checksum)


# Refusals


def test_a_missing_bucket_is_named_with_the_command_that_makes_it(store, big):
    url = "gs://nowhere/store/object"
    words = (
        r"gs://nowhere/store/object: .*There is no bucket nowhere\. Make it: `gcloud storage"
        r" buckets create gs://nowhere --location=LOCATION`, or choose another `storage`"
    )
    with pytest.raises(StorageError, match=f"Can't write {words}"):
        store.write(url, b"content")
    with pytest.raises(StorageError, match=f"Can't write {words}"):
        store.upload(big, url, create_only=True)
    with pytest.raises(StorageError, match=r"Can't list gs://nowhere: .*There is no bucket"):
        urls(store, "gs://nowhere")


def test_reading_tells_a_missing_bucket_from_a_missing_object(cloud, store, url, tmp_path):
    with pytest.raises(ObjectMissingError, match=r"object\.bin does not exist"):
        store.read(url)
    message = "The specified bucket does not exist."
    cloud.faults.add("GET", service="storage", status=404, message=message)
    for reading in (store.read, store.stat, lambda url: store.download(url, tmp_path / "copy")):
        with pytest.raises(StorageError, match=rf"Can't read {url}: {message} There is no bucket"):
            reading(url)


def test_a_refusal_names_who_lacks_which_permission_and_the_command(cloud, store, url, big):
    cloud.faults.add(".", service="storage", status=403, message=REFUSED)
    bucket = url.split("/")[2]
    words = (
        r"robot@shop\.iam\.gserviceaccount\.com does not have storage\.objects\.create access .*"
        rf"`gcloud storage buckets add-iam-policy-binding gs://{bucket}"
        r" --member=serviceAccount:robot@shop\.iam\.gserviceaccount\.com"
        r" --role=roles/storage\.objectUser`, or choose another `storage`"
    )
    for operation in OPERATIONS.values():
        with pytest.raises(StorageError, match=words) as failure:
            operation(store, url, big)
        assert "\n" not in str(failure.value)


def test_who_is_not_logged_in_reads_the_command_to_type(url, tmp_path):
    code = "import sys\nfrom pipeline import storage\nstorage.open('gs://').exists(sys.argv[1])"
    nobody = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "NO_GCE_CHECK": "true"}
    nobody |= {"GOOGLE_APPLICATION_CREDENTIALS": "", "STORAGE_EMULATOR_HOST": ""}
    printed = python(code, url, **nobody).splitlines()[-1]
    assert re.search(
        rf"StorageError: Can't look at {url}: nobody is logged in to Google Cloud\. Type"
        " `gcloud auth application-default login`",
        printed,
    )


# A run's files


def test_a_run_goes_up_and_comes_down_with_its_checksums(store, folder, tmp_path):
    results = tmp_path / "results"
    (results / "model").mkdir(parents=True)
    for number in range(20):
        (results / "model" / f"{number}.bin").write_bytes(os.urandom(1000 + number))
    told: list[str] = []
    files = upload(results, folder, "job-1", told.append)
    assert [each.path for each in files] == sorted(each.path for each in files)
    assert all(store.stat(f"{folder}/{each.path}").checksum == each.checksum for each in files)
    assert told[-1] == "20 of 20 files"
    source = finish(store, folder, files)
    fetched = fetch(source, tmp_path / "here")
    for path in fetched.paths:
        assert path.read_bytes() == (results / "model" / path.name).read_bytes()


def test_a_file_that_was_replaced_since_is_refused(store, folder, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "model.joblib").write_bytes(b"a")
    source = finish(store, folder, upload(tmp_path / "results", folder, "job-1"))
    store.write(f"{folder}/job-1/model.joblib", b"b")
    with pytest.raises(ChecksumError, match=r"model\.joblib is not the file that .*_SUCCESS lists"):
        fetch(source, tmp_path / "here")


def test_an_attempt_is_never_taken_for_another(store, folder, tmp_path):
    (tmp_path / "part.csv").write_bytes(b"first")
    upload(tmp_path, folder, "job-1")
    (tmp_path / "part.csv").write_bytes(b"second")
    with pytest.raises(ObjectExistsError):
        upload(tmp_path, folder, "job-1")
    assert store.read(f"{folder}/job-1/part.csv") == b"first"


def finish(store: storage.Storage, folder: str, files: list) -> Source:
    date = datetime.date(2024, 3, 1)
    marker = Marker("training", date, "job-1", 1, files, {}, None, "then", "now").dump()
    store.write(f"{folder}/_SUCCESS", marker)
    return Source(f"{folder}/_SUCCESS", checksums.of_bytes(marker))


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
