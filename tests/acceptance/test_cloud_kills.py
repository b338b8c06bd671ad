"""An orchestrator that is killed at any of its calls to the cloud, and the command given again.

At home a sample of the calls, in CI every one of them.
"""

import itertools
import os
import signal
import time
from pathlib import Path

import pytest

from tests.acceptance.forks import Forks

ORCHESTRATOR = "storage|bigquery|compute"
STEP = 1 if "CI" in os.environ else 20
PARTS = 4
CHANGES = "^(POST|PUT|PATCH|DELETE) "


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("calls", "after"), [("", False), (CHANGES, True)], ids=["before any call", "after a change"]
)
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_any_call_a_rerun_ends_as_if_nothing_had_been(cloud_project, calls, after, part):
    cloud_project.use_machines()
    with Forks(cloud_project.project.folder, cloud_project.environment) as forks:
        for version in itertools.count(1 + part * STEP, PARTS * STEP):
            # A version has a tree and a table of its own: each command begins with nothing.
            load = Load(forks, cloud_project, version)
            killed = load.begin_and_kill(calls, version, after=after)
            load.finish()
            assert cloud_project.problems(version) == []
            cloud_project.cloud.requests.clear()
            if not killed:
                break
    assert version > 20


class Load:
    """One date under a version of its own."""

    def __init__(self, forks, cloud_project, version: int) -> None:
        self.forks = forks
        self.place = cloud_project
        self.version = version
        self.words = ("LoadToBigQuery", "--date", "2024-03-05", "--pipeline-version", str(version))

    def begin_and_kill(self, calls: str, nth: int, *, after: bool) -> bool:
        """Kill the command at its `nth` call; False when it ended before."""
        self.place.cloud.faults.add(calls, service=ORCHESTRATOR, nth=nth, hold=True, after=after)
        [process] = self.forks.start(self.words)
        held = self._wait_for_hold(process)
        if held:
            os.kill(process, signal.SIGKILL)
        [status] = self.forks.wait()
        self.place.cloud.faults.clear()
        assert status == (-signal.SIGKILL if held else 0), self.forks.output.read_text()
        return held

    def finish(self) -> None:
        self.forks.start(self.words)
        assert self.forks.wait() == [0], self.forks.output.read_text()

    def _wait_for_hold(self, process: int) -> bool:
        while not self.place.cloud.faults.hits:
            if _has_ended(process):
                return False
            time.sleep(0.05)
        return True


def _has_ended(process: int) -> bool:
    """Whether a process is gone, or has ended and waits for its parent."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] == "Z"
