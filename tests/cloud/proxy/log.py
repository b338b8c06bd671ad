"""The log: every request that reached the proxy, in the order of arrival."""

import threading
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.cloud.proxy.messages import Request

_BODY_LIMIT = 64_000


@dataclass
class Entry:
    """A request; `status` is what the client saw, and null before that and after a reset.

    `body` is the JSON that was sent: of an upload its metadata, never the content. Sizes are
    bytes of bodies, `seconds` the time until the reply.
    """

    service: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    size: int
    fault: dict[str, Any] | None
    status: int | None = None
    reply_size: int = 0
    seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def end(self, status: int | None, reply_size: int) -> None:
        self.seconds = time.monotonic() - self.started
        self.reply_size = reply_size
        self.status = status


class Log:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []

    def begin(self, service: str, request: Request, fault: dict[str, Any] | None) -> Entry:
        entry = Entry(
            service=service,
            method=request.method,
            path=request.url.path,
            query=request.query,
            headers={name.lower(): value for name, value in request.headers},
            body=request.told[:_BODY_LIMIT],
            size=len(request.body),
            fault=fault,
        )
        with self._lock:
            self._entries.append(entry)
        return entry

    def as_json(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
