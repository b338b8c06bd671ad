"""What is sent to have a machine made: an instance, built from a job's request alone.

Nothing here asks a service, a clock or chance, so whoever adopts a job asks for the same machine.
"""

import hashlib
import math
import re
import uuid
from collections.abc import Mapping
from typing import Any

from google.cloud import compute_v1

from pipeline.compute import MANAGER
from pipeline.compute.google.limits import find_kind_problems, find_problems
from pipeline.compute.google.places import Place
from pipeline.errors import MachineRefusedError
from pipeline.layout import Job
from pipeline.records import Request

_SYSTEM_IMAGE = "projects/cos-cloud/global/images/family/cos-stable"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# Families of machines that have Hyperdisk only: cloud.google.com/compute/docs/disks/hyperdisks
_HYPERDISK_ONLY = re.compile(r"(c4|c4d|n4|n4d|x4|m4|h4d)-")
# What `GoogleCompute.choose` puts into a request for this module.
_SPEC = {
    "disk_size_gb",
    "labels",
    "machine_type",
    "provisioning_model",
    "service_account",
    "start_seconds",
    "storage",
    "subnetwork",
}
_LABEL_LENGTH = 63
# run.py keeps the deadline itself; boot.sh ends the container after this margin if it does not,
# and Compute Engine deletes the machine after twice as much.
_MARGIN_SECONDS = 300.0


def build_instance(request: Request, job: Job, files: Mapping[str, str]) -> compute_v1.Instance:
    """The machine that carries out `job`, as its request says.

    `files` are metadata attributes with texts of their own, such as `user-data`.
    Raises `MachineRefusedError` when it can't be made like that.
    """
    place, spec = Place.parse(request.machine), request.spec
    missing = sorted(_SPEC - spec.keys())
    if missing:
        raise _refused(place, f"the request of {request.job} does not say {', '.join(missing)}")
    account = compute_v1.ServiceAccount(email=spec["service_account"], scopes=[_SCOPE])
    if not request.image:
        raise _refused(place, f"there is no image for the job {request.job}")
    if "@" not in request.image:
        raise MachineRefusedError(
            f"{place} can't be made: {request.image} is an image of the Docker engine on which the"
            " model was trained. Name it under [docker] as `make push` prints it, NAME@sha256:...,"
            " and train again under another version."
        )
    labels = _labels(request)
    instance = compute_v1.Instance(
        name=place.name,
        machine_type=f"zones/{place.zone}/machineTypes/{spec['machine_type']}",
        labels=labels,
        disks=[_disk(place, spec, labels)],
        # Without access_configs it has no address outside of its network.
        network_interfaces=[compute_v1.NetworkInterface(subnetwork=spec["subnetwork"])],
        service_accounts=[account],
        shielded_instance_config=compute_v1.ShieldedInstanceConfig(
            enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
        ),
        scheduling=_scheduling(request),
        metadata=_metadata({**_attributes(request, job, place), **files}),
        deletion_protection=False,
    )
    problems = [
        *find_kind_problems(spec["machine_type"], spec.get("guest_accelerators")),
        *find_problems(instance),
    ]
    if problems:
        raise _refused(place, "; ".join(problems))
    return instance


def request_id(job: Job, place: Place) -> str:
    """What makes Compute Engine take a second request for the same machine as the first one."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{job.folder} {place.zone}"))


def _disk(place: Place, spec: Mapping[str, Any], labels: dict[str, str]) -> compute_v1.AttachedDisk:
    hyperdisk = _HYPERDISK_ONLY.match(spec["machine_type"])
    disk_type = "hyperdisk-balanced" if hyperdisk else "pd-balanced"
    return compute_v1.AttachedDisk(
        boot=True,
        auto_delete=True,
        initialize_params=compute_v1.AttachedDiskInitializeParams(
            source_image=_SYSTEM_IMAGE,
            disk_type=f"zones/{place.zone}/diskTypes/{disk_type}",
            disk_size_gb=spec["disk_size_gb"],
            labels=labels,
        ),
    )


def _scheduling(request: Request) -> compute_v1.Scheduling:
    """A machine that is never started again, and that Compute Engine deletes if nobody else does.

    Its time runs from when it is up: start allowance, deadline, and both margins.
    """
    spot = request.spec["provisioning_model"] == "spot"
    allowance = request.spec["start_seconds"] + 2 * _MARGIN_SECONDS
    return compute_v1.Scheduling(
        provisioning_model="SPOT" if spot else "STANDARD",
        on_host_maintenance="TERMINATE" if spot else "MIGRATE",
        automatic_restart=False,
        instance_termination_action="DELETE",
        max_run_duration=compute_v1.Duration(
            seconds=math.ceil(request.deadline_seconds + allowance)
        ),
    )


def _attributes(request: Request, job: Job, place: Place) -> dict[str, str]:
    """What the boot script and the system ask the metadata server for. No secret is among it."""
    return {
        "job-folder": job.folder,
        "job-image": request.image or "",
        "job-deadline-seconds": f"{math.ceil(request.deadline_seconds + _MARGIN_SECONDS)}",
        "storage-project": place.project,
        "google-logging-enabled": "true",
        "block-project-ssh-keys": "TRUE",
        # A job's machine never boots twice.
        "cos-update-strategy": "update_disabled",
    }


def _metadata(items: Mapping[str, str]) -> compute_v1.Metadata:
    return compute_v1.Metadata(
        items=[compute_v1.Items(key=key, value=value) for key, value in items.items()]
    )


def _labels(request: Request) -> dict[str, str]:
    """What tells a machine's and a disk's purpose, in lists and in the bill."""
    labels = {
        **request.spec["labels"],
        "task": request.action,
        "job": request.job,
        "storage": request.spec["storage"],
        "managed-by": MANAGER,
    }
    if request.runs:
        labels["date"] = str(min(run.date for run in request.runs))
    return {key: _label_value(value) for key, value in labels.items()}


def _label_value(value: object) -> str:
    """`value` in the characters that a label may have; a long one ends with a hash of it all."""
    text = re.sub(r"[^a-z0-9_-]", "-", str(value).lower())
    if len(text) <= _LABEL_LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _LABEL_LENGTH - 9]}-{digest}"


def _refused(place: Place, why: str) -> MachineRefusedError:
    return MachineRefusedError(
        f"{place} can't be made: {why}. Correct [compute_engine] or the action's own section in"
        " luigi.cfg."
    )
