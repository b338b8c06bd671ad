"""What a command costs, and two commands side by side.

CPU seconds are those of the command and of all that it starts, also of what outlives it. Peak
memory is that of the largest single process. Two commands take turns, so that what else the
machine does touches both.
"""

import compileall
import ctypes
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("pipeline", "prediction", "container")
PYTHON = sys.executable
LUIGI = (PYTHON, "-m", "luigi", "--module")

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
_RSS_BYTES = 1 if sys.platform == "darwin" else 1024  # getrusage(2)
# What would change the figures, or lead the commands to another project's settings.
_UNWANTED = ("LUIGI_CONFIG_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")


@dataclass(frozen=True)
class Cost:
    """CPU and wall time in seconds, peak memory in bytes."""

    cpu: float
    wall: float
    peak: int


@dataclass(frozen=True)
class Comparison:
    """Costs of two commands, round by round."""

    ours: Sequence[Cost]
    rival: Sequence[Cost]

    def ratio(self, figure: str) -> float:
        """Ours by the rival's `figure` ("cpu", "wall", "peak"): the median over the rounds."""
        pairs = zip(self.ours, self.rival, strict=True)
        return statistics.median(getattr(one, figure) / getattr(two, figure) for one, two in pairs)


@contextmanager
def project() -> Iterator[Path]:
    """A folder with a user's copy of the example, which goes at the end."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        shutil.copytree(ROOT / "data", folder / "data")
        skipped = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(ROOT / "prediction", folder / "prediction", ignore=skipped)
        shutil.copyfile(ROOT / "luigi.cfg", folder / "luigi.cfg")
        compileall.compile_dir(folder, quiet=1)
        for package in OURS:
            compileall.compile_dir(ROOT / package, quiet=1)
        yield folder


def measure(
    command: Sequence[object], folder: Path, *, alone: bool = False, **environment: str
) -> Cost:
    """Run `command` in `folder`, wait for it and for all that it leaves behind.

    With `alone` it leaves nothing behind, and this process may have other children.
    Raises `SystemExit` with what the command printed when it fails.
    """
    if not alone:
        _adopt_orphans()
    log = folder / "benchmark.log"
    inherited = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    begun = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**inherited, **environment},
        )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{log.read_text(errors='replace')}\n{command} ended with {process.returncode}.")
    usages = [usage] if alone else [usage, *_reap_orphans()]
    cpu = sum(each.ru_utime + each.ru_stime for each in usages)
    return Cost(cpu, wall, max(each.ru_maxrss for each in usages) * _RSS_BYTES)


def compare(ours: Callable[[], Cost], rival: Callable[[], Cost], rounds: int) -> Comparison:
    """Take turns, `rounds` times, after one round that warms up and does not count."""
    pairs = [(ours(), rival()) for _ in range(rounds + 1)][1:]
    return Comparison([one for one, _ in pairs], [two for _, two in pairs])


def head(title: str) -> None:
    """Print what is measured, on which machine, at which commit."""
    print(title)
    print(f"  machine  {cores()} cores, {_cpu_model()}, Python {platform.python_version()}")
    print(f"  commit   {_commit()}")


def tell(name: str, costs: Sequence[Cost]) -> None:
    """Print the median of each figure, and the CPU's lowest and highest."""
    cpu = [each.cpu for each in costs]
    wall = statistics.median(each.wall for each in costs)
    peak = max(each.peak for each in costs)
    print(
        f"  {name:<24} {statistics.median(cpu):8.2f} s CPU ({min(cpu):.2f} to {max(cpu):.2f})"
        f"  {wall:7.2f} s wall  {peak / 1e6:6.0f} MB"
    )


def judge(name: str, value: float, *, at_most: float | None = None, unit: str = "x") -> None:
    """Print a figure; with `at_most` also its goal, and whether it is reached."""
    line = f"  {name:<24} {value:8.2f}{unit}"
    if at_most is not None:
        line += f"  goal: at most {at_most:g}{unit}: {'yes' if value <= at_most else 'NO'}"
    print(line)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _adopt_orphans() -> None:
    """Have what outlives its parent handed to this process, which then learns what it cost."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_orphans() -> Iterator[resource.struct_rusage]:
    while True:
        try:
            yield os.wait4(-1, 0)[2]
        except ChildProcessError:
            return


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    def git(*words: str) -> str:
        command = [shutil.which("git") or "git", "-C", str(ROOT), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = " and uncommitted changes" if git("status", "--porcelain") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"
