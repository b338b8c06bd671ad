"""Whether the kernel has ended a process of this job because there was not enough memory.

The kernel counts that for each control group, and a container is one:
docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files (memory.events), and
docs.kernel.org/admin-guide/cgroup-v1/memory.html (memory.oom_control).
"""

import re
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class Memory:
    """Begins to look when it is made. Where nothing is counted, nothing is ever found.

    Parameters
    ----------
    groups : Path
        Where control groups are mounted.
    own_groups : Path
        The file that says which are this process's.
    """

    def __init__(self, groups: Path = GROUPS, own_groups: Path = OWN_GROUPS) -> None:
        self._folder = _find_folder(groups, own_groups)
        self._before = self._count()

    def has_run_out(self) -> bool:
        """Whether a process was ended since."""
        return self._count() > self._before

    @property
    def limit_bytes(self) -> int | None:
        """How much all processes together may use; None when that is not limited or known."""
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _read(self._folder / name).strip()
            # Version 1 says "no limit" by a number that no machine has.
            if text.isdigit() and int(text) < 1 << 60:
                return int(text)
        return None

    def _count(self) -> int:
        for name in ("memory.events", "memory.oom_control"):
            found = _COUNT.search(_read(self._folder / name))
            if found:
                return int(found[1])
        return 0


def _find_folder(groups: Path, own_groups: Path) -> Path:
    """The folder of our group. In a container its path may be the host's, and it is the root."""
    for line in _read(own_groups).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            root = groups / "memory" if controllers else groups
            for folder in (root / path.lstrip("/"), root):
                if (folder / "memory.events").exists() or (folder / "memory.oom_control").exists():
                    return folder
    return groups


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
