"""Runs a command that can't outlive the process that started it, not even when that is killed.

    python tests/cloud/leash.py PARENT_PID PROGRAM [ARGUMENT ...]

Linux keeps this promise through an exec; container/leash.py makes the same one for modules.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform != "linux":
        sys.exit("The cloud's servers for tests run on Linux only.")
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("The parent ended before its child began.")
    os.execv(command[0], command)  # noqa: S606 - a command of ours, without a shell


if __name__ == "__main__":
    main()
