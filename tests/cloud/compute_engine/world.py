"""What machines are made in. The tests change it as they go."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.cloud.processes import ROOT

PREDICTION = ROOT / "prediction"


@dataclass
class World:
    """What all machines have in common.

    Attributes
    ----------
    scratch : Path
        Folder for the machines' files.
    port : int
        Where the server listens, for what machines ask of it.
    prediction : Path
        The model package that is in every image.
    environment : mapping of str to str
        Variables for what runs in containers, beside the server's own.
    docker : str
        The program of a real Docker engine that carries out all machines' containers; empty: they
        are processes.
    logins : str
        A file for the arguments of `docker-credential-gcr`, a line each time that it is run.
    memory_kib : int
        How much memory a machine says that it has.
    pace_seconds : float
        How long each step takes on the way to a running machine.
    pause_seconds : float
        Pauses of the boot script between two tries.
    grace_seconds : float
        How long a system has to shut down.
    hurry : float
        How many times as fast the limit of a machine's run time comes.
    """

    scratch: Path
    port: int = 0
    prediction: Path = PREDICTION
    environment: Mapping[str, str] = field(default_factory=dict)
    docker: str = ""
    logins: str = "/dev/null"
    memory_kib: int = 16_000_000
    pace_seconds: float = 0.02
    pause_seconds: float = 0.05
    grace_seconds: float = 10.0
    hurry: float = 1.0

    @property
    def storage(self) -> str:
        """Where machines reach Cloud Storage."""
        return os.environ.get("STORAGE_EMULATOR_HOST", "")
