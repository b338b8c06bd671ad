"""How Compute Engine says that there will be no machine: at once, or by the operation."""

from typing import NamedTuple

from tests.cloud.compute_engine.calls import Call
from tests.cloud.compute_engine.outcomes import Fate
from tests.cloud.compute_engine.replies import JSON, RefusedError

_QUOTA = "Quota 'CPUS' exceeded.  Limit: 24.0 in region europe-west1."
_EXHAUSTED = (
    "The zone 'projects/{project}/zones/{zone}' does not have enough resources available to"
    " fulfill the request.  Try a different zone, or try again later."
)


class Answer(NamedTuple):
    """A status of HTTP (None when there is none), a word for programs, and one for people."""

    status: int | None
    code: str
    message: str


_AT_ONCE = {
    Fate.DENIED: Answer(
        403,
        "forbidden",
        "Required 'compute.instances.create' permission for"
        " 'projects/{project}/zones/{zone}/instances/{name}'",
    ),
    Fate.DISABLED: Answer(
        403,
        "accessNotConfigured",
        "Compute Engine API has not been used in project {project} before or it is disabled.",
    ),
    Fate.NO_ACCOUNT: Answer(
        403,
        "forbidden",
        "The user does not have access to service account '{account}'."
        "  User: 'somebody@example.com'.  Ask a project owner to grant you the"
        " iam.serviceAccountUser role on the service account",
    ),
    Fate.NO_IMAGE: Answer(404, "notFound", "The resource '{image}' was not found"),
    Fate.NO_SUBNETWORK: Answer(
        404, "notFound", "The resource 'projects/{project}/{subnetwork}' was not found"
    ),
    Fate.RATE_LIMIT: Answer(403, "rateLimitExceeded", "Rate Limit Exceeded"),
    Fate.UNAVAILABLE: Answer(503, "backendError", "Service temporarily unavailable."),
    Fate.QUOTA_AT_ONCE: Answer(403, "quotaExceeded", _QUOTA),
}
_BY_OPERATION = {
    Fate.STOCK_OUT: Answer(503, "ZONE_RESOURCE_POOL_EXHAUSTED", _EXHAUSTED),
    Fate.STOCK_OUT_WITHOUT_STATUS: Answer(None, "ZONE_RESOURCE_POOL_EXHAUSTED", _EXHAUSTED),
    Fate.STOCK_OUT_WITH_DETAILS: Answer(
        503, "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", _EXHAUSTED
    ),
    Fate.RECLAIMED: Answer(400, "UNSUPPORTED_OPERATION", "Instance '{name}' was preempted."),
    Fate.QUOTA: Answer(403, "QUOTA_EXCEEDED", _QUOTA),
    Fate.INTERNAL: Answer(500, "INTERNAL_ERROR", "Internal error. Please try again."),
}
_MESSAGES = {
    400: "BAD REQUEST",
    403: "FORBIDDEN",
    500: "INTERNAL SERVER ERROR",
    503: "SERVICE UNAVAILABLE",
}


def refuse_at_once(fate: Fate, call: Call) -> None:
    """Raise `RefusedError` when an insertion is to be refused before anything is done."""
    answer = _AT_ONCE.get(fate)
    if answer is None:
        return
    message = answer.message.format(**_names(call))
    details = [_disabled(call.parts["project"])] if fate is Fate.DISABLED else []
    raise RefusedError(answer.status or 0, answer.code, message, details)


def operation_error(fate: Fate, call: Call) -> JSON:
    """What the operation of an insertion says when it fails; nothing when it does not."""
    answer = _BY_OPERATION.get(fate)
    if answer is None:
        return {}
    said: JSON = {"code": answer.code, "message": answer.message.format(**_names(call))}
    if fate is Fate.STOCK_OUT_WITH_DETAILS:
        said["errorDetails"] = [{"errorInfo": _availability(call)}]
    error: JSON = {"error": {"errors": [said]}}
    if answer.status:
        error["httpErrorStatusCode"] = answer.status
        error["httpErrorMessage"] = _MESSAGES[answer.status]
    return error


def _names(call: Call) -> dict[str, str]:
    body = call.body
    return {
        "project": call.parts["project"],
        "zone": call.zone,
        "name": body["name"],
        "account": body.get("serviceAccounts", [{}])[0].get("email", ""),
        "image": body["disks"][0]["initializeParams"]["sourceImage"],
        "subnetwork": body["networkInterfaces"][0]["subnetwork"],
    }


def _disabled(project: str) -> JSON:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "SERVICE_DISABLED",
        "domain": "googleapis.com",
        "metadata": {"service": "compute.googleapis.com", "consumer": f"projects/{project}"},
    }


def _availability(call: Call) -> JSON:
    machine_type = call.body["machineType"].rpartition("/")[2]
    return {
        "reason": "resource_availability",
        "domain": "compute.googleapis.com",
        "metadatas": {"zone": call.zone, "vmType": machine_type, "attachment": ""},
    }
