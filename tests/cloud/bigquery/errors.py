"""What a job failed of: cloud.google.com/bigquery/docs/error-messages."""

from typing import Any

from bqemulator.domain.errors import DomainError, ErrorDetail

# HTTP status by reason, as the client has it too.
_STATUSES = {"notFound": 404, "duplicate": 409, "accessDenied": 403}


class JobError(DomainError):
    """A job that failed of several things: pairs of a message and where, such as a file."""

    http_status = 400

    def __init__(self, reason: str, problems: list[tuple[str, str]]) -> None:
        super().__init__(problems[0][0])
        self.reason = reason
        self.problems = problems


def told(error: DomainError) -> list[dict[str, Any]]:
    """The error as a job's status has it; the first is what it failed of."""
    if isinstance(error, JobError):
        return [
            {"reason": error.reason, "message": message, "location": location}
            for message, location in error.problems
        ]
    location = {"location": error.location} if error.location else {}
    return [{"reason": error.bq_reason, "message": error.message, **location}]


class FailedJobError(DomainError):
    """What is answered to who asks for the results of a job that failed."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        details = [
            ErrorDetail(each["reason"], each["message"], location=each.get("location"))
            for each in problems
        ]
        super().__init__(problems[0]["message"], details=details)
        self.http_status = _STATUSES.get(problems[0]["reason"], 400)
