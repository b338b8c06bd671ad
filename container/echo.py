"""A log that is printed while it grows, for whoever keeps what a container prints."""

import threading
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from container.background import background

_POLL_SECONDS = 0.2


def echo(path: Path, output: BinaryIO) -> AbstractContextManager[None]:
    """Print what is appended to a file as long as the `with` block lasts, and the rest at its end.

    The file need not be there yet. When the output is closed the printing ends, and nothing else
    does.
    """
    return background(partial(_print_until_ended, path, output))


def _print_until_ended(path: Path, output: BinaryIO, ended: threading.Event) -> None:
    printed_bytes, is_over = 0, False
    while not is_over:
        # Asked first, so that the last look comes after the last word.
        is_over = ended.wait(_POLL_SECONDS)
        try:
            printed_bytes += _print_from(path, printed_bytes, output)
        except (OSError, ValueError):  # the output is closed
            return


def _print_from(path: Path, start: int, output: BinaryIO) -> int:
    """How many bytes there were."""
    if not path.exists():
        return 0
    count = 0
    with path.open("rb") as file:
        file.seek(start)
        while content := file.read(1 << 16):
            output.write(content)
            count += len(content)
    output.flush()
    return count
