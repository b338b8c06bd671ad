"""What Compute Engine answers: refusals, operations, and the addresses in them."""

import datetime
from typing import Any

ROOT = "https://www.googleapis.com/compute/v1"
JSON = dict[str, Any]


class RefusedError(Exception):
    """A request that gets an error for an answer.

    `details` are those of google.rpc, as the body has them beside the list of errors.
    """

    def __init__(
        self, status: int, reason: str, message: str, details: list[JSON] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message
        self.details = details or []

    def body(self) -> JSON:
        said = {"message": self.message, "domain": "global", "reason": self.reason}
        error: JSON = {"code": self.status, "message": self.message, "errors": [said]}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def not_found(path: str) -> RefusedError:
    return RefusedError(404, "notFound", f"The resource '{path}' was not found")


def invalid(field: str, value: object, why: str) -> RefusedError:
    return RefusedError(400, "invalid", f"Invalid value for field '{field}': '{value}'. {why}")


def link(path: str) -> str:
    return f"{ROOT}/{path}"


def moment() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
