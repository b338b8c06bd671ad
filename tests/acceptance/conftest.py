"""What the acceptance tests share: disks, and the page of messages that users see."""

import datetime
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cloud.servers import Cloud
from tests.conftest import Project

if TYPE_CHECKING:
    from tests.acceptance.cloud_project import CloudProject

PAGE = Path(__file__).parents[2] / "docs" / "messages.md"
_SECTION = re.compile(r"^### ([^\n]+)\n\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)

Mount = Callable[..., Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mount a small disk of its own: `mount(size_kb=100)`, `mount(read_only=True)`."""
    mounted = []

    def mount(*, size_kb: int = 1000, read_only: bool = False) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        options = f"size={size_kb}k,{'ro' if read_only else 'rw'}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and "CI" not in os.environ:
            pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
        assert not done.returncode, done.stderr
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def cloud_project(project: Project, cloud: Cloud) -> "CloudProject":
    """A project whose storage and warehouse are in the cloud; its jobs are processes here."""
    from tests.acceptance.cloud_project import CloudProject  # Google's libraries take seconds

    return CloudProject(project, cloud, cloud.new_bucket(), cloud.new_dataset())


class Page:
    """docs/messages.md: a section for each case, under its title."""

    @staticmethod
    def normalise(text: str, tmp_path: Path) -> str:
        """`text` without what is another each time: folders, names of jobs, and today's date."""
        text = text.replace(str(tmp_path / "project"), "/srv/toy")
        text = text.replace(str(tmp_path / "disk"), "/mnt/disk")
        text = re.sub(r"(toy-[a-z-]+-\d{8})-[0-9a-f]{10}", r"\1-0123456789", text)
        return text.replace(str(datetime.datetime.now(datetime.UTC).date()), "2024-06-01")

    def __init__(self, text: str) -> None:
        self.sections = {title: section.strip("\n") for title, section in _SECTION.findall(text)}

    def write(self, introduction: str, groups: dict[str, list[str]]) -> None:
        """Put the sections in the order of `groups`: heading -> titles."""
        titles = [title for group in groups.values() for title in group]
        self.sections = {title: self.sections[title] for title in titles}
        text = f"{introduction}\n"
        for heading, titles in groups.items():
            text += f"\n## {heading}\n"
            for title in titles:
                text += f"\n### {title}\n\n{self.sections[title]}\n"
        PAGE.write_text(text)


@pytest.fixture(scope="session")
def page() -> Page:
    return Page(PAGE.read_text() if PAGE.exists() else "")
