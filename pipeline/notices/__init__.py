"""Being told: one message at the end of a command that left something undone.

Luigi's events say what fails, some of them in the workers that it forks. Whoever sees a failure
notes it in a file, and the process that the user started tells of all, at its end. An interrupted
command tells nothing: its user is there, and its jobs go on.

Where nobody wants to be told, this costs nothing: what reads, writes or sends is imported when
there is something to tell.
"""

import atexit
import contextlib
import logging
import os
import secrets
from pathlib import Path

import luigi

from pipeline import layout, settings

logger = logging.getLogger("luigi-interface.pipeline")
_DEAD = (luigi.Event.FAILURE, luigi.Event.PROCESS_FAILURE, luigi.Event.TIMEOUT)
_UNPLANNED = (luigi.Event.BROKEN_TASK, luigi.Event.DEPENDENCY_MISSING)
_LIVELY = (luigi.Event.START, luigi.Event.DEPENDENCY_PRESENT, luigi.Event.DEPENDENCY_DISCOVERED)
_owner_pid = os.getpid()
# Of this command: the workers that are forked know it too.
_command = f"{_owner_pid}-{secrets.token_hex(4)}"
_has_tasks = False


def install() -> None:
    """Listen to Luigi's events, and tell at the end of this process. Can be called again."""
    for event in (*_DEAD, *_UNPLANNED):
        luigi.Task.event_handler(event)(_note)
    for event in _LIVELY:
        luigi.Task.event_handler(event)(_see)
    atexit.unregister(_tell)
    atexit.register(_tell)


def wanted() -> settings.notices | None:
    """The settings of whoever wants to be told; None when nobody does."""
    chosen = settings.checked(settings.notices)
    return chosen if chosen and (chosen.webhook or chosen.email_to) else None


def _see(*_: object) -> None:
    global _has_tasks
    _has_tasks = True


def _note(task: luigi.Task, cause: BaseException | str | None = None) -> None:
    _see()
    folder = _notes_folder()
    if folder:
        from pipeline.notices import notes

        try:
            if failures := notes.describe(task, cause):
                notes.write(folder, failures)
        except OSError as error:
            logger.warning("That %s failed can't be told: %s", task, error)


def _tell() -> None:
    folder = _notes_folder()
    if folder and os.getpid() == _owner_pid and (_has_tasks or folder.exists()):
        from pipeline.notices import telling

        with contextlib.suppress(KeyboardInterrupt):
            telling.tell_of_command(folder)


def _notes_folder() -> Path | None:
    pipeline = settings.checked(settings.pipeline)
    if not pipeline or not wanted():
        return None
    return Path(layout.notes_folder(str(pipeline.work), _command))
