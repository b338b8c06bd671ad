"""What a person reads when something fails: one line for what we can name, else the traceback.

Luigi logs every exception with its traceback. A filter on its logger turns those that say by
themselves what happened into `error: <message>`, and shortens what repeats on every line.
"""

import logging
import re
import traceback
from collections.abc import Iterator
from types import FrameType

from luigi.parameter import ParameterException
from luigi.rpc import RPCError
from luigi.task_register import TaskClassException

from pipeline.errors import PipelineError

_NAMED = (PipelineError, ParameterException, TaskClassException)
_TRACEBACK = "Traceback (most recent call last):\n"
_LAST_LINES = re.compile(r"^([\w.]+): (.*)", re.MULTILINE | re.DOTALL)
_ARGUMENTS = re.compile(r"\[args=.*, kwargs=.*\]:", re.DOTALL)
_WHO = "[pid %s] Worker %s "
_RAISED_AGAIN = "Luigi unexpected framework error"
_NO_LUIGID = "Failed connecting to remote scheduler"
_CHATTER = re.compile(
    r"Done scheduling|Informed scheduler|Running Worker|Worker .* was stopped",
    re.DOTALL,
)


class Messages(logging.Filter):
    """A filter for luigi's logger. Above DEBUG, what only luigi's developers need is left out."""

    def filter(self, record: logging.LogRecord) -> bool:
        if str(record.msg).startswith(_RAISED_AGAIN):
            return not _find_message(record)
        if message := _find_message(record):
            _become_error(record, message)
        elif _CHATTER.match(str(record.msg)) or _is_told_by_itself(record):
            return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
        elif str(record.msg).startswith(_WHO) and isinstance(record.args, tuple):
            record.msg, record.args = record.msg.removeprefix(_WHO), record.args[2:]
        elif str(record.msg).startswith(_NO_LUIGID):
            record.exc_info = None
        return True


def explain(error: BaseException) -> str | None:
    """The message of an error that needs no traceback; None for all others."""
    if isinstance(error, TaskClassException):
        return " ".join(str(error).split())
    if isinstance(error, ParameterException):
        return _ARGUMENTS.sub("", str(error))
    if isinstance(error, PipelineError):
        return str(error)
    if isinstance(error, RPCError):
        return f"{error}. Start luigid, or set local_scheduler = true under [core] in luigi.cfg."
    if isinstance(error, ValueError):
        return _explain_value(error)
    return None


def _find_message(record: logging.LogRecord) -> str | None:
    if record.exc_info and record.exc_info[1]:
        return explain(record.exc_info[1])
    return read_traceback(record.getMessage())


def _is_told_by_itself(record: logging.LogRecord) -> bool:
    """Whether luigi says that our external task is external; what is missing it says itself."""
    missing = str(record.msg).startswith("Data for %s does not exist")
    return missing and str(record.args).startswith("(SourcesReady(")


def _become_error(record: logging.LogRecord, message: str) -> None:
    record.levelno, record.levelname = logging.ERROR, "error"
    record.msg, record.args = message, ()
    record.exc_info = record.exc_text = None


def read_traceback(text: str) -> str | None:
    """The message at the end of a traceback in `text`, when it is of an error that we name.

    Luigi logs what `complete` and `requires` raise as text; the exception itself is gone.
    """
    _, found, trace = text.rpartition(_TRACEBACK)
    last = _LAST_LINES.search(trace) if found else None
    return last[2].strip() if last and last[1] in set(_qualified_names(_NAMED)) else None


def _qualified_names(kinds: tuple[type[BaseException], ...]) -> Iterator[str]:
    for kind in kinds:
        yield f"{kind.__module__}.{kind.__qualname__}"
        yield from _qualified_names(tuple(kind.__subclasses__()))


def _explain_value(error: ValueError) -> str | None:
    """A value that luigi can't parse: one of the command line, or of luigi's own settings."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if _is_luigi(frame, "_get_task_kwargs"):
            flag = str(frame.f_locals["param_name"]).replace("_", "-")
            return f"--{flag} {frame.f_locals['attr']} is not allowed: {error}."
        if _is_luigi(frame, "get_param_values") and error.__cause__:
            section, key = frame.f_locals["task_family"], frame.f_locals["param_name"]
            return f"[{section}] {key} in the configuration is not allowed: {error.__cause__}."
    return None


def _is_luigi(frame: FrameType, function: str) -> bool:
    module = str(frame.f_globals.get("__name__"))
    return module.startswith("luigi.") and frame.f_code.co_name == function
