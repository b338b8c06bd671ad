"""What cloud-init is told: files to write, and commands to run. And the unit that is among them.

docs.cloud-init.io/en/latest/reference/modules.html, freedesktop.org/software/systemd/man
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

_UNITS = "/etc/systemd/system/"
_KNOWN = {
    *("Type", "Environment", "ExecStartPre", "ExecStart", "ExecStopPost", "Restart", "KillMode"),
    *("TimeoutStopSec", "OOMScoreAdjust", "StandardOutput", "StandardError"),
}
_FIXED = {"Type": ["exec"], "Restart": ["no"], "KillMode": ["mixed"]}


@dataclass(frozen=True)
class Unit:
    """A service that is started once: its commands, each as a list of words."""

    before: Sequence[Sequence[str]]
    main: Sequence[str]
    after: Sequence[Sequence[str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 90.0

    @classmethod
    def parse(cls, text: str) -> "Unit":
        """Raises `ValueError` for a setting of a service that is not known here."""
        found = _settings(text)
        unknown = found.keys() - _KNOWN
        wrong = [key for key, value in _FIXED.items() if found.get(key) != value]
        if unknown or wrong:
            raise ValueError(f"these settings are not known here: {sorted([*unknown, *wrong])}")
        [main] = found["ExecStart"]
        pairs = (each.partition("=") for each in found.get("Environment", []))
        return cls(
            before=[shlex.split(each) for each in found.get("ExecStartPre", [])],
            main=shlex.split(main),
            after=[shlex.split(each) for each in found.get("ExecStopPost", [])],
            environment={key: value for key, _, value in pairs},
            stop_seconds=float(found.get("TimeoutStopSec", ["90"])[0]),
        )


def read_unit(user_data: str) -> Unit | None:
    """The unit that a machine starts at its boot; None when its user data are none of cloud-init's.

    Raises `ValueError` when they ask for anything else than one unit, written and started.
    """
    if not user_data.startswith("#cloud-config\n"):
        return None
    config = yaml.safe_load(user_data)
    if config.keys() - {"write_files", "runcmd"}:
        raise ValueError(f"not known here: {sorted(config.keys() - {'write_files', 'runcmd'})}")
    [file] = config["write_files"]
    name = file["path"].removeprefix(_UNITS)
    commands = ["systemctl daemon-reload", f"systemctl start --no-block {name}"]
    if f"{_UNITS}{name}" != file["path"] or config["runcmd"] != commands:
        raise ValueError(f"{file['path']} is not written and started as a unit")
    return Unit.parse(file["content"])


def _settings(text: str) -> dict[str, list[str]]:
    """Of the section [Service]: a key may stand there several times."""
    section, found = "", {}
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#") and section == "[Service]":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found
