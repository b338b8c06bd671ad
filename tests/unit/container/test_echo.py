"""The job's log on the console."""

import io
import time
from pathlib import Path

from container.echo import echo


def until(output: io.BytesIO, expected: bytes) -> None:
    """Wait for `output` to be `expected`."""
    end = time.monotonic() + 10
    while output.getvalue() != expected:
        assert time.monotonic() < end, output.getvalue()
        time.sleep(0.01)


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


def test_what_is_logged_is_printed_while_it_grows_and_once(tmp_path):
    output = io.BytesIO()
    with echo(tmp_path / "log.txt", output):
        append(tmp_path / "log.txt", b"one\n")
        until(output, b"one\n")
        append(tmp_path / "log.txt", "två ".encode() + b"\xff")
        until(output, b"one\ntv\xc3\xa5 \xff")


def test_the_last_words_are_printed_too(tmp_path):
    output = io.BytesIO()
    words = b"the last words\n" * 100_000
    with echo(tmp_path / "log.txt", output):
        append(tmp_path / "log.txt", words)
    assert output.getvalue() == words


def test_a_job_without_a_log_prints_nothing(tmp_path):
    output = io.BytesIO()
    with echo(tmp_path / "log.txt", output):
        pass
    assert output.getvalue() == b""


def test_a_closed_console_disturbs_nobody(tmp_path):
    output = io.BytesIO()
    output.close()
    with echo(tmp_path / "log.txt", output):
        append(tmp_path / "log.txt", b"nobody reads this\n")
    assert (tmp_path / "log.txt").read_bytes() == b"nobody reads this\n"
