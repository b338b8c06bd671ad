"""Kinds of values that a setting can have: what is allowed, and how it reads in an error.

A relative path is relative to the folder of the file that sets it, or to the current directory
when it was typed on the command line.
"""

import configparser
import math
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TypeVar

import luigi

from pipeline.errors import SettingsError
from pipeline.setting_files import Origin, find_origin

T = TypeVar("T")


class Setting(luigi.Parameter[T]):
    """A value of luigi.cfg or of the command line that is checked when it is read.

    `allowed` completes the sentence "It must be ...".
    """

    allowed = ""

    def accepts(self, value: T) -> bool:
        """Whether `value` is allowed. May raise `ValueError` instead of returning False."""
        raise NotImplementedError

    def locate(self, value: T, folder: Path) -> T:
        """The value as it is used; a relative path in it is relative to `folder`."""
        return value

    def origin(self, section: str, key: str) -> Origin:
        """Where the value comes from, as an error names it."""
        return find_origin(section, key)

    def has_task_value(self, task_name: str, param_name: str) -> bool:
        """Luigi asks this first and hides why; `task_value` says what is wrong."""
        return True

    def task_value(self, task_name: str, param_name: str) -> T:
        origin = self.origin(task_name, param_name)
        try:
            value: T = super().task_value(task_name, param_name)  # type: ignore[no-untyped-call]
            if has_comment(origin) or not self.accepts(value):
                raise ValueError
            return self.locate(value, origin.folder)
        except luigi.parameter.MissingParameterException:
            raise SettingsError(f"{origin} is missing. It must be {self.allowed}.") from None
        except configparser.InterpolationError as error:
            raise unreadable(origin, error) from None
        except ValueError:
            raise refused(origin, self.allowed) from None


class Whole(Setting[int]):
    """A whole number from `at_least` on, perhaps up to `at_most`. Required without a default."""

    def __init__(
        self, *, at_least: int, at_most: int | None = None, default: int | None = None
    ) -> None:
        if default is None:
            super().__init__()
        else:
            super().__init__(default=default)
        self.at_least = at_least
        self.at_most = at_most
        up_to = "or more" if at_most is None else f"up to {at_most}"
        self.allowed = f"a whole number, {at_least} {up_to}"

    def parse(self, x: str) -> int:
        return int(x)

    def accepts(self, value: int) -> bool:
        return value >= self.at_least and (self.at_most is None or value <= self.at_most)


class Amount(Setting[float]):
    """How much of something, above 0."""

    allowed = "a number above 0"

    def parse(self, x: str) -> float:
        return float(x)

    def accepts(self, value: float) -> bool:
        return 0 < value < math.inf


class Seconds(Amount):
    """A time in seconds, above 0."""

    allowed = "a number of seconds above 0"


class Text(Setting[str]):
    """A text that a regular expression matches, as a whole. Required without a default."""

    def __init__(self, *, pattern: str, allowed: str, default: str | None = None) -> None:
        if default is None:
            super().__init__()
        else:
            super().__init__(default=default)
        self.pattern = re.compile(pattern)
        self.allowed = allowed

    def accepts(self, value: str) -> bool:
        return self.pattern.fullmatch(value) is not None


class OptionalDay(Text):
    """Empty, or a day as YYYY-MM-DD."""

    def __init__(self) -> None:
        super().__init__(
            default="", pattern=r"(\d{4}-\d{2}-\d{2})?", allowed="empty, or a date as YYYY-MM-DD"
        )

    def accepts(self, value: str) -> bool:
        return super().accepts(value) and (not value or bool(date.fromisoformat(value)))


class SecretPlace(Text):
    """Where a secret is: `env:NAME` or `secret:projects/P/secrets/S`, or empty.

    What stands there instead may be the secret itself, so that no error repeats it.
    """

    def __init__(self) -> None:
        super().__init__(
            default="",
            pattern=r"(env:[A-Za-z_]\w*"
            r"|secret:projects/[\w.:-]+/secrets/[\w-]+(/versions/(\d+|latest))?)?",
            allowed="env:NAME or secret:projects/PROJECT/secrets/NAME. The secret itself"
            " has no place in a file or on the command line",
        )

    def origin(self, section: str, key: str) -> Origin:
        found = super().origin(section, key)
        return replace(found, text="..." if found.text else found.text)

    def task_value(self, task_name: str, param_name: str) -> str:
        try:
            return super().task_value(task_name, param_name)
        except SettingsError:
            raise refused(self.origin(task_name, param_name), self.allowed) from None


class Place(Text):
    """A URL, or a path of this machine, which becomes absolute."""

    def locate(self, value: str, folder: Path) -> str:
        return locate(value, folder)


class Template(Setting[str]):
    """Empty, or a URL or path that holds {date}."""

    allowed = "empty, or a URL or path of CSV or Parquet files that holds {date}"

    def accepts(self, value: str) -> bool:
        rest = value.replace("{date}", "")
        return not value or (rest != value and not {"{", "}"} & set(rest))

    def locate(self, value: str, folder: Path) -> str:
        return locate(value, folder) if value else ""


class Folder(Setting[Path]):
    """A folder of this machine, as an absolute path."""

    allowed = "a folder of this machine"

    def parse(self, x: str) -> Path:
        if "://" in x:
            raise ValueError
        return Path(x)

    def accepts(self, value: Path) -> bool:
        return value != Path()

    def locate(self, value: Path, folder: Path) -> Path:
        return Path(locate(str(value), folder))


def locate(place: str, folder: Path) -> str:
    """A URL as it is, without a final slash; a path made absolute, `~` being the user's home.

    Raises `ValueError` for what no path can be.
    """
    if "\0" in place:
        raise ValueError
    if "://" in place:
        return place.rstrip("/")
    try:
        return str(folder / Path(place).expanduser())
    except RuntimeError:  # the home of nobody
        raise ValueError from None


def has_comment(origin: Origin) -> bool:
    """Whether a file's value runs into a comment, which luigi would take for a part of it."""
    return bool(origin.file and origin.text and re.search(r"\s[;#]", origin.text))


def refused(origin: Origin, allowed: str) -> SettingsError:
    if has_comment(origin):
        return SettingsError(f"{origin} ends in a comment. Give the comment a line of its own.")
    return SettingsError(f"{origin} is not allowed. It must be {allowed}.")


def unreadable(origin: Origin, error: configparser.InterpolationError) -> SettingsError:
    """Why `%` or `${VARIABLE}` in a value can't be replaced."""
    reason = " ".join(error.message.split()).rstrip(".")
    return SettingsError(f"{origin} can't be read: {reason}. Write a single % as %%.")
