"""A log that is printed while it grows, for whoever keeps what a container prints."""

import threading
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_POLL_SECONDS = 0.2


class Echo:
    """Prints what is appended to a file as long as the `with` block lasts, and the rest at its end.

    When the output is closed the printing ends, and nothing else does.

    Parameters
    ----------
    path : Path
        The file; it need not be there yet.
    output : binary file
    """

    def __init__(self, path: Path, output: BinaryIO) -> None:
        self._path = path
        self._output = output
        self._printed_bytes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._print_until_ended, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _print_until_ended(self) -> None:
        ended = False
        while not ended:
            # Asked first, so that the last look comes after the last word.
            ended = self._ended.wait(_POLL_SECONDS)
            try:
                self._print_new()
            except (OSError, ValueError):  # the output is closed
                return

    def _print_new(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._printed_bytes)
            while content := file.read(1 << 16):
                self._output.write(content)
                self._printed_bytes += len(content)
        self._output.flush()
