"""What Compute Engine's refusals mean, and what a person can do about each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Self

from google.api_core import exceptions
from google.cloud import compute_v1

from pipeline.compute.google.places import Place
from pipeline.errors import ComputeError, MachineRefusedError, NoCapacityError
from pipeline.records import Request


class Meaning(Enum):
    """What follows from a refusal. BUSY may be gone when the same is asked again."""

    NO_CAPACITY = auto()
    QUOTA = auto()
    BUSY = auto()
    EXISTS = auto()
    FINAL = auto()


# The last one is what the insertion of a Spot machine says that was reclaimed while it was made.
_NO_CAPACITY = re.compile(
    r".*_RESOURCE_POOL_EXHAUSTED(_WITH_DETAILS)?|RESOURCE_POOL_EXHAUSTED|STOCKOUT"
    r"|insufficientCapacity|UNSUPPORTED_OPERATION"
)
_QUOTA = re.compile(r"quotaExceeded|QUOTA_EXCEEDED|dailyLimitExceeded")
_BUSY = re.compile(
    r"(user)?[rR]ateLimitExceeded|RATE_LIMIT_EXCEEDED|.*[oO]perationRateExceeded"
    r"|RESOURCE_OPERATION_RATE_EXCEEDED|resourceNotReady|RESOURCE_NOT_READY|INTERNAL_ERROR"
)
_EXISTS = re.compile(r"alreadyExists|RESOURCE_ALREADY_EXISTS")

# What is said, by a reason or in words, and what a person can do about it. The first that fits.
_REMEDIES = (
    (
        "accessNotConfigured|SERVICE_DISABLED",
        "Type `gcloud services enable compute.googleapis.com --project={project}`.",
    ),
    ("billing", "Switch billing on for the project {project}."),
    (
        "actAs|access to service account",
        "Type `gcloud iam service-accounts add-iam-policy-binding {account} --project={project}"
        " --member=MEMBER --role=roles/iam.serviceAccountUser`.",
    ),
    (
        r"compute\.subnetworks\.",
        "Type `gcloud projects add-iam-policy-binding PROJECT --member=MEMBER"
        " --role=roles/compute.networkUser`, where PROJECT is the one that has the subnetwork.",
    ),
    ("cos-cloud|trustedImageProjects", "Let the project {project} use images of cos-cloud."),
    ("constraints/", "Ask those who keep the organization's policies."),
    ("service ?account", "Correct service_account under [compute_engine] in luigi.cfg."),
    ("subnetwork|network", "Correct subnetwork under [compute_engine] in luigi.cfg."),
    (
        "machine ?type",
        "Correct machine_type under [{action}], or zones under [compute_engine], in luigi.cfg.",
    ),
    ("disk ?size", "Correct disk_size_gb under [{action}] in luigi.cfg."),
    ("unknown zone|/zones/[^/]+' was not", "Correct zones under [compute_engine] in luigi.cfg."),
)


@dataclass(frozen=True)
class Refusal:
    """Why something was not done: the status of HTTP (0 if none), words for machines, a message."""

    status: int
    reasons: Sequence[str]
    message: str

    @classmethod
    def of_reply(cls, error: exceptions.GoogleAPICallError) -> Self:
        said = [each for each in error.errors if isinstance(each, dict)]
        reasons = [str(each["reason"]) for each in said if "reason" in each]
        messages = [str(each["message"]) for each in said if each.get("message")]
        if error.reason:
            reasons.append(error.reason)
        return cls(int(error.code or 0), reasons, _line(messages[0] if messages else error.message))

    @classmethod
    def of_operation(cls, operation: compute_v1.Operation) -> Self | None:
        """None when the operation ended well, which the absence of a status does not mean."""
        errors = operation.error.errors
        if not errors and operation.http_error_status_code < 400:
            return None
        messages = [each.message or each.code for each in errors]
        return cls(
            operation.http_error_status_code,
            [each.code for each in errors],
            _line("; ".join(messages) or operation.http_error_message),
        )

    @property
    def meaning(self) -> Meaning:
        for pattern, meaning in (
            (_NO_CAPACITY, Meaning.NO_CAPACITY),
            (_QUOTA, Meaning.QUOTA),
            (_BUSY, Meaning.BUSY),
            (_EXISTS, Meaning.EXISTS),
        ):
            if any(pattern.fullmatch(reason) for reason in self.reasons):
                return meaning
        return Meaning.BUSY if self.status in (408, 429) or self.status >= 500 else Meaning.FINAL

    def explain(self, request: Request) -> ComputeError:
        """The error for a machine that was not made."""
        place = Place.parse(request.machine)
        # A busy operation has ended, and the same request would get the same operation again.
        if self.meaning in (Meaning.NO_CAPACITY, Meaning.BUSY):
            return NoCapacityError(
                f"{place.zone} can't give a {_kind(request)} now: {self}. Name more zones under"
                " [compute_engine] in luigi.cfg, or another machine_type or provisioning_model"
                f" under [{request.action}]."
            )
        return MachineRefusedError(f"{place} is refused: {self}. {self._remedy(request, place)}")

    def _remedy(self, request: Request, place: Place) -> str:
        project, account = place.project, request.spec["service_account"]
        if self.meaning is Meaning.QUOTA:
            return (
                "Ask for more at"
                f" https://console.cloud.google.com/iam-admin/quotas?project={project}, or set a"
                f" smaller machine_type under [{request.action}] in luigi.cfg, or let fewer jobs"
                " run at once (workers under [core])."
            )
        said = " ".join([self.message, *self.reasons])
        for pattern, remedy in _REMEDIES:
            if re.search(pattern, said, re.IGNORECASE):
                return remedy.format(project=project, account=account, action=request.action)
        if self.status == HTTPStatus.FORBIDDEN:
            return permit(place)
        return "Correct [compute_engine] in luigi.cfg."

    def __str__(self) -> str:
        words = ", ".join(dict.fromkeys(self.reasons))
        return f"{self.message} ({words})" if words else self.message


def say(error: BaseException | None) -> str:
    """What an error says, in one line and, if it is a reply, without the address that was asked."""
    if isinstance(error, exceptions.GoogleAPICallError):
        return str(Refusal.of_reply(error))
    return _line(str(error)) or type(error).__name__


def permit(place: Place) -> str:
    """What gives the permission to make, see and delete machines: a sentence."""
    return (
        f"Type `gcloud projects add-iam-policy-binding {place.project} --member=MEMBER"
        " --role=roles/compute.instanceAdmin.v1`."
    )


def _kind(request: Request) -> str:
    return f"{request.spec['provisioning_model']} {request.spec['machine_type']}"


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")
