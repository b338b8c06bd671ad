"""Machines of Compute Engine: chosen, made, looked at and deleted."""

import datetime
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.compute import Found, Look, Machine, State
from pipeline.compute.google.api import Api, CallError, is_uncertain
from pipeline.compute.google.instances import build_instance, request_id
from pipeline.compute.google.lifecycle import Lifecycle
from pipeline.compute.google.limits import find_kind_problems
from pipeline.compute.google.places import Place, instance_name
from pipeline.compute.google.refusals import permit, say
from pipeline.errors import ComputeError, MachineRefusedError
from pipeline.google_cloud import DEADLINE_SECONDS, naming
from pipeline.layout import Job, base_name, storage_digest
from pipeline.records import Budget, FailureKind, Request

logger = logging.getLogger("luigi-interface.pipeline")

_STATES = {
    "PENDING": State.MAKING,
    "PROVISIONING": State.MAKING,
    "STAGING": State.MAKING,
    "RUNNING": State.RUNNING,
    # Never started again. Its disk is there and is billed until it is deleted.
    "TERMINATED": State.GONE,
    "STOPPED": State.GONE,
    "SUSPENDED": State.GONE,
}
_FILES = {"user-data": "cloud-init.yaml", "boot-script": "boot.sh"}
_CONTAINER = Path(__file__).parents[3] / "container"
_CONSOLE_BYTES = 4096
_LISTING = (
    "Grant it: `gcloud projects add-iam-policy-binding PROJECT --member=MEMBER"
    " --role=roles/compute.instanceAdmin.v1`."
)
# Permission is sometimes denied for a moment to somebody who has it.
_DENIED_LOOKS = 5


@dataclass(frozen=True)
class MachineKind:
    """What the jobs of one action run on. `provisioning_model` is "spot" or "standard"."""

    machine_type: str
    disk_size_gb: int
    provisioning_model: str


class GoogleCompute:
    """Jobs as machines of Compute Engine, each made for one job and deleted at its end.

    Parameters
    ----------
    project : str
    zones : sequence of str
        The first is tried first; the others when those before them have no room.
    subnetwork : str
        regions/REGION/subnetworks/NAME, in which machines reach Google's services.
    service_account : str
        Whom the machines act as: an address.
    image : str
        The container image for jobs whose model is sealed to none, by digest.
    labels : mapping of str to str
        Put on every machine and disk.
    actions : mapping of str to MachineKind
    storage : str
        URL of the storage. Two storages may share a project: no machine of one is taken for one
        of the other.
    preemption_retries : int
        How often a preempted job is tried again: the last time by a standard machine.
    start_seconds : float
        How long a machine may take from its start to that of its container.
    patience_seconds, pause_seconds : float
        For how long a request is repeated that fails, and the first of the growing pauses.
    """

    name = "google"
    poll_seconds = 1.0
    longest_poll_seconds = 30.0

    def __init__(
        self,
        project: str,
        zones: Sequence[str],
        subnetwork: str,
        service_account: str,
        image: str,
        labels: Mapping[str, str],
        actions: Mapping[str, MachineKind],
        storage: str,
        *,
        preemption_retries: int = 3,
        start_seconds: float = 600.0,
        patience_seconds: float = DEADLINE_SECONDS,
        pause_seconds: float = 1.0,
    ) -> None:
        self.project = project
        self.zones = zones
        self.subnetwork = subnetwork
        self.service_account = service_account
        self.image: str | None = image
        self.labels = labels
        self.actions = actions
        self.digest = storage_digest(storage)
        self.preemption_retries = preemption_retries
        self.start_seconds = start_seconds
        self._api = Api()
        self._lifecycle = Lifecycle(self._api, self.digest, patience_seconds, pause_seconds)
        self._failed_looks: Counter[str] = Counter()

    def choose(self, job: Job, action: str, spent: Mapping[Budget, int]) -> Machine:
        kind = self.actions[action]
        problems = list(find_kind_problems(kind.machine_type))
        if problems:
            raise MachineRefusedError(
                f"{'; '.join(problems)}. Correct machine_type under [{action}] in luigi.cfg."
            )
        zone = self.zones[spent.get(Budget.CAPACITY, 0) % len(self.zones)]
        preemptions = spent.get(Budget.PREEMPTION, 0)
        last = 0 < self.preemption_retries <= preemptions
        spec = {
            **asdict(kind),
            "provisioning_model": "standard" if last else kind.provisioning_model,
            "subnetwork": self.subnetwork,
            "service_account": self.service_account,
            "labels": dict(self.labels),
            "storage": self.digest,
            "start_seconds": self.start_seconds,
        }
        return Machine(str(Place(self.project, zone, instance_name(job.name, self.digest))), spec)

    def launch(self, request: Request, job: Job) -> None:
        instance = build_instance(request, job, _read_files())
        self._lifecycle.make(instance, request, request_id(job, Place.parse(request.machine)))

    def look(self, machine: str) -> Look:
        place = Place.parse(machine)
        try:
            found = self._api.find(place)
            state = _STATES.get(found.status, State.STOPPING) if found else State.GONE
            preempted = state is State.GONE and self._api.was_preempted(place)
        except CallError as error:
            self._excuse(place, error)
            return Look(State.UNKNOWN)
        self._failed_looks.pop(machine, None)
        return Look(state, FailureKind.PREEMPTED if preempted else None)

    def delete(self, machine: str) -> None:
        self._lifecycle.end(Place.parse(machine))

    def console(self, machine: str) -> str:
        place = Place.parse(machine)
        try:
            return self._api.read_console(place, _CONSOLE_BYTES)
        except CallError as error:
            # It is asked for on the way to a failure, which it must not hide.
            return f"(The serial port of {place} can't be read: {say(error)})"

    def find_all(self) -> Sequence[Found]:
        with naming(ComputeError, f"list the machines of {self.project}", denied=_LISTING):
            # In quotes, as a digest may have digits only, and be read as a number.
            found = self._api.list_all(self.project, f'labels.storage="{self.digest}"')
        return [
            Found(
                str(place),
                each.labels.get("job", ""),
                f"{base_name(each.machine_type)} ({each.status})",
                datetime.datetime.fromisoformat(each.creation_timestamp).astimezone(datetime.UTC),
            )
            for place, each in found
        ]

    def _excuse(self, place: Place, error: Exception) -> None:
        """Say that a machine can't be seen, and give up when it is for want of a permission."""
        self._failed_looks[str(place)] += 1
        if self._failed_looks[str(place)] == 1:
            logger.warning("%s can't be seen, watching on: %s", place, say(error))
        if self._failed_looks[str(place)] >= _DENIED_LOOKS and not is_uncertain(error):
            with naming(ComputeError, f"look at {place}", denied=permit(place)):
                raise error


def _read_files() -> dict[str, str]:
    """What a machine gets along: how it boots, and what it then does."""
    return {key: (_CONTAINER / name).read_text() for key, name in _FILES.items()}
