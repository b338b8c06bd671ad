"""Ctrl-C and SIGTERM leave jobs alone: say which go on, how to end them, and go.

A job belongs to nobody: whoever runs the task again adopts it.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import FrameType, TracebackType

_TERMINATED = 128 + signal.SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM. Like Ctrl-C it passes through all that catches errors."""


def install() -> None:
    """Make SIGTERM detach like Ctrl-C, in this process and in the workers that it forks."""
    main_thread = threading.current_thread() is threading.main_thread()
    if main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_sigterm)
        sys.excepthook = partial(_end, sys.excepthook)


@contextlib.contextmanager
def told(describe: Callable[[], Iterable[str]]) -> Iterator[None]:
    """Print what `describe` says when the block is interrupted. A forked worker ends there."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        # Once: what says farewell must not be interrupted in turn.
        _ignore_signals()
        # One write for all lines: other workers speak at the same moment.
        sys.stderr.write("".join(f"{line}\n" for line in describe()))
        sys.stderr.flush()
        if multiprocessing.parent_process() is not None:
            os._exit(_status(interrupt))
        raise


def _ignore_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    _ignore_signals()
    for child in multiprocessing.active_children():
        if child.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGTERM)
    raise Terminated


def _end(
    otherwise: Callable[[type[BaseException], BaseException, TracebackType | None], object],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    """An interrupt has been explained already; everything else is shown as before."""
    if not issubclass(kind, KeyboardInterrupt):
        otherwise(kind, error, traceback)
        return
    sys.stderr.flush()
    os._exit(_status(error))


def _status(interrupt: BaseException) -> int:
    return _TERMINATED if isinstance(interrupt, Terminated) else 128 + signal.SIGINT
