"""Runs a module as a program that can't outlive the process that started it.

    python -m container.leash PARENT_PID MODULE [ARGUMENT ...]

A killed parent can't end its children. On Linux the kernel does it; elsewhere a thread looks
every second whether the parent is still there.
"""

import ctypes
import importlib.util
import os
import runpy
import signal
import sys
import threading
import time
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        sys.exit("The parent ended before its child began.")
    sys.argv = sys.argv[2:]
    _check_place(sys.argv[0])
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _check_place(module: str) -> None:
    """Refuse a module of the same name that is installed elsewhere."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not Path(spec.origin).is_relative_to(Path.cwd()):
        found = spec.origin if spec else "nowhere"
        sys.exit(
            f"{module} should be in {Path.cwd()} and was found {found}. A model package needs"
            " main.py and __init__.py."
        )


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
