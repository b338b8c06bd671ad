"""The model's process: `python -m prediction.main`, and what it says of its progress."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_GRACE_SECONDS = 5.0


class ModelProcess:
    """One process for all runs of a job, so that the model's libraries are loaded once.

    Parameters
    ----------
    package : Path
        The model package's folder; its parent is the process's current directory.
    action : str
    configs : sequence of str
        Paths of resolved configs, one for each run.
    log : Path
        What the process prints is appended there.
    """

    def __init__(self, package: Path, action: str, configs: Sequence[str], log: Path) -> None:
        self._progress = log.with_name("progress.jsonl")
        self._read_bytes = 0
        command = [sys.executable, "-m", "container.leash", str(os.getpid())]
        command += [f"{package.name}.main", "--action", action, "--progress", str(self._progress)]
        for config in configs:
            command += ["--config", config]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=package.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                close_fds=False,  # the lock that says that this job lives is inherited
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def poll(self, seconds: float) -> int | None:
        """Wait up to `seconds` for the end. The exit status, or None while it goes on."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def read_progress(self) -> Iterator[dict[str, object]]:
        """What the process has said of its progress since the last call; half lines wait."""
        try:
            with self._progress.open("rb") as file:
                file.seek(self._read_bytes)
                content = file.read()
        except FileNotFoundError:
            return
        whole, newline, _ = content.rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        for line in whole.splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict):
                yield said

    def end(self) -> None:
        """End the process if it still runs: first asked, then forced."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        if self.poll(_GRACE_SECONDS) is None:
            self._process.kill()
            self._process.wait()
