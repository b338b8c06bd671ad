"""How far a run is: a bar in a terminal, else a line every few seconds, and JSON lines into a file.

A line of the file is {"config", "done", "total", "message"}; a run's last line also has "status",
and "rows" or "reason" and "traceback". Where a run wrote a table, "columns" has its columns;
"warnings" are sentences for who reads the results.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

LINE_SECONDS = 5.0
FILE_SECONDS = 1.0


class Progress:
    """What one run tells while it goes.

    Parameters
    ----------
    config : the run's config, as given on the command line.
    file : where the JSON lines are appended; nowhere when None.
    stream, clock : where people read, and a clock in seconds that never goes back.
    """

    def __init__(
        self,
        config: str,
        file: Path | None = None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self._file, self._clock = config, file, clock
        self._stream = stream or sys.stderr
        self._bar: Any = None
        self._last: dict[str, Any] = {"done": 0, "total": None, "message": "starting"}
        self._columns: Mapping[str, str] = {}
        self._warnings: list[str] = []
        self._start = clock()
        self._told, self._filed = self._start, float("-inf")

    def phase(self, message: str, done: int, total: int) -> None:
        """Say that phase `message` begins and that `done` of `total` are behind."""
        self._last = {"done": done, "total": total, "message": message}
        self._append({})
        if self._stream.isatty():
            self._draw("phases")
        else:
            self._write(f"{message} ({done + 1} of {total})")

    def rows(self, message: str, done: int, total: int | None) -> None:
        """Say that `done` rows of `total` (None: unknown) are behind; told when it is time."""
        self._last = {"done": done, "total": total, "message": message}
        now = self._clock()
        if now - self._filed >= FILE_SECONDS:
            self._filed = now
            self._append({})
        if self._stream.isatty():
            self._draw("rows")
        elif now - self._told >= LINE_SECONDS:
            self._told = now
            of = f" of {total:,}" if total is not None else ""
            self._write(f"{message}: {done:,}{of} rows, {done / (now - self._start):,.0f} rows/s")

    def wrote(self, columns: Mapping[str, str]) -> None:
        """Say which columns the run's output has, name -> Arrow type; told at the run's end."""
        self._columns = columns

    def warn(self, sentences: Sequence[str]) -> None:
        """Say what is to be known of the results; told at the run's end."""
        self._warnings += sentences

    def done(self, rows: int, message: str) -> None:
        """End a run that went well and read `rows` rows."""
        self.close()
        self._last = {"done": rows, "total": rows, "message": message}
        columns = {"columns": self._columns} if self._columns else {}
        warnings = {"warnings": self._warnings} if self._warnings else {}
        self._append({"status": "done", "rows": rows, **columns, **warnings})
        for sentence in self._warnings:
            self._write(f"warning: {sentence}")
        self._write(message)

    def failed(self, reason: str, traceback: str) -> None:
        """End a run that did not go well. `reason` is one line."""
        self.close()
        self._append({"status": "failed", "reason": reason, "traceback": traceback})

    def close(self) -> None:
        """Take the bar away, if there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _draw(self, unit: str) -> None:
        from tqdm import tqdm

        if self._bar is None:
            self._bar = tqdm(
                file=self._stream, unit=f" {unit}", unit_scale=unit == "rows", leave=False
            )
        self._bar.total = self._last["total"]
        self._bar.set_description(self._last["message"], refresh=False)
        self._bar.update(self._last["done"] - self._bar.n)

    def _write(self, message: str) -> None:
        with suppress(OSError):
            self._stream.write(f"{self.config}: {message}\n")
            self._stream.flush()

    def _append(self, more: dict[str, Any]) -> None:
        if self._file is not None:
            line = json.dumps({"config": self.config, **self._last, **more}) + "\n"
            # Who reads it sees from the exit status, too, how the run ended.
            with suppress(OSError), self._file.open("a", encoding="utf-8") as file:
                file.write(line)
