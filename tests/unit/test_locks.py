"""A lock says whether a process lives."""

import fcntl
import os
import subprocess
import sys
import threading

import pytest

from pipeline.locks import Lock, is_held, read_note

HOLD = """
import sys, pathlib
from pipeline.locks import Lock
lock = Lock.acquire(pathlib.Path(sys.argv[1]))
lock.note("hello")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock on tmp_path/lock."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_of_a_living_process_is_held_and_can_not_be_taken(tmp_path, holder):
    assert is_held(tmp_path / "lock")
    assert Lock.acquire(tmp_path / "lock") is None
    assert read_note(tmp_path / "lock") == "hello"


def test_a_killed_process_holds_nothing(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert not is_held(tmp_path / "lock")
    lock = Lock.acquire(tmp_path / "lock")
    assert lock is not None
    lock.release()


def test_a_child_that_inherits_the_lock_holds_it_on(tmp_path):
    lock = Lock.acquire(tmp_path / "lock")
    assert lock is not None
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        pass_fds=(lock.descriptor,),
    ) as child:
        lock.release()
        assert is_held(tmp_path / "lock")
        child.kill()
        child.wait()
    assert not is_held(tmp_path / "lock")


def test_looking_never_looks_like_holding(tmp_path):
    path = tmp_path / "lock"
    lock = Lock.acquire(path)
    assert lock is not None
    lock.release()
    looker = os.fork()
    if looker == 0:
        while os.getppid() != 1:
            is_held(path)
    try:
        for _ in range(300):
            lock = Lock.acquire(path)
            assert lock is not None
            lock.release()
    finally:
        os.kill(looker, 9)
        os.waitpid(looker, 0)


def test_a_look_that_lasts_is_no_holder(tmp_path):
    """On a busy machine whoever looks may be held up while he does."""
    path = tmp_path / "lock"
    with path.open("w") as looker:
        fcntl.flock(looker, fcntl.LOCK_SH)
        ends = threading.Timer(0.3, fcntl.flock, (looker, fcntl.LOCK_UN))
        ends.start()
        lock = Lock.acquire(path)
        ends.join()
    assert lock is not None
    lock.release()


def test_a_lock_that_was_never_taken_is_not_held(tmp_path):
    assert not is_held(tmp_path / "lock")
    assert read_note(tmp_path / "lock") == ""
