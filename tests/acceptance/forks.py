"""Many orchestrators, at once or one after the other, which load their libraries only once.

    python -m tests.acceptance.forks

Reads a line of JSON, a list of commands (the words after `luigi --module pipeline`), and forks a
process for each. Prints their numbers, and their exit statuses once all have ended.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO


class Forks:
    """The server's other end. `with` ends it.

    Parameters
    ----------
    folder : Path
        The project's folder, where the commands are given.
    environment : mapping of str
        What they find in their environment beside ours.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        root = Path(__file__).parents[2]
        self.output = folder / "forks.txt"
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.acceptance.forks"],
                cwd=folder,
                env={**os.environ, **environment, "PYTHONPATH": str(root)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )

    def __enter__(self) -> "Forks":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        for pipe in self._pipes():
            pipe.close()
        self._process.wait()

    def start(self, *commands: Sequence[str]) -> list[int]:
        """Begin commands at one moment; returns the numbers of their processes."""
        stdin, stdout = self._pipes()
        stdin.write(json.dumps(commands) + "\n")
        stdin.flush()
        processes: list[int] = json.loads(stdout.readline())
        return processes

    def wait(self) -> list[int]:
        """Exit statuses of the commands that were begun; negative: the signal that ended one."""
        _, stdout = self._pipes()
        statuses: list[int] = json.loads(stdout.readline())
        return statuses

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout


def _serve() -> None:
    import luigi.cmdline

    for line in sys.stdin:
        processes = [_fork(luigi.cmdline.luigi_run, words) for words in json.loads(line)]
        print(json.dumps(processes), flush=True)
        statuses = [os.waitpid(process, 0)[1] for process in processes]
        print(json.dumps([os.waitstatus_to_exitcode(status) for status in statuses]), flush=True)


def _fork(luigi_run: Callable[[list[str]], None], words: Sequence[str]) -> int:
    process = os.fork()
    if not process:
        _carry_out(luigi_run, words)
    return process


def _carry_out(luigi_run: Callable[[list[str]], None], words: Sequence[str]) -> None:
    os.dup2(2, 1)
    status = 1
    try:
        luigi_run(["--module", "pipeline", *words])
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
