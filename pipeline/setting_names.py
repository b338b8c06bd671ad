"""Misspelt sections and keys, which luigi would pass over with a warning or in silence."""

import difflib
from collections.abc import Iterable, Sequence

import luigi
from luigi.task_register import Register

from pipeline.errors import SettingsError
from pipeline.setting_files import SettingsFile, read_files

# Sections that luigi reads without a class, or with one that is not always loaded.
_READ_BY_LUIGI = ("DEFAULT", "logging", "resources", "retcode", "task_history")
_CLOSE = 0.75


def check_names(sections: Sequence[type[luigi.Config]], *free: str) -> None:
    """Raise `SettingsError` for a key that a section of ours does not have, or a section whose
    name is close to one that is read. Other sections may be somebody else's. The keys of those in
    `free` are the user's own.
    """
    keys = {section.__name__: _keys(section) for section in sections}
    families = Register.task_names()
    read = {*families, *_READ_BY_LUIGI, *keys, *free}
    for file in read_files():
        for name in file.sections:
            _check_section(name, read, file)
            if name in keys:
                _check_keys(name, keys[name], file)


def _keys(section: type[luigi.Config]) -> list[str]:
    return [key for key, _ in section.get_params()]


def _check_section(name: str, read: Iterable[str], file: SettingsFile) -> None:
    right = _closest(name, read)
    if right and right != name:
        raise SettingsError(f"{file.path} has a section [{name}]. Did you mean [{right}]?")


def _check_keys(name: str, keys: Sequence[str], file: SettingsFile) -> None:
    # Luigi takes a dash in a key for an underscore.
    for key in file.sections[name]:
        if key.replace("-", "_") not in keys:
            right = _closest(key, keys)
            remedy = f"Did you mean {right}?" if right else f"It knows {', '.join(keys)}."
            raise SettingsError(f"[{name}] in {file.path} has no setting {key}. {remedy}")


def _closest(name: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is `name`, or else most like it; None when none is."""
    if name in (known := list(known)):
        return name
    by_lower = {word.lower(): word for word in known}
    found = difflib.get_close_matches(name.lower(), sorted(by_lower), n=1, cutoff=_CLOSE)
    return by_lower[found[0]] if found else None
