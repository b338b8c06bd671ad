"""Signs of life, and the log beside them."""

from pathlib import Path

import pytest

from container.heart import Heart
from pipeline.layout import Job


class Scene:
    """A job of this machine that logs."""

    def __init__(self, folder: Path) -> None:
        self.job = Job("job", str(folder / "job"))
        self._log = folder / "log.txt"

    def heart(self, log_seconds: float) -> Heart:
        return Heart(self.job, self._log, seconds=0.01, log_seconds=log_seconds)

    def say(self, words: str) -> None:
        with self._log.open("a") as file:
            file.write(words)

    def read(self) -> str:
        return Path(self.job.log).read_text()


@pytest.fixture
def scene(tmp_path) -> Scene:
    return Scene(tmp_path)


def test_a_log_is_not_copied_again_too_soon(scene):
    heart = scene.heart(log_seconds=3600)
    for date in range(30):
        scene.say(f"date {date}\n")
        heart.write_log()
    assert scene.read() == "date 0\n"
    with heart.beating():
        pass
    assert scene.read() == "date 0\n"


def test_the_last_copy_of_a_log_has_all_of_it(scene):
    heart = scene.heart(log_seconds=3600)
    for words in ("first ", "second ", "third"):
        scene.say(words)
        heart.write_log()
    heart.write_log(last=True)
    assert scene.read() == "first second third"


def test_a_log_is_copied_while_it_grows(scene):
    heart = scene.heart(log_seconds=0)
    for words in ("first", " second"):
        scene.say(words)
        heart.write_log()
    assert scene.read() == "first second"


def test_where_nothing_is_logged_nothing_is_copied(scene):
    scene.heart(log_seconds=0).write_log(last=True)
    assert not Path(scene.job.log).exists()
