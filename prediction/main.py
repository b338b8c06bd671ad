"""The command line: `python -m prediction.main --action training --config FILE`.

Exit status: 0 when every run went well, 1 when any failed, 2 for wrong usage.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from prediction.core import config as configs
from prediction.core.errors import PredictionError, UsageError, told
from prediction.core.progress import Progress
from prediction.task import Config, Task, actions

TRACEBACK_LINES = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out the action once for each config, each on its own. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        kind = _config_kind(options.action)
        _check_progress(options.progress)
    except UsageError as error:
        _tell(str(error))
        return 2
    # Every config is read before anything heavy is imported, so that a wrong one is told at once.
    runs = [Run(path, options.progress) for path in options.config]
    ready = [run for run in runs if run.read(kind)]
    done = [run for run in ready if run.carry_out(options.action)]
    return 0 if len(done) == len(runs) else 1


class Run:
    """One action for one config. What goes wrong in it is told, and stays in it."""

    def __init__(self, path: str, progress: Path | None) -> None:
        self._path = path
        self._progress = Progress(path, progress)
        self._config: Config

    def read(self, kind: type[Config]) -> bool:
        """Read the config; False when it cannot be used."""
        try:
            self._config = configs.read(self._path, kind)
        except PredictionError as error:
            self._fail(error)
            return False
        return True

    def carry_out(self, action: str) -> bool:
        """Do the action; False when it failed."""
        try:
            rows = getattr(Task(self._progress), action)(self._config)
        # Whatever the user's model raises ends its own run only.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            self._fail(error)
            return False
        self._progress.done(rows, f"{action} done, {rows:,} rows")
        return True

    def _fail(self, error: BaseException) -> None:
        foreseen = isinstance(error, PredictionError)
        trace = [] if foreseen else "".join(traceback.format_exception(error)).splitlines()
        reason = told(error)
        self._progress.failed(reason, "\n".join(trace[-TRACEBACK_LINES:]))
        if not foreseen:
            sys.stderr.write("\n".join(trace) + "\n")
        _tell(reason if self._path in reason else f"{self._path}: {reason}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m prediction.main", description="Train the model, or apply it."
    )
    parser.add_argument("--action", required=True, metavar="ACTION", help=" or ".join(actions()))
    parser.add_argument(
        "--config",
        required=True,
        action="append",
        metavar="FILE",
        help="a JSON file; may be given several times, for several runs in one process",
    )
    parser.add_argument(
        "--progress", type=Path, metavar="FILE", help="append progress to FILE, as JSON lines"
    )
    return parser


def _config_kind(action: str) -> type[Config]:
    known = actions()
    if action not in known:
        raise UsageError(f"There is no action {action!r}. There are: {', '.join(known)}.")
    return known[action]


def _check_progress(path: Path | None) -> None:
    try:
        if path is not None:
            path.open("a", encoding="utf-8").close()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}. Correct --progress."
        ) from error


def _tell(reason: str) -> None:
    sys.stderr.write(f"error: {reason}\n")


if __name__ == "__main__":
    sys.exit(main())
