"""The servers start fast, on this machine only, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cloud import servers
from tests.cloud.processes import ROOT
from tests.cloud.servers import Cloud

SCRIPT = """
import json, pathlib, sys
from tests.cloud.servers import Cloud
with Cloud(pathlib.Path(sys.argv[1])) as cloud:
    print(json.dumps(cloud.environment), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def script(tmp_path):
    """A script that has a cloud of its own until it is told to end."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        yield running
        running.kill()


def children(parent: int) -> list[int]:
    """What the main thread of a process started; see proc(5)."""
    return [
        int(each) for each in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ]


def wait_for_end(processes: list[int]) -> None:
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{each}").exists() for each in processes):
        assert time.monotonic() < deadline, "a server outlives the tests"
        time.sleep(0.02)


@pytest.mark.slow
def test_starting_takes_less_than_five_seconds_of_a_processor(script):
    environment = json.loads(script.stdout.readline())
    assert environment.keys() == {
        "STORAGE_EMULATOR_HOST",
        "BIGQUERY_EMULATOR_HOST",
        "COMPUTE_EMULATOR_HOST",
    }
    ticks = sum(used(process) for process in [script.pid, *children(script.pid)])
    assert ticks / os.sysconf("SC_CLK_TCK") < 5


def used(process: int) -> int:
    """Ticks of a processor's time, in user and system mode; see proc(5)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["by itself", "killed"])
def test_no_server_outlives_who_started_it(script, ending):
    assert json.loads(script.stdout.readline())
    started = children(script.pid)
    assert len(started) >= 4
    if ending == "killed":
        os.kill(script.pid, signal.SIGKILL)
    else:
        script.communicate("\n", timeout=10)
    wait_for_end(started)


def test_all_doors_are_on_this_machine_only(cloud):
    open_here = {inode for child in children(os.getpid()) for inode in sockets(child)}
    addresses = [address for address, inode in listening() if inode in open_here]
    assert len(addresses) >= len(cloud.environment)
    assert {address.partition(":")[0] for address in addresses} == {"0100007F"}


def sockets(process: int) -> list[str]:
    found = [str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir()]
    return [each[len("socket:[") : -1] for each in found if each.startswith("socket:")]


def listening() -> list[tuple[str, str]]:
    """Address and inode of every socket that waits for connections; see proc(5)."""
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    return [(line[1], line[9]) for line in lines if line[3] == "0A"]


def test_without_the_environment_it_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setattr(servers, "ENVIRONMENT", tmp_path / ".venv-emulators")
    with pytest.raises(RuntimeError, match=r"run `make \.venv-emulators/installed`"):
        Cloud().__enter__()


def test_every_bucket_and_dataset_is_new(cloud):
    assert len({cloud.new_bucket() for _ in range(3)}) == 3
    assert len({cloud.new_dataset() for _ in range(3)}) == 3
