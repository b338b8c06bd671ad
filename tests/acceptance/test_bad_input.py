"""Bad input, as a user meets it: each case is a command, and the message that it ends with.

A message says what happened to what, and what to do; nothing half done is left. docs/messages.md
shows all of them, as they are provoked here. After a change: `make messages`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.bad_input import LOAD, SCENES, Case, Toy
from tests.acceptance.framework import use_framework

INTRODUCTION = """\
# Messages

What you see when the input is bad: a command, the end of what it prints, and what to do about it.
The tests provoke each of these and compare; `make messages` writes this page. Dates, paths and
names are those of a small example in `/srv/toy`. What is not here is in
[troubleshooting.md](troubleshooting.md).

Nothing is half done after any of these: no marker, no model, no partition. When the cause is gone,
type the same command again. When a job of the model failed, a line with the place of its log
follows. The exit status of all these is not 0: 40 where nothing was started, 30 where a task
failed, 1 for `prediction.main`."""


GROUPS = {scene.group: [] for scene in SCENES}
for _scene in SCENES:
    GROUPS[_scene.group] += [case.title for case in _scene.cases]


@pytest.fixture
def toy(project) -> Toy:
    """A good project, with the framework of this checkout and a model of the tests."""
    use_framework(project)
    return Toy(project, project.folder)


def test_a_project_that_is_not_spoilt_is_fine(toy):
    ended = toy.project.luigi(*LOAD.split()[3:])
    assert ended.status == 0, ended.output


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.cases[0].title.replace(" ", "-"))
def test_bad_input_is_told_in_one_message_and_leaves_nothing(
    toy, scene, page, mount, tmp_path, request
):
    toy.disk = mount(**scene.disk) if scene.disk else None
    scene.spoil(toy)
    ended = run(toy, scene.command or scene.cases[0].command)
    assert ended.status == scene.status, ended.output
    assert "Traceback" not in ended.output
    told = messages(ended.output)
    assert len(told) == len(scene.cases), ended.output
    assert [each for each in told if not re.search(r"[.!?]$", each)] == []
    check_remains(toy, told)
    for case in scene.cases:
        [message] = [each for each in told if case.about in each]
        section = render(case, page.normalise(message, tmp_path))
        if request.config.getoption("--write-messages"):
            page.sections[case.title] = section
        assert page.sections.get(case.title) == section


def render(case: Case, message: str) -> str:
    """A case's section of the page."""
    return f"    {case.command}\n\n> error: {message}\n\n{case.remedy}".rstrip("\n")


def run(toy: Toy, command: str):
    words = command.split()
    if words[0] == "luigi":
        return toy.project.luigi(*words[3:])
    return toy.project.predict(*words[3:])


def messages(output: str) -> list[str]:
    """What is told as an error: one message for each run that failed, without its log's place."""
    found: list[str] = []
    within = False
    for line in output.splitlines():
        if line.startswith("error: "):
            within = True
            found.append(line.removeprefix("error: "))
        elif re.match(r"(INFO|WARNING|DEBUG): |=====|\S+\.json: ", line):
            within = False
        elif within and line.startswith("    The log: "):
            assert Path(line.split()[-1]).exists()
        elif within:
            found.append(line)
    return found


def check_remains(toy: Toy, told: Sequence[str]) -> None:
    """No run that failed has a marker, a model or data; no file is half written; nothing works.

    Files are uploaded side by side: when the disk is full some are there, whole, without a marker.
    """
    storage = toy.disk if toy.disk and (toy.disk / "storage").exists() else toy.folder / "var"
    for message in told:
        failed = re.match(r"(?:(data) for )?(\w+) of ([\d-]+) failed", message)
        family = [part for part in failed.groups()[:2] if part] if failed else []
        if not family:
            continue
        folder = storage.joinpath("storage", "toy", "v1", *family, f"date={failed[3]}")
        left = [path.name for path in folder.rglob("*")]
        unwanted = "_SUCCESS" if "No space left" in message else r"_SUCCESS|model\.j|part-"
        assert [name for name in left if re.match(unwanted, name)] == []
    for folder in filter(None, (toy.folder / "var", toy.disk)):
        assert list(folder.rglob(".unfinished-*")) == []
        assert list(folder.glob("work/scratch/*")) == []
        assert list(folder.glob("*.csv*")) == []
    assert not (toy.folder / "model" / "model.json").exists() or toy.disk
    assert not (toy.folder / "var" / "warehouse.duckdb").exists()
    assert toy.project.processes() == []


def test_the_page_has_these_cases_and_no_others(page, request):
    titles = [title for group in GROUPS.values() for title in group]
    assert len(set(titles)) == len(titles)
    if request.config.getoption("--write-messages"):
        page.write(INTRODUCTION, GROUPS)
    assert list(page.sections) == titles
