"""`doctor`: whether all is set up, and for each thing that is not, what to type."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

from rich.table import Table

from pipeline import settings
from pipeline.errors import PipelineError
from pipeline.verbs import examinations
from pipeline.verbs.screen import Screen

_FAILED = 1


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is right, and what was found or is to be done."""

    subject: str
    healthy: bool
    words: str


def doctor(*, as_json: bool = False) -> int:
    """Print what is right and what is not. Returns 1 when something is not, else 0."""
    findings = list(_examine_all())
    if as_json:
        print(json.dumps([asdict(each) for each in findings], indent=2))
    else:
        _print(findings)
    return 0 if all(each.healthy for each in findings) else _FAILED


def _examine_all() -> Iterator[Finding]:
    checked = _examine("settings", examinations.examine_settings)
    yield checked
    if not checked.healthy:
        # Nothing else is known then.
        return
    yield _examine("model package", examinations.examine_package)
    yield _examine("storage", examinations.examine_storage)
    yield _examine("warehouse", examinations.examine_warehouse)
    yield _examine("compute", examinations.examine_compute)
    if settings.pipeline().compute == "google":
        yield _examine("subnetwork", examinations.examine_subnetwork)
        yield _examine("image", examinations.examine_image)
    yield _examine("luigid", examinations.examine_luigid)


def _examine(subject: str, examine: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, examine())
    except PipelineError as error:
        return Finding(subject, False, str(error))


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for each in findings:
        mark = "[green]ok[/]" if each.healthy else "[bold red]wrong[/]"
        table.add_row(mark, each.subject, _plain(each.words))
    Screen().print(table)


def _plain(words: str) -> str:
    # What rich would take for a style.
    return words.replace("[", r"\[")
