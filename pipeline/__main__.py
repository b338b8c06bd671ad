"""`python -m pipeline VERB`: what a person does with runs besides asking for them."""

import argparse
import sys
from collections.abc import Callable, Sequence

# Before anything of the package: it offers its tasks to whoever has loaded Luigi.
import luigi  # noqa: F401

from pipeline import pipes, settings
from pipeline.dates import parse_day
from pipeline.errors import PipelineError
from pipeline.verbs import DATA, JOB_TASKS, TASKS

_FAILED = 1

Options = argparse.Namespace
Verb = Callable[[Options], int | None]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        if options.verb is not _doctor:
            settings.check()
        return options.verb(options) or 0
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        return _FAILED


def _parse(arguments: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m pipeline", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="VERB")

    def add(name: str, verb: Verb, words: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=words, description=f"{words}.")
        command.set_defaults(verb=verb)
        return command

    status = add("status", _status, "show how dates stand: done, running, failed, stale")
    status.add_argument("--start", metavar="DATE", help="the first date")
    status.add_argument("--stop", metavar="DATE", help="the date after the last one")
    status.add_argument("--last", metavar="N", type=int, help="how many days up to today; 7")
    _add_json(status)

    show = add("show", _show, "show the predictions of a date and where things lie")
    show.add_argument("date", metavar="DATE")

    logs = add("logs", _logs, "print the log of a run's last job")
    _add_run(logs, tuple(JOB_TASKS))
    logs.add_argument("--follow", action="store_true", help="go on as long as the job works")
    logs.add_argument(
        "--open", action="store_true", help="open the machine's log in Cloud Logging as well"
    )

    _add_run(add("cancel", _cancel, "end the job that works on a run"), tuple(JOB_TASKS))

    forget = add("forget", _forget, "have a run made again, and all that stands on it")
    _add_run(forget, TASKS)
    forget.add_argument(
        "--action",
        choices=tuple(DATA),
        default="application",
        help="whose data, with ExtractData; application",
    )
    forget.add_argument("--yes", action="store_true", help="do not ask")

    promote = add("promote", _promote, "choose the version that the views show")
    promote.add_argument("version", metavar="VERSION", type=int)

    sweep = add("sweep", _sweep, "list the machines that are there, and whether a job owns them")
    sweep.add_argument("--delete", action="store_true", help="delete those whose job has ended")
    _add_json(sweep)

    drift = add("drift", _drift, "draw how far the data went from those of the trainings")
    drift.add_argument("--start", metavar="DATE", help="the first date")
    drift.add_argument("--stop", metavar="DATE", help="the date after the last one")
    drift.add_argument("--last", metavar="N", type=int, help="how many days up to today")
    drift.add_argument("--to", metavar="FILE", help="the page to write; var/drift.html")

    add("heartbeat", _heartbeat, "call the address that watches for silence, if one is set")

    clean = add("clean", _clean, "delete old files that nothing needs any more; markers stay")
    clean.add_argument("--older-than", metavar="DAYS", type=int, required=True)
    clean.add_argument("--dry-run", action="store_true", help="say only what would go")

    check = add("check", _check, "prove that queries see no future and predictions repeat")
    check.add_argument("--date", metavar="DATE", help="the labels are those up to it; today")

    _add_json(add("doctor", _doctor, "look whether all is set up, and say what to type if not"))
    return parser.parse_args(arguments)


def _add_run(command: argparse.ArgumentParser, tasks: Sequence[str]) -> None:
    command.add_argument("task", choices=tasks, metavar="TASK", help=", ".join(tasks))
    command.add_argument("date", metavar="DATE")


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for programs")


# Each verb is loaded when it is asked for: some need libraries that take their time.


def _status(options: Options) -> int:
    from pipeline.verbs.runs import find_dates
    from pipeline.verbs.status import status

    return status(find_dates(options.start, options.stop, options.last), as_json=options.json)


def _show(options: Options) -> None:
    from pipeline.verbs.show import show

    show(parse_day(options.date))


def _logs(options: Options) -> None:
    from pipeline.verbs.logs import logs

    day = parse_day(options.date)
    logs(options.task, day, follow=options.follow, open_page=options.open)


def _cancel(options: Options) -> None:
    from pipeline.verbs.cancel import cancel

    cancel(options.task, parse_day(options.date))


def _forget(options: Options) -> int:
    from pipeline.verbs.forget import forget

    day = parse_day(options.date)
    done = forget(options.task, day, options.action, lambda words: options.yes or _ask(words))
    return 0 if done else _FAILED


def _promote(options: Options) -> None:
    from pipeline.verbs.promote import promote

    promote(options.version)


def _sweep(options: Options) -> int:
    from pipeline.verbs.sweep import sweep

    return sweep(delete=options.delete, as_json=options.json)


def _drift(options: Options) -> None:
    from pipeline.verbs.drift import drift

    drift(options.start, options.stop, options.last, options.to)


def _heartbeat(options: Options) -> None:
    from pipeline.verbs.heartbeat import heartbeat

    heartbeat()


def _clean(options: Options) -> None:
    from pipeline.verbs.clean import clean

    clean(options.older_than, dry_run=options.dry_run)


def _check(options: Options) -> int:
    from pipeline.verbs.check import check

    return check(None if options.date is None else parse_day(options.date))


def _doctor(options: Options) -> int:
    from pipeline.verbs.doctor import doctor

    return doctor(as_json=options.json)


def _ask(words: str) -> bool:
    """Ask a person; nobody there is a no."""
    sys.stdout.write(f"{words} [y/N] ")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stdout.write("\n")
    return answer.strip().lower() in ("y", "yes")


if __name__ == "__main__":
    sys.exit(pipes.run(main))
