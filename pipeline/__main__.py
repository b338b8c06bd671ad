"""`python -m pipeline VERB`: what a person does with runs besides asking for them."""

import argparse
import sys
from collections.abc import Sequence

# Before anything of the package: it offers its tasks to whoever has loaded Luigi.
import luigi  # noqa: F401

from pipeline import settings, verbs
from pipeline.dates import parse_day
from pipeline.errors import PipelineError

_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        settings.check()
        options.verb(options)
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        return _FAILED
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="VERB")

    cancel = commands.add_parser("cancel", help="end the job that works on a run")
    _add_run(cancel)
    cancel.set_defaults(verb=lambda options: verbs.cancel(options.task, parse_day(options.date)))

    logs = commands.add_parser("logs", help="print the log of a run's last job")
    _add_run(logs)
    logs.add_argument(
        "--open", action="store_true", help="open the machine's log in Cloud Logging as well"
    )
    logs.set_defaults(
        verb=lambda options: verbs.logs(
            options.task, parse_day(options.date), open_page=options.open
        )
    )

    model_date = commands.add_parser(
        "model-date", help="print the training date of the model that is in force on a date"
    )
    model_date.add_argument("date", metavar="DATE")
    model_date.set_defaults(verb=lambda options: verbs.model_date(parse_day(options.date)))

    show = commands.add_parser("show", help="show the predictions of a date and where things lie")
    show.add_argument("date", metavar="DATE")
    show.set_defaults(verb=lambda options: verbs.show(parse_day(options.date)))
    return parser.parse_args(arguments)


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument("task", choices=list(verbs.FAMILIES), metavar="TASK")
    command.add_argument("date", metavar="DATE")


if __name__ == "__main__":
    sys.exit(main())
