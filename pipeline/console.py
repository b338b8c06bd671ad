"""How luigi's command line behaves once this package is imported: exit statuses and messages."""

import logging
import sys
from types import TracebackType

from luigi.configuration import get_config

from pipeline.messages import Messages, explain

# What luigi.cfg ships with. A configuration of one's own may leave it out; luigi's own defaults
# would let a task that failed exit with status 0.
DEFAULTS = {
    "core": {"log_level": "INFO", "no_lock": "true"},
    "retcode": {
        "already_running": "10",
        "missing_data": "20",
        "not_run": "25",
        "task_failed": "30",
        "scheduling_error": "35",
        "unhandled_exception": "40",
    },
    "scheduler": {"stable_done_cooldown_secs": "0"},
    "worker": {"check_complete_on_run": "true"},
}
_messages = Messages()


def prepare() -> None:
    """Set luigi's defaults and ours, and make its errors readable. Can be called again."""
    _set_defaults()
    logging.getLogger("luigi-interface").addFilter(_messages)
    sys.excepthook = _print_error


def _set_defaults() -> None:
    config = get_config()
    for section, values in DEFAULTS.items():
        for key, value in values.items():
            if not config.has_option(section, key):
                config.set(section, key, value)


def _print_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """`sys.excepthook`: what luigi raises before it sets up its log, such as an unknown task."""
    if message := explain(error):
        sys.stderr.write(f"error: {message}\n")
    else:
        sys.__excepthook__(kind, error, trace)
