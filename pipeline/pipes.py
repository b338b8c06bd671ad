"""What reads a command's output may go before the command ends, as `head` does."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

# What a shell shows of a program that the signal has ended, as it ends most of them.
UNREAD = 128 + signal.SIGPIPE


def run(program: Callable[[], int]) -> int:
    """What `program` returns, or `UNREAD`, without a word, when nobody reads what it prints."""
    try:
        try:
            return program()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        unread = list(_find_unread())
        if not unread:
            # A connection to somebody else.
            raise
        for stream in unread:
            _discard(stream)
        return UNREAD


def _find_unread() -> Iterator[TextIO]:
    for stream in (sys.stdout, sys.stderr):
        poll = select.poll()
        poll.register(stream.fileno(), 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            yield stream


def _discard(stream: TextIO) -> None:
    """Let what is still to be written go nowhere: Python writes it at its very end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
