"""Containers of this machine's Docker engine: the image that machines of the cloud run, at home.

A container is what a machine is elsewhere: made once for one job, by a name that is the job's, and
removed when the job has ended.
"""

import datetime
import logging
import os
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.types import Mount
from requests.exceptions import RequestException

from pipeline.compute import MANAGER, Found, Look, Machine, State
from pipeline.errors import ComputeError, MachineRefusedError
from pipeline.layout import Job
from pipeline.records import Budget, FailureKind, Request

logger = logging.getLogger("luigi-interface.pipeline")

_STATES = {
    "created": State.MAKING,
    "running": State.RUNNING,
    "paused": State.RUNNING,
    "restarting": State.RUNNING,
    "removing": State.STOPPING,
}
_GRACE_SECONDS = 10
_MAKING_SECONDS = 30.0
# Who has waited for a container has asked it by then how it ended.
_KEPT = datetime.timedelta(hours=1)
_CONSOLE_LINES = 40
_BYTES_PER_GB = 10**9
_ENGINE = "Start Docker, so that `docker info` answers, or set another compute under [pipeline]."


class DockerCompute:
    """Jobs as containers. A machine is named `<host>/<container>`.

    Parameters
    ----------
    image : str
        What jobs run in whose model is sealed to none: a tag, an id, or NAME@sha256:...
    memory_gb : float
        What a container may use, in 10**9 bytes; the kernel ends what needs more.
    network : str
        The engine's network for containers; empty: its default.
    storage : str
        The URL of the pipeline's storage. A folder is mounted at its own path.
    digest : str
        What tells this storage's containers from others'.
    data_folders : sequence of str
        Folders of this machine that hold data which are there already; mounted read-only.
    """

    name = "docker"
    poll_seconds = 0.2
    longest_poll_seconds = 2.0

    def __init__(
        self,
        image: str,
        memory_gb: float,
        network: str,
        storage: str,
        digest: str,
        data_folders: Sequence[str] = (),
    ) -> None:
        self.memory_gb = memory_gb
        self.network = network
        self.storage = storage
        self.digest = digest
        self.data_folders = data_folders
        self._setting = image
        self._clients: dict[int, docker.DockerClient] = {}
        self._unseen: set[str] = set()

    @cached_property
    def image(self) -> str:
        """The image by its content: an id, or the digest that the setting names.

        Raises `ComputeError` when the engine has none of that name.
        """
        with _naming(f"look for the image {self._setting}"):
            found = _find_image(self._client, self._setting)
        return self._setting if "@" in self._setting else str(found.id)

    def choose(self, job: Job, action: str, spent: Mapping[Budget, int]) -> Machine:
        is_folder = "://" not in self.storage
        credentials = "" if is_folder or not _credentials().exists() else str(_credentials())
        spec = {
            "memory_gb": self.memory_gb,
            "network": self.network,
            "storage": self.digest,
            "user": f"{os.getuid()}:{os.getgid()}",
            "folders": [self.storage] if is_folder else [],
            "data_folders": list(self.data_folders),
            "credentials": credentials,
        }
        return Machine(f"{platform.node()}/{job.name}", spec)

    def launch(self, request: Request, job: Job) -> None:
        name = _name_here(request.machine)
        if name is None:
            # Its own host may launch it any moment.
            return
        with _naming(f"start the container {name}"):
            self._sweep()
            container = self._make(request, job, name)
            if container.status == "created":
                self._start(container)

    def look(self, machine: str) -> Look:
        name = _name_here(machine)
        if name is None:
            return Look(State.UNKNOWN)
        try:
            container = self._find(name)
            if container is None:
                return Look(State.GONE)
            state = _STATES.get(container.status, State.GONE)
            return _explain(container) if state is State.GONE else Look(state)
        except (DockerException, RequestException) as error:
            if machine not in self._unseen:
                logger.warning("The container %s can't be seen, watching on: %s", name, _say(error))
            self._unseen.add(machine)
            return Look(State.UNKNOWN)

    def delete(self, machine: str) -> None:
        container = self._here(machine)
        if container is None:
            return
        # Somebody else may remove it at the same time.
        with _naming(f"delete the container {container.name}"), suppress(NotFound):
            try:
                container.stop(timeout=_GRACE_SECONDS)
                container.remove(v=True, force=True)
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                container.wait(condition="removed")

    def console(self, machine: str) -> str:
        try:
            container = self._here(machine)
            return _tail(container, _CONSOLE_LINES) if container else ""
        except (ComputeError, DockerException, RequestException) as error:
            # It is asked for on the way to a failure, which it must not hide.
            return f"(What {machine} printed can't be read: {_say(error)})"

    def find_all(self) -> Sequence[Found]:
        with _naming("list its containers"):
            containers = self._client.containers.list(
                all=True, filters={"label": f"storage={self.digest}"}, ignore_removed=True
            )
        return [
            Found(
                f"{platform.node()}/{each.name}",
                each.labels.get("job", ""),
                f"container ({each.status})",
                datetime.datetime.fromisoformat(each.attrs["Created"]),
            )
            for each in containers
        ]

    def _here(self, machine: str) -> Container | None:
        name = _name_here(machine)
        if name is None:
            host, _, name = machine.partition("/")
            raise ComputeError(f"{name} is a container of the machine {host}. Go there.")
        with _naming(f"look for the container {name}"):
            return self._find(name)

    def _find(self, name: str) -> Container | None:
        """The container, or None when there is none. Raises when it is not of our making."""
        try:
            found = self._client.containers.get(name)
        except NotFound:
            return None
        if (found.labels.get("job"), found.labels.get("storage")) != (name, self.digest):
            raise MachineRefusedError(
                f"The container {name} is somebody else's, as its labels say: it is left alone."
                f" Look at it: `docker inspect {name}`."
            )
        return found

    def _sweep(self) -> None:
        """Remove containers that ended while nobody watched any more."""
        ours = {"label": f"storage={self.digest}", "status": "exited"}
        for container in self._client.containers.list(all=True, filters={**ours}):
            ended = datetime.datetime.fromisoformat(container.attrs["State"]["FinishedAt"])
            if datetime.datetime.now(datetime.UTC) - ended > _KEPT:
                with suppress(NotFound):
                    container.remove(v=True)

    def _make(self, request: Request, job: Job, name: str) -> Container:
        """The container of that name, made by us or by somebody at the same time."""
        end = time.monotonic() + _MAKING_SECONDS
        while True:
            found = self._find(name)
            if found:
                return found
            try:
                return self._create(request, job, name)
            except APIError as error:
                # The engine gives a name away before the container can be found by it.
                if error.status_code != HTTPStatus.CONFLICT or time.monotonic() > end:
                    raise
                time.sleep(self.poll_seconds)

    def _create(self, request: Request, job: Job, name: str) -> Container:
        spec, image = request.spec, request.image or self.image
        _find_image(self._client, image)
        return self._client.containers.create(
            image,
            [job.folder],
            name=name,
            labels={"job": name, "storage": spec["storage"], "managed-by": MANAGER},
            user=spec["user"],
            mem_limit=int(spec["memory_gb"] * _BYTES_PER_GB),
            network_mode=spec["network"] or None,
            read_only=True,
            tmpfs={"/tmp": ""},  # noqa: S108 - the container's own
            # On the engine's disk, and removed with the container.
            mounts=[Mount("/work", None), *_mounts(spec)],
            environment=_environment(spec["credentials"]),
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            init=True,
        )

    def _start(self, container: Container) -> None:
        try:
            container.start()
        except APIError as error:
            container.remove(v=True, force=True)
            raise MachineRefusedError(
                f"The container {container.name} can't be started: {_say(error)}. Correct [docker]"
                " in luigi.cfg."
            ) from error

    @property
    def _client(self) -> docker.DockerClient:
        # Luigi forks: a connection that two processes share mixes up their replies.
        process = os.getpid()
        if process not in self._clients:
            self._clients[process] = _connect()
        return self._clients[process]


def _connect() -> docker.DockerClient:
    """The engine that the docker command would speak to: DOCKER_HOST's, or the chosen context's."""
    if os.environ.get("DOCKER_HOST"):
        return docker.from_env()
    context = docker.ContextAPI.get_current_context()
    return docker.DockerClient(base_url=context.Host, tls=context.TLSConfig or False)


def _name_here(machine: str) -> str | None:
    """The container's name, or None when it is another host's."""
    host, _, name = machine.partition("/")
    return name if host == platform.node() else None


def _find_image(client: docker.DockerClient, image: str) -> Image:
    """The image; a digest that is not here is pulled. Raises when there is none of that name."""
    try:
        return client.images.get(image)
    except ImageNotFound:
        if "@" not in image:
            raise MachineRefusedError(
                f"The Docker engine has no image {image}. Build it, `make image`, and name what"
                " that prints as image under [docker] in luigi.cfg. A model that was trained in an"
                " image that is gone is trained anew under another version."
            ) from None
        return client.images.pull(image)


def _mounts(spec: Mapping[str, Any]) -> Iterator[Mount]:
    """What a container sees of this machine, each at its own path."""
    for folder in spec["folders"]:
        yield Mount(folder, folder, type="bind")
    for path in (*spec["data_folders"], spec["credentials"]):
        if path:
            yield Mount(path, path, type="bind", read_only=True)


def _environment(credentials: str) -> dict[str, str]:
    """How the container reaches Cloud Storage: as whom, and where tests say so. No secret."""
    names = ("GOOGLE_CLOUD_PROJECT", "STORAGE_EMULATOR_HOST")
    found = {name: os.environ[name] for name in names if name in os.environ}
    return found | ({"GOOGLE_APPLICATION_CREDENTIALS": credentials} if credentials else {})


def _credentials() -> Path:
    """Where `gcloud auth application-default login` leaves what it has found out."""
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    folder = os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud"
    return Path(named or Path(folder) / "application_default_credentials.json")


def _explain(container: Container) -> Look:
    """Why a container has ended, for when it could not say so itself."""
    state: Mapping[str, Any] = container.attrs["State"]
    if state.get("OOMKilled"):
        words = (
            "the container had not enough memory: set a larger memory_gb under [docker] in"
            " luigi.cfg, if Docker has as much"
        )
        return Look(State.GONE, FailureKind.OUT_OF_MEMORY, words)
    last = state.get("Error") or _tail(container, 1)
    words = f"the container ended with exit status {state.get('ExitCode')}: {last.strip()}"
    return Look(State.GONE, FailureKind.KILLED, words)


def _tail(container: Container, lines: int) -> str:
    return container.logs(tail=lines).decode(errors="replace")


@contextmanager
def _naming(doing: str) -> Iterator[None]:
    """Tell in our words what the engine refuses, or that it does not answer."""
    try:
        yield
    except APIError as error:
        raise ComputeError(f"The Docker engine can't {doing}: {_say(error)}.") from error
    except (DockerException, RequestException) as error:
        raise ComputeError(f"The Docker engine can't {doing}: {_say(error)}. {_ENGINE}") from error


def _say(error: Exception) -> str:
    said = error.explanation if isinstance(error, APIError) else None
    return " ".join(str(said or error).split()).rstrip(".")
