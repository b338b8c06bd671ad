"""Whether a request to insert is one that Compute Engine takes. Stricter where it is lenient.

Names and types of fields are checked against the API's own description, as the client library
has it; the rest is from cloud.google.com/compute/docs/reference/rest/v1/instances/insert.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from google.cloud import compute_v1
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError

from tests.cloud.compute_engine.replies import JSON, RefusedError, invalid

_NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
_ZONE = r"[a-z]+-[a-z]+\d+-[a-z]"
_MACHINE_TYPE = re.compile(
    r"(e2|n1|n2|n2d|n4|c2|c2d|c3|c3d|c4|c4d|t2d|m1|m2|m3|h3)-"
    r"(standard|highmem|highcpu|micro|small|medium)(-[1-9]\d*)?"
)
_DISK_TYPES = ("pd-standard", "pd-balanced", "pd-ssd", "hyperdisk-balanced")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_METADATA_KEY = re.compile(r"[a-zA-Z0-9_-]{1,127}")
_METADATA_VALUE_BYTES = 262_144
_METADATA_BYTES = 512 * 1024
_IMAGE = re.compile(rf"(https://.*/compute/v1/)?projects/[^/]+/global/images/(family/)?{_NAME}")
_SUBNETWORK = re.compile(rf"(projects/[^/]+/)?regions/(?P<region>[^/]+)/subnetworks/{_NAME}")
_ACCOUNT = re.compile(r"[^@\s]+@[a-z0-9.-]+")
_LEAST_SECONDS, _MOST_SECONDS = 30, 120 * 24 * 3600


def check_insertion(zone: str, query: Mapping[str, str], body: JSON) -> None:
    """Raise `RefusedError` for the first thing that is wrong with a request."""
    if not re.fullmatch(_ZONE, zone):
        raise invalid("zone", zone, "Unknown zone.")
    if "requestId" in query:
        _check_request_id(query["requestId"])
    _check_fields(body, compute_v1.Instance.pb(compute_v1.Instance()).DESCRIPTOR, "resource")
    _check_types(body)
    if not re.fullmatch(_NAME, body.get("name", "")):
        why = f"Must be a match of regex '(?:{_NAME})'"
        raise invalid("resource.name", body.get("name", ""), why)
    _check_machine_type(zone, body.get("machineType", ""))
    _check_labels("resource.labels", body.get("labels", {}))
    _check_metadata(body.get("metadata", {}).get("items", []))
    _check_disks(zone, body.get("disks", []))
    _check_network(zone, body.get("networkInterfaces", []))
    _check_accounts(body.get("serviceAccounts", []))
    _check_scheduling(body.get("scheduling", {}))


def _check_request_id(value: str) -> None:
    try:
        given = uuid.UUID(value)
    except ValueError:
        given = uuid.UUID(int=0)
    if not given.int:
        raise invalid("requestId", value, "It must be a valid UUID that is not all zeros.")


def _check_fields(value: object, description: Descriptor, where: str) -> None:
    """Refuse a field that the message has not, in the spelling of JSON."""
    if not isinstance(value, dict):
        return
    fields = {field.json_name: field for field in description.fields}
    for name, content in value.items():
        if name not in fields:
            message = f"Invalid JSON payload received. Unknown name \"{name}\" at '{where}'"
            raise RefusedError(400, "badRequest", f"{message}: Cannot find field.")
        for each in _messages(content, fields[name]):
            _check_fields(each, fields[name].message_type, f"{where}.{name}")


def _messages(content: Any, field: FieldDescriptor) -> Iterable[object]:
    if field.message_type is None or field.message_type.GetOptions().map_entry:
        return []
    return content if isinstance(content, list) else [content]


def _check_types(body: JSON) -> None:
    try:
        ParseDict(body, compute_v1.Instance.pb(compute_v1.Instance()))
    except ParseError as error:
        message = f"Invalid JSON payload received. {error}"
        raise RefusedError(400, "badRequest", message) from None


def _check_machine_type(zone: str, url: str) -> None:
    where, _, name = url.rpartition("/machineTypes/")
    if where != f"zones/{zone}":
        raise invalid("resource.machineType", url, "The URL is malformed.")
    if not _MACHINE_TYPE.fullmatch(name):
        why = f"Machine type with name '{name}' does not exist in zone '{zone}'."
        raise invalid("resource.machineType", url, why)


def _check_labels(field: str, labels: Mapping[str, str]) -> None:
    if len(labels) > 64:
        raise invalid(field, len(labels), "At most 64 labels are allowed.")
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise invalid(f"{field}.key", key, "Label keys are of [a-z0-9_-], 63 at most.")
        if not _LABEL_VALUE.fullmatch(value):
            raise invalid(f"{field}.value", value, "Label values are of [a-z0-9_-], 63 at most.")


def _check_metadata(items: list[JSON]) -> None:
    field, keys, total = "resource.metadata", set(), 0
    for each in items:
        key, size = each.get("key", ""), len(each.get("value", "").encode())
        if not _METADATA_KEY.fullmatch(key):
            raise invalid(f"{field}.items.key", key, "Not a metadata key.")
        if key in keys:
            raise invalid(f"{field}.items.key", key, "The key is given twice.")
        if size > _METADATA_VALUE_BYTES:
            raise invalid(f"{field}.items.value", key, f"Value is too large: {size} bytes.")
        keys.add(key)
        total += len(key) + size
    if total >= _METADATA_BYTES:
        raise invalid(field, total, "Metadata size must be less than 512 KB.")


def _check_disks(zone: str, disks: list[JSON]) -> None:
    field = "resource.disks"
    if [disk.get("boot", False) for disk in disks] != [True]:
        raise invalid(field, len(disks), "Exactly one disk is expected, to boot from.")
    given = disks[0].get("initializeParams", {})
    if not _IMAGE.fullmatch(given.get("sourceImage", "")):
        why = "The URL is malformed."
        raise invalid(f"{field}[0].initializeParams.sourceImage", given.get("sourceImage"), why)
    where, _, name = given.get("diskType", "").rpartition("/diskTypes/")
    if where != f"zones/{zone}" or name not in _DISK_TYPES:
        why = "The URL is malformed."
        raise invalid(f"{field}[0].initializeParams.diskType", given.get("diskType"), why)
    if int(given.get("diskSizeGb", 0)) < 10:
        why = "The disk is smaller than its image (10 GB)."
        raise invalid(f"{field}[0].initializeParams.diskSizeGb", given.get("diskSizeGb"), why)
    _check_labels(f"{field}[0].initializeParams.labels", given.get("labels", {}))


def _check_network(zone: str, interfaces: list[JSON]) -> None:
    field = "resource.networkInterfaces"
    if len(interfaces) != 1:
        raise invalid(field, len(interfaces), "One network interface is expected.")
    url = interfaces[0].get("subnetwork", "")
    matched = _SUBNETWORK.fullmatch(url)
    if not matched:
        raise invalid(f"{field}[0].subnetwork", url, "The URL is malformed.")
    if matched["region"] != zone.rpartition("-")[0]:
        why = "The subnetwork is in another region than the instance."
        raise invalid(f"{field}[0].subnetwork", url, why)


def _check_accounts(accounts: list[JSON]) -> None:
    field = "resource.serviceAccounts"
    if len(accounts) > 1:
        raise invalid(field, len(accounts), "At most one service account is allowed.")
    for each in accounts:
        if not _ACCOUNT.fullmatch(each.get("email", "")):
            raise invalid(f"{field}[0].email", each.get("email"), "Not a service account.")
        if not all(scope.startswith("https://") for scope in each.get("scopes", [""])):
            raise invalid(f"{field}[0].scopes", each.get("scopes"), "Not a scope.")


def _check_scheduling(given: JSON) -> None:
    field, model = "resource.scheduling", given.get("provisioningModel", "STANDARD")
    if model not in ("SPOT", "STANDARD"):
        raise invalid(f"{field}.provisioningModel", model, "Unknown provisioning model.")
    if model == "SPOT" and given.get("automaticRestart", True):
        raise invalid(f"{field}.automaticRestart", True, "A Spot VM is never restarted.")
    if model == "SPOT" and given.get("onHostMaintenance") != "TERMINATE":
        why = "A Spot VM is terminated for maintenance."
        raise invalid(f"{field}.onHostMaintenance", given.get("onHostMaintenance"), why)
    if given.get("onHostMaintenance", "MIGRATE") not in ("MIGRATE", "TERMINATE"):
        raise invalid(f"{field}.onHostMaintenance", given["onHostMaintenance"], "Unknown.")
    action, limit = given.get("instanceTerminationAction"), given.get("maxRunDuration")
    if action not in (None, "DELETE", "STOP"):
        raise invalid(f"{field}.instanceTerminationAction", action, "Unknown action.")
    if action and model != "SPOT" and not limit:
        why = "It goes with Spot VMs and with a limit of the run time only."
        raise invalid(f"{field}.instanceTerminationAction", action, why)
    if limit is not None:
        _check_limit(f"{field}.maxRunDuration", limit, action)


def _check_limit(field: str, limit: JSON, action: str | None) -> None:
    seconds = int(limit.get("seconds", 0))
    if not _LEAST_SECONDS <= seconds <= _MOST_SECONDS:
        raise invalid(field, seconds, "It must be between 30 seconds and 120 days.")
    if action is None:
        raise invalid(field, seconds, "An instance termination action must go with it.")
