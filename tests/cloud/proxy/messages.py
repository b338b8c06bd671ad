"""Requests and replies as the proxy passes them on, whole, and the errors that it answers."""

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qs, urlsplit

Headers = Sequence[tuple[str, str]]

# Of one connection, not of the message: RFC 9110, section 7.6.1.
_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
_OURS = _HOP | {"content-length"}
_PATIENCE_SECONDS = 300.0

# BigQuery's client asks again by reason, not by status:
# cloud.google.com/bigquery/docs/error-messages
_REASONS = {
    400: "invalid",
    403: "accessDenied",
    404: "notFound",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
    500: "internalError",
    502: "backendError",
    503: "backendError",
    504: "backendError",
}


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: Headers
    body: bytes

    @property
    def url(self) -> SplitResult:
        return urlsplit(self.target)

    @property
    def query(self) -> dict[str, str]:
        """The last value of each parameter."""
        found = parse_qs(self.url.query, keep_blank_values=True)
        return {name: values[-1] for name, values in found.items()}

    @property
    def told(self) -> str:
        """The JSON that was sent: of an upload its metadata; else empty."""
        kind, body = self.header("content-type"), self.body
        if "upload_id" in self.query or self.query.get("uploadType") == "media":
            return ""
        if kind.startswith("multipart/related"):
            # Metadata comes first: cloud.google.com/storage/docs/uploading-objects (REST APIs)
            boundary = b"--" + kind.partition("boundary=")[2].strip("'\"").encode()
            kind, body = "application/json", body.split(boundary)[1].partition(b"\r\n\r\n")[2]
        return body.decode().strip() if kind.startswith("application/json") else ""

    @property
    def spoiled(self) -> "Request":
        """The same with another last byte of the content."""
        multipart = self.header("content-type").startswith("multipart/")
        end = self.body.rfind(b"\r\n--") if multipart else len(self.body)
        return replace(self, body=_spoil(self.body, end))

    def header(self, name: str) -> str:
        return _find(self.headers, name)


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Headers
    body: bytes

    @property
    def spoiled(self) -> "Reply":
        """The same with another last byte."""
        return replace(self, body=_spoil(self.body, len(self.body)))

    def header(self, name: str) -> str:
        return _find(self.headers, name)


def error(status: int, message: str, reason: str = "") -> Reply:
    """An error as Google's services write them."""
    reason = reason or _REASONS.get(status, "unknown")
    told = {"message": message, "reason": reason, "domain": "global"}
    body = {"error": {"code": status, "message": message, "errors": [told]}}
    return Reply(status, [("Content-Type", "application/json")], json.dumps(body).encode())


def send(request: Request, port: int) -> Reply:
    """What the server at `port` of this machine answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    try:
        connection.putrequest(
            request.method, request.target, skip_host=True, skip_accept_encoding=True
        )
        for name, value in _passed_on(request.headers):
            connection.putheader(name, value)
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(request.body)))
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        body = answer.read()
        # A server that tells clients where to go on must lead them back to this door.
        hidden, door = f"http://127.0.0.1:{port}", f"http://{request.header('host')}"
        told = [(name, text.replace(hidden, door)) for name, text in answer.getheaders()]
        return Reply(answer.status, _passed_on(told), body.replace(hidden.encode(), door.encode()))
    except OSError as failure:
        return error(502, f"The server behind the proxy does not answer: {failure}")
    finally:
        connection.close()


def _passed_on(headers: Headers) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _OURS]


def _spoil(body: bytes, end: int) -> bytes:
    if end < 1:
        return body
    return body[: end - 1] + bytes([body[end - 1] ^ 1]) + body[end:]


def _find(headers: Headers, name: str) -> str:
    return next((value for key, value in headers if key.lower() == name.lower()), "")
