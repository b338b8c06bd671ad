"""A request for a machine that Compute Engine would take, and the same with one thing changed."""

import copy
from collections.abc import Mapping
from typing import Any

from tests.cloud.processes import ROOT

ZONE = "/compute/v1/projects/p/zones/europe-west1-b"
INSTANCE = {
    "name": "a-machine",
    "machineType": "zones/europe-west1-b/machineTypes/e2-standard-4",
    "labels": {"job": "a-job"},
    "disks": [
        {
            "boot": True,
            "autoDelete": True,
            "initializeParams": {
                "sourceImage": "projects/cos-cloud/global/images/family/cos-stable",
                "diskType": "zones/europe-west1-b/diskTypes/pd-balanced",
                "diskSizeGb": "50",
            },
        }
    ],
    "networkInterfaces": [{"subnetwork": "regions/europe-west1/subnetworks/default"}],
    "serviceAccounts": [
        {
            "email": "a@p.iam.gserviceaccount.com",
            "scopes": ["https://www.googleapis.com/auth/cloud-platform"],
        }
    ],
    "scheduling": {
        "provisioningModel": "SPOT",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
        "instanceTerminationAction": "DELETE",
        "maxRunDuration": {"seconds": "3600"},
    },
    "metadata": {"items": [{"key": "job-folder", "value": "/nowhere"}]},
}


def changed(path: str, value: object) -> Mapping[str, Any]:
    """The instance with one thing changed: "scheduling.automaticRestart"; None takes it away."""
    instance = copy.deepcopy(INSTANCE)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = instance
    for part in way:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return instance


def booting(job_folder: str, limit_seconds: int = 60, image: str = "an-image") -> Mapping[str, Any]:
    """The instance as one that boots and carries out the job in `job_folder`."""
    values = {
        "job-folder": job_folder,
        "job-image": image,
        "job-deadline-seconds": str(limit_seconds),
        "storage-project": "p",
        "user-data": (ROOT / "container" / "cloud-init.yaml").read_text(),
        "boot-script": (ROOT / "container" / "boot.sh").read_text(),
    }
    return changed("metadata.items", [{"key": key, "value": text} for key, text in values.items()])
