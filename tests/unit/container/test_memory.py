"""What the kernel counts of processes that it ended for want of memory, in both its versions."""

from pathlib import Path

import pytest

from container.memory import Memory


@pytest.fixture(params=["version 2", "version 1", "version 1 in a container"])
def group(request, tmp_path) -> tuple[Path, Path]:
    """The folder of the process's own group, and the file that names it."""
    own = tmp_path / "own"
    if request.param == "version 2":
        own.write_text("0::/jobs/a\n")
        folder = tmp_path / "groups" / "jobs" / "a"
    else:
        own.write_text("5:cpu,cpuacct:/a\n9:memory:/docker/0123\n0::/\n")
        inside = "" if "container" in request.param else "docker/0123"
        folder = tmp_path / "groups" / "memory" / inside
    folder.mkdir(parents=True)
    return folder, own


def say(folder: Path, count: int, limit: str) -> None:
    if "memory" in folder.parts:
        (folder / "memory.oom_control").write_text(
            f"oom_kill_disable 0\nunder_oom 0\noom_kill {count}\n"
        )
        (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    else:
        (folder / "memory.events").write_text(f"low 0\noom {count}\noom_kill {count}\n")
        (folder / "memory.max").write_text(f"{limit}\n")


def test_only_what_was_ended_since_counts(group, tmp_path):
    folder, own = group
    say(folder, 2, "104857600")
    memory = Memory(tmp_path / "groups", own)
    assert not memory.has_run_out()
    say(folder, 3, "104857600")
    assert memory.has_run_out()
    assert memory.limit_bytes == 104857600


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_no_limit_is_none(group, tmp_path, limit):
    folder, own = group
    say(folder, 0, limit)
    assert Memory(tmp_path / "groups", own).limit_bytes is None


def test_where_nothing_is_counted_nothing_is_found(tmp_path):
    memory = Memory(tmp_path, tmp_path / "none")
    assert not memory.has_run_out()
    assert memory.limit_bytes is None
