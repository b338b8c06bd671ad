"""What every storage promises. A new side is one more parameter of the fixture `side`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from pipeline import checksums, storage
from pipeline.errors import ObjectExistsError, ObjectMissingError, StorageError

Python = Callable[..., "subprocess.Popen[str]"]

ODD_NAMES = ["a b.txt", "100%.txt", "50%25.txt", "a#b?c.txt", "über/größe.txt", "date=1998-04-01/x"]

RACE = """
import json, sys, threading
from pipeline import storage
from pipeline.errors import ObjectExistsError
url, name = sys.argv[1:]
outcomes = []
start = threading.Barrier(4)
def create(number):
    start.wait()
    try:
        storage.open(url).write(url, f"{name}-{number}".encode(), create_only=True)
        outcomes.append(f"{name}-{number}")
    except ObjectExistsError:
        outcomes.append("exists")
print("ready", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=create, args=(number,)) for number in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(json.dumps(outcomes))
"""

OVERWRITE = """
import itertools, sys
from pipeline import storage
url = sys.argv[1]
for round in itertools.count():
    storage.open(url).write(url, bytes([65 + round % 26]) * 3_000_000)
    print(round, flush=True)
"""

FORK = """
import os, sys
from pipeline import storage
folder = sys.argv[1]
store = storage.open(folder)
store.write(f"{folder}/parent", b"parent")
def work(name):
    for round in range(40):
        content = f"{name} {round}".encode() * 1000
        store.write(f"{folder}/{name}", content)
        assert store.read(f"{folder}/{name}") == content
children = []
for number in range(3):
    if not (child := os.fork()):
        work(f"child-{number}")
        os._exit(0)
    children.append(child)
work("parent")
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


@dataclass
class Side:
    """Where a test may write; `forbid` returns a URL that this user may not write to."""

    folder: str
    forbid: Callable[[], str]


@pytest.fixture(params=["local", "google"])
def side(request: pytest.FixtureRequest):
    sides = {"local": local_side, "google": google_side}
    yield from sides[request.param](request)


def local_side(request: pytest.FixtureRequest):
    folder = request.getfixturevalue("tmp_path")
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    # chmod does not stop root; the kernel's own tree does.
    forbidden = "/sys/x" if os.geteuid() == 0 else str(locked / "x")
    yield Side(str(folder / "store"), lambda: forbidden)
    locked.chmod(0o700)


def google_side(request: pytest.FixtureRequest):
    cloud = request.getfixturevalue("cloud")
    for name, value in cloud.environment.items():
        request.getfixturevalue("monkeypatch").setenv(name, value)

    def forbid() -> str:
        message = "Permission 'storage.objects.create' denied on resource (or it may not exist)."
        cloud.faults.add("/b/forbidden/", service="storage", status=403, message=message)
        return "gs://forbidden/x"

    yield Side(f"{cloud.new_bucket()}/store", forbid)


@pytest.fixture
def url(side: Side) -> str:
    return f"{side.folder}/object.bin"


@pytest.fixture
def store(side: Side) -> storage.Storage:
    return storage.open(side.folder)


@pytest.fixture
def python() -> Iterator[Python]:
    """Start a process: `python(code, *arguments)`. What is left of it ends with the test."""
    started = []

    def python(code: str, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", code, *arguments]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        return started[-1]

    yield python
    for process in started:
        process.kill()
        process.communicate()


def urls(store: storage.Storage, folder: str) -> list[str]:
    return [entry.url for entry in store.list(folder)]


def version(store: storage.Storage, url: str) -> str:
    [entry] = [entry for entry in store.list(url.rpartition("/")[0]) if entry.url == url]
    return entry.version


def test_what_was_written_is_read_back(store, url):
    assert not store.exists(url)
    store.write(url, b"first")
    assert store.exists(url)
    assert store.read(url) == b"first"
    store.write(url, b"second")
    assert store.read(url) == b"second"


def test_an_empty_object_is_there(store, url):
    store.write(url, b"")
    assert store.exists(url)
    assert store.read(url) == b""


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_taken_literally(store, side, tmp_path, name):
    url = f"{side.folder}/{name}"
    store.write(url, name.encode())
    assert store.exists(url)
    assert store.read(url) == name.encode()
    assert urls(store, side.folder) == [url]
    store.download(url, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == name.encode()
    store.delete(url)
    assert urls(store, side.folder) == []


def test_reading_nothing_names_the_object_and_what_to_do(store, url, tmp_path):
    with pytest.raises(ObjectMissingError, match=r"object\.bin does not exist\. Run the task"):
        store.read(url)
    with pytest.raises(ObjectMissingError, match=r"object\.bin does not exist\. Run the task"):
        store.download(url, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_folder_is_no_object(store, side):
    store.write(f"{side.folder}/folder/object", b"content")
    assert not store.exists(f"{side.folder}/folder")
    with pytest.raises(ObjectMissingError):
        store.read(f"{side.folder}/folder")
    store.delete(f"{side.folder}/folder")
    assert store.exists(f"{side.folder}/folder/object")


def test_create_only_leaves_what_is_there(store, url, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"third")
    store.write(url, b"first", create_only=True)
    with pytest.raises(ObjectExistsError, match=r"object\.bin is there already"):
        store.write(url, b"second", create_only=True)
    with pytest.raises(ObjectExistsError, match=r"object\.bin is there already"):
        store.upload(source, url, create_only=True)
    assert store.read(url) == b"first"
    assert urls(store, url.rpartition("/")[0]) == [url]


def test_of_sixteen_racing_creators_one_wins(store, url, python):
    """Four processes of four threads each."""
    racers = [python(RACE, url, str(number)) for number in range(4)]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    outcomes: list[str] = []
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        outcomes += json.loads(racer.communicate()[0])
    [winner] = [outcome for outcome in outcomes if outcome != "exists"]
    assert outcomes.count("exists") == 15
    assert store.read(url) == winner.encode()


def test_sixteen_threads_create_one_object(store, url):
    start = threading.Barrier(16)

    def create(number: int) -> int | None:
        start.wait()
        try:
            store.write(url, str(number).encode(), create_only=True)
        except ObjectExistsError:
            return None
        return number

    with ThreadPoolExecutor(16) as pool:
        winners = [number for number in pool.map(create, range(16)) if number is not None]
    assert winners == [int(store.read(url))]


def test_a_reader_never_sees_half_a_write_even_of_a_writer_that_is_killed(store, url, python):
    writer = python(OVERWRITE, url)
    assert writer.stdout
    writer.stdout.readline()
    for _ in range(60):
        content = store.read(url)
        assert content == content[:1] * 3_000_000
        [entry] = store.list(url.rpartition("/")[0])
        assert entry.size_bytes == 3_000_000
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    content = store.read(url)
    assert content == content[:1] * 3_000_000
    assert urls(store, url.rpartition("/")[0]) == [url]


def test_a_first_write_that_is_killed_leaves_nothing_to_see(store, side, python):
    for number in range(5):
        url = f"{side.folder}/killed/{number}"
        code = (
            "import sys\nfrom pipeline import storage\nprint(flush=True)\n"
            "storage.open(sys.argv[1]).write(sys.argv[1], bytes(100_000_000))"
        )
        writer = python(code, url)
        assert writer.stdout
        writer.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            writer.wait(0.005 * number)
        writer.kill()
        writer.communicate()
        sizes = [entry.size_bytes for entry in store.list(f"{side.folder}/killed")]
        assert set(sizes) <= {100_000_000}


def test_what_a_killed_writer_left_can_be_found_and_deleted_a_day_later(tmp_path, python):
    """In a folder; a bucket keeps nothing of an upload that was not finished."""
    store, url = storage.open("/"), str(tmp_path / "model" / "model.joblib")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom pipeline.storage import disk\n"
        "with disk.unfinished(Path(sys.argv[1])) as half:\n"
        "    half.write_bytes(b'half a model')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert python(code, url).wait() == -signal.SIGKILL
    [left] = tmp_path.rglob("*.*")
    assert list(store.list_remains(str(tmp_path))) == []
    yesterday = time.time() - 25 * 60 * 60
    os.utime(left, (yesterday, yesterday))
    [remains] = store.list_remains(str(tmp_path))
    assert (remains.url, remains.size_bytes) == (str(left), 12)
    assert urls(store, str(tmp_path)) == []
    store.delete(remains.url)
    assert list(tmp_path.rglob("*.*")) == []


def test_objects_are_no_remains(store, side, url):
    store.write(url, b"content")
    assert list(store.list_remains(side.folder)) == []


def test_the_version_changes_with_content_of_the_same_size(store, url):
    versions = []
    for round_number in range(200):
        store.write(url, f"{round_number:04}".encode())
        versions.append(version(store, url))
    assert len(set(versions)) == 200


def test_the_version_stays_while_the_object_stays(store, url):
    store.write(url, b"content")
    before = version(store, url)
    store.read(url)
    store.write(f"{url}.other", b"other")
    assert version(store, url) == before


def test_a_listing_goes_deep_and_is_ordered_by_url(store, side):
    names = ["b", "a/z", "a/b/c", "a-b", "a b/ü", "date=1998-04-02/_SUCCESS", "date=1998-04-01/x"]
    for name in names:
        store.write(f"{side.folder}/{name}", name.encode())
    listed = list(store.list(side.folder))
    assert [entry.url for entry in listed] == sorted(f"{side.folder}/{name}" for name in names)
    assert {entry.url: entry.size_bytes for entry in listed}[f"{side.folder}/a b/ü"] == 6
    assert urls(store, f"{side.folder}/a/") == [f"{side.folder}/a/b/c", f"{side.folder}/a/z"]


def test_a_listing_of_nothing_is_empty_and_a_longer_name_is_no_part_of_it(store, side):
    store.write(f"{side.folder}/runs-old/x", b"")
    assert urls(store, f"{side.folder}/runs") == []


def test_a_listing_bears_objects_that_vanish_meanwhile(store, side):
    stop = threading.Event()

    def come_and_go(number: int) -> None:
        url = f"{side.folder}/passing/{number}"
        while not stop.is_set():
            store.write(url, b"content")
            store.delete(url)

    with ThreadPoolExecutor(3) as pool:
        for number in range(3):
            pool.submit(come_and_go, number)
        try:
            for _ in range(100):
                assert len(urls(store, side.folder)) <= 3
        finally:
            stop.set()


def test_a_big_file_goes_up_and_comes_down_the_same(store, url, tmp_path):
    source, copy = tmp_path / "source", tmp_path / "new folder" / "copy"
    source.write_bytes(os.urandom(1_000_003) * 40)
    store.upload(source, url)
    store.download(url, copy)
    assert copy.read_bytes() == source.read_bytes()
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("size", [0, 1, 9_000_001])
def test_upload_and_stat_tell_the_files_size_and_checksum(store, url, tmp_path, size):
    source = tmp_path / "source"
    source.write_bytes(os.urandom(size))
    stat = store.upload(source, url)
    assert stat == store.stat(url)
    assert stat.size_bytes == size
    assert checksums.matches(source, stat.checksum)
    source.write_bytes(os.urandom(size) + b"more")
    assert not checksums.matches(source, stat.checksum)


def test_a_write_tells_the_same_as_stat(store, url):
    for content, create_only in ((b"", True), (b"a content", False)):
        assert store.write(url, content, create_only=create_only) == store.stat(url)


def test_a_stat_follows_the_content(store, url):
    with pytest.raises(ObjectMissingError, match=r"object\.bin does not exist"):
        store.stat(url)
    store.write(url, b"first")
    first = store.stat(url)
    store.write(url, b"other")
    assert first.size_bytes == store.stat(url).size_bytes
    assert first.checksum != store.stat(url).checksum


def test_forked_processes_share_the_objects_and_nothing_else(store, side, python):
    worker = python(FORK, side.folder)
    worker.communicate(timeout=240)  # Cloud Storage takes one write a second to an object
    assert worker.returncode == 0
    assert len(urls(store, side.folder)) == 4


def test_threads_read_and_write_at_once(store, side, tmp_path):
    def work(number: int) -> None:
        url, copy = f"{side.folder}/{number}", tmp_path / f"copy-{number}"
        for round_number in range(10):
            content = f"{number} {round_number}".encode() * 10_000
            store.write(url, content)
            assert store.read(url) == content
            store.download(url, copy)
            assert copy.read_bytes() == content

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(urls(store, side.folder)) == 8


def test_uploading_a_file_that_is_not_there_says_so(store, url, tmp_path):
    with pytest.raises(ObjectMissingError, match=r"nowhere\.csv does not exist"):
        store.upload(tmp_path / "nowhere.csv", url)
    assert urls(store, url.rpartition("/")[0]) == []


def test_deleting_nothing_is_no_error(store, url):
    store.delete(url)
    store.write(url, b"content")
    store.delete(url)
    store.delete(url)
    assert not store.exists(url)


def test_a_refused_write_names_the_object_and_the_remedy(store, side, tmp_path):
    (tmp_path / "source").write_bytes(b"content")
    forbidden = side.forbid()
    with pytest.raises(StorageError, match=r"Can't write .*x: .* permission.*`storage`") as failure:
        store.write(forbidden, b"content")
    assert "\n" not in str(failure.value)
    with pytest.raises(StorageError, match=r"Can't write .*x: "):
        store.upload(tmp_path / "source", forbidden)
