"""The calls of Compute Engine that machines need, each with a limit of time and no repetition.

What is asked again is for the callers to say: `is_uncertain` tells of an error whether it may help.
"""

import os
import time
from dataclasses import dataclass

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud import compute_v1
from requests.exceptions import RequestException

from pipeline.compute.google.places import Place
from pipeline.compute.google.refusals import Meaning, Refusal
from pipeline.google_cloud import REQUEST_SECONDS, credentials

EMULATOR = "COMPUTE_EMULATOR_HOST"

# Everything that a call can raise: Google's two families, and that of the library below.
CallError = (exceptions.GoogleAPIError, GoogleAuthError, RequestException)

# zoneOperations.wait answers after two minutes at the latest.
_WAIT_SECONDS = 150.0
_LOOK_SECONDS = 30.0
_PREEMPTED = "compute.instances.preempted"


class AgainError(exceptions.GoogleAPIError):
    """What was asked for has not come about yet."""


def is_uncertain(error: BaseException) -> bool:
    """Whether an error leaves open what has happened, or may be gone when the same is asked again.

    The libraries' own rule leaves out 502, 504, a reply that does not come, and limits of rate
    that are told by 403.
    """
    if isinstance(error, exceptions.GoogleAPICallError):
        return Refusal.of_reply(error).meaning is Meaning.BUSY
    if isinstance(error, GoogleAuthError):
        return isinstance(error, TransportError) or bool(error.retryable)
    return isinstance(error, AgainError | RequestException)


@dataclass(frozen=True)
class _Clients:
    machines: compute_v1.InstancesClient
    # The other client would make one of its own for operations, which ignores our endpoint.
    operations: compute_v1.ZoneOperationsClient


class Api:
    """Compute Engine, by the name of a machine. Makes its clients in each process that asks."""

    def __init__(self) -> None:
        self._by_process: dict[int, _Clients] = {}

    def insert(
        self, place: Place, instance: compute_v1.Instance, request_id: str
    ) -> compute_v1.Operation:
        """Ask for a machine. With the same id it is the same request, which is done once."""
        request = compute_v1.InsertInstanceRequest(
            project=place.project,
            zone=place.zone,
            request_id=request_id,
            instance_resource=instance,
        )
        return self._clients.machines.insert_unary(request, timeout=REQUEST_SECONDS)

    def find(self, place: Place) -> compute_v1.Instance | None:
        """The machine, or None when there is none."""
        try:
            return self._clients.machines.get(
                project=place.project,
                zone=place.zone,
                instance=place.name,
                retry=None,
                timeout=_LOOK_SECONDS,
            )
        except exceptions.NotFound:
            return None

    def list_all(self, project: str, condition: str) -> list[tuple[Place, compute_v1.Instance]]:
        """The machines of a project that fulfil a condition, in whatever zone."""
        request = compute_v1.AggregatedListInstancesRequest(project=project, filter=condition)
        pages = self._clients.machines.aggregated_list(request, timeout=_LOOK_SECONDS)
        return [
            (Place(project, zone.removeprefix("zones/"), each.name), each)
            for zone, scoped in pages
            for each in scoped.instances
        ]

    def delete(self, place: Place) -> compute_v1.Operation | None:
        """Ask for the machine's end; None when there is no machine."""
        try:
            return self._clients.machines.delete_unary(
                project=place.project,
                zone=place.zone,
                instance=place.name,
                timeout=REQUEST_SECONDS,
            )
        except exceptions.NotFound:
            return None

    def finish(
        self, place: Place, operation: compute_v1.Operation, end: float
    ) -> compute_v1.Operation:
        """Wait until an operation has ended, well or not.

        Raises `AgainError` when it has not at `end` (of the monotonic clock), or is forgotten.
        """
        while operation.status != compute_v1.Operation.Status.DONE:
            left = end - time.monotonic()
            if left <= 0:
                raise AgainError(f"the operation {operation.name} goes on")
            try:
                operation = self._clients.operations.wait(
                    project=place.project,
                    zone=place.zone,
                    operation=operation.name,
                    retry=None,
                    timeout=min(left, _WAIT_SECONDS),
                )
            except exceptions.NotFound:
                # Which says nothing of the machine.
                raise AgainError(f"the operation {operation.name} is not known") from None
        return operation

    def was_preempted(self, place: Place) -> bool:
        """Whether the machine was taken away for somebody else's sake."""
        request = compute_v1.ListZoneOperationsRequest(
            project=place.project, zone=place.zone, filter=f'operationType="{_PREEMPTED}"'
        )
        found = self._clients.operations.list(request, retry=None, timeout=_LOOK_SECONDS)
        return any(
            each.operation_type == _PREEMPTED and each.target_link.endswith(f"/{place}")
            for each in found
        )

    def reaches_google(self, project: str, region: str, subnetwork: str) -> bool:
        """Whether machines without an address reach Google's services from a subnetwork."""
        client = compute_v1.SubnetworksClient(
            credentials=credentials(EMULATOR),
            client_options={"api_endpoint": os.environ.get(EMULATOR) or None},
        )
        found = client.get(
            project=project,
            region=region,
            subnetwork=subnetwork,
            retry=None,
            timeout=_LOOK_SECONDS,
        )
        return bool(found.private_ip_google_access)

    def read_console(self, place: Place, size_bytes: int) -> str:
        """The end of what the machine printed on its first serial port."""
        request = compute_v1.GetSerialPortOutputInstanceRequest(
            project=place.project,
            zone=place.zone,
            instance=place.name,
            port=1,
            start=-size_bytes,
        )
        try:
            output = self._clients.machines.get_serial_port_output(
                request, retry=None, timeout=_LOOK_SECONDS
            )
        except exceptions.NotFound:
            return ""
        return output.contents.replace("\r", "")

    @property
    def _clients(self) -> _Clients:
        # Luigi forks: a connection that two processes share mixes up their replies.
        process = os.getpid()
        if process not in self._by_process:
            self._by_process[process] = _make_clients()
        return self._by_process[process]


def _make_clients() -> _Clients:
    options = {"api_endpoint": os.environ.get(EMULATOR) or None}
    who = credentials(EMULATOR)
    return _Clients(
        compute_v1.InstancesClient(credentials=who, client_options=options),
        compute_v1.ZoneOperationsClient(credentials=who, client_options=options),
    )
