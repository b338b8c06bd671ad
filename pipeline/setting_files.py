"""Which file set a value: luigi merges its configuration files and keeps no record of it.

The files are read again, in luigi's order, only to say where a value comes from and to find
misspelt names. What a value is, luigi alone decides.
"""

import configparser
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from luigi.cmdline_parser import CmdlineParser

from pipeline.errors import SettingsError

# The order of luigi.configuration.cfg_parser; a later file wins.
_CANDIDATES = ("/etc/luigi/client.cfg", "/etc/luigi/luigi.cfg", "client.cfg", "luigi.cfg")
_PATH_VARIABLE = "LUIGI_CONFIG_PATH"


@dataclass(frozen=True)
class Origin:
    """Who said what a setting is. `file` is None on the command line, `text` None by default."""

    section: str
    key: str
    text: str | None
    file: Path | None

    @property
    def folder(self) -> Path:
        """What a relative path in the value is relative to."""
        return self.file.parent if self.file else Path.cwd()

    def __str__(self) -> str:
        # A value may have several lines, a message has one.
        text = None if self.text is None else " ".join(self.text.splitlines())
        if self.file is None:
            flag = f"--{self.section}-{self.key}".replace("_", "-")
            return f"{flag} {text}"
        if text is None:
            return f"[{self.section}] {self.key} in {self.file}"
        return f"[{self.section}] {self.key} = {text} in {self.file}"


@dataclass(frozen=True)
class SettingsFile:
    """One configuration file, its values as they stand there: section -> key -> text."""

    path: Path
    sections: dict[str, dict[str, str]]


def read_files() -> tuple[SettingsFile, ...]:
    """The configuration files that are there; the last one wins.

    Raises `SettingsError` when there is none, or when LUIGI_CONFIG_PATH names none.
    """
    named = os.environ.get(_PATH_VARIABLE)
    if named and not Path(named).is_file():
        raise SettingsError(
            f"{_PATH_VARIABLE} is {named}, and there is no such file. Correct or unset it."
        )
    if os.environ.get("LUIGI_CONFIG_PARSER", "cfg") == "toml":
        raise SettingsError("LUIGI_CONFIG_PARSER is toml. Unset it: settings are read from .cfg.")
    return _read_files(Path.cwd(), named or "luigi.cfg")


@cache
def _read_files(folder: Path, named: str) -> tuple[SettingsFile, ...]:
    """In `folder`, once in a process, as luigi does."""
    paths = dict.fromkeys(folder / name for name in (*_CANDIDATES, named))
    found = tuple(_read(path) for path in paths if path.is_file())
    if not found:
        raise SettingsError(
            f"There is no luigi.cfg in {folder}. Run from the project's folder, or set "
            f"{_PATH_VARIABLE} to the absolute path of your luigi.cfg."
        )
    return found


def find_origin(section: str, key: str) -> Origin:
    """Where the value of a setting comes from; of a default, the file that sets [pipeline] name."""
    parsed = CmdlineParser.get_instance()
    typed = getattr(parsed.known_args, f"{section}_{key}", None) if parsed else None
    if typed:
        return Origin(section, key, typed, None)
    for file, text in _mentions(section, key):
        return Origin(section, key, text, file)
    for file, _ in _mentions("pipeline", "name"):
        return Origin(section, key, None, file)
    return Origin(section, key, None, read_files()[-1].path)


def _mentions(section: str, key: str) -> Iterator[tuple[Path, str]]:
    """The files that set a key, the winning one first. [DEFAULT] serves every section."""
    for name in (section, configparser.DEFAULTSECT):
        for file in reversed(read_files()):
            if key in (values := file.sections.get(name, {})):
                yield file.path, values[key]


def _read(path: Path) -> SettingsFile:
    parser = configparser.RawConfigParser(default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # luigi heeds the case
    parser.read(path)
    return SettingsFile(path, {name: dict(parser[name]) for name in parser.sections()})
