"""The Docker engine that answers: images built by the project's own command, and containers."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]

NO_ENGINE = (
    "No Docker engine answers `{program} info`. Start Docker, or name the program by DOCKER=... and"
    " the engine by DOCKER_HOST=..."
)

NO_REGISTRY = (
    "No registry is named. Start one (`apt-get install docker-registry`, or the image registry:2)"
    " and name it by REGISTRY=127.0.0.1:PORT"
)


@dataclass(frozen=True)
class Engine:
    """An engine, as `DOCKER_HOST` names it; `program` is the docker command that speaks to it."""

    program: str = field(default_factory=lambda: os.environ.get("DOCKER", "docker"))

    def answers(self) -> bool:
        with suppress(OSError, subprocess.TimeoutExpired):
            command = [self.program, "info"]
            ended = subprocess.run(command, capture_output=True, timeout=30, check=False)
            return ended.returncode == 0
        return False

    def try_to(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run `docker WORDS`, however it ends."""
        command = [self.program, *map(str, words)]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def do(self, *words: object) -> str:
        """What `docker WORDS` prints; it must end well."""
        ended = self.try_to(*words)
        assert ended.returncode == 0, f"docker {words}: {ended.stdout}{ended.stderr}"
        return ended.stdout.strip()

    def derive(self, image: str, **variables: str) -> str:
        """The id of the same image with variables in its environment."""
        changes = [f"--change=ENV {name}='{value}'" for name, value in variables.items()]
        container = self.do("create", image)
        derived = self.do("commit", *changes, container)
        self.do("rm", container)
        return derived

    @contextmanager
    def image(
        self, prediction: str, checkout: Path = ROOT, dockerfile: str = "container/Dockerfile"
    ) -> Iterator[str]:
        """The id (sha256:...) of an image of `checkout` with that model package.

        It is held by a tag of its own as long as the `with` block lasts. The engine's cache of
        layers stays, so that the next build is quick.
        """
        tag = f"orchestration-test:{secrets.token_hex(6)}"
        environment = {**os.environ, "DOCKER": self.program, "PREDICTION": prediction}
        environment["DOCKERFILE"] = dockerfile
        built = subprocess.run(
            [checkout / "container" / "build.sh", tag],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert built.returncode == 0, built.stderr
        try:
            yield built.stdout.strip()
        finally:
            self.try_to("image", "rm", "--force", tag)
