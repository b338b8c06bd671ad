"""The tests' end of the proxy: its log, and the faults that it makes."""

import http.client
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload


def ask(port: int, method: str, path: str, body: object = None) -> Any:
    """What a server of ours answers; raises `RuntimeError` when that is an error."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        told = reply.read()
    finally:
        connection.close()
    if reply.status != 200:
        raise RuntimeError(f"{method} {path} was answered {reply.status}: {told.decode()}")
    return json.loads(told)


@dataclass(frozen=True)
class Recorded:
    """A request that reached the proxy; see `tests.cloud.proxy.log.Entry`."""

    service: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str
    size: int
    fault: dict[str, Any] | None
    status: int | None
    reply_size: int
    seconds: float
    started: float

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path} {self.query} -> {self.status}"

    @property
    def json(self) -> Any:
        """The JSON that was sent; of an upload its metadata."""
        return json.loads(self.body)


class Requests(Sequence[Recorded]):
    """All requests since the last `clear`, in the order of arrival; asked for at each use."""

    def __init__(self, control: int) -> None:
        self._control = control

    def clear(self) -> None:
        ask(self._control, "DELETE", "/log")

    def to(self, service: str, pattern: str = "") -> list[Recorded]:
        """Those to services called `service`, a regex, whose "METHOD /path" `pattern` finds."""
        found = (each for each in self if re.fullmatch(service, each.service))
        return [each for each in found if re.search(pattern, f"{each.method} {each.path}")]

    def __iter__(self) -> Iterator[Recorded]:
        return (Recorded(**each) for each in ask(self._control, "GET", "/log"))

    def __len__(self) -> int:
        return len(list(iter(self)))

    @overload
    def __getitem__(self, index: int) -> Recorded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Recorded]: ...
    def __getitem__(self, index: int | slice) -> Recorded | list[Recorded]:
        return list(self)[index]

    def __repr__(self) -> str:
        return "\n".join(map(str, self))


class Faults:
    """Rules for what goes wrong. Each counts the requests that it matches for itself."""

    def __init__(self, control: int) -> None:
        self._control = control

    def add(
        self,
        match: str,
        *,
        service: str = "",
        nth: int | Sequence[int] = (),
        every: int = 1,
        times: int | None = None,
        **fault: Any,
    ) -> None:
        """Let requests whose "METHOD /path?query" the regex `match` finds suffer a fault.

        Parameters
        ----------
        service : str
            "storage", "bigquery", "compute" or "machines", or several with | between them; all
            when empty.
        nth, every, times :
            Which of them: the n-th (counted from 1), each `every`-th, and how many at most.
        fault :
            `status=503` is answered, with `reason=` and `message=` when they are given;
            `reset=True` resets the connection; `spoil=True` changes a byte of the content;
            `delay_seconds=2` waits first; `hold=True` lets the request stand until `clear`. This
            comes before the server's work, or with `after=True` once the work is done: the reply
            is lost.
        """
        chosen = [nth] if isinstance(nth, int) else list(nth)
        rule = {"match": match, "service": service, "nth": chosen, "every": every, "times": times}
        ask(self._control, "POST", "/rules", {**rule, "faults": [fault]})

    def add_at_random(
        self,
        probability: float,
        seed: int,
        *,
        match: str = "",
        service: str = "",
        delay_seconds: float = 2.0,
    ) -> None:
        """Let each request fail with `probability`, in one of seven ways that are as likely.

        429, 500 or 503, a reset before the work, a delay, and, unless the request is a chunk of a
        resumable upload, a reply lost after the work: a reset or 503. The same seed gives the
        same faults to the same sequence of requests.
        """
        faults = [
            {"status": 429},
            {"status": 500},
            {"status": 503},
            {"reset": True},
            {"delay_seconds": delay_seconds},
            {"reset": True, "after": True},
            {"status": 503, "after": True},
        ]
        rule = {"match": match, "service": service, "probability": probability, "seed": seed}
        ask(self._control, "POST", "/rules", {**rule, "faults": faults})

    def clear(self) -> None:
        """Forget the rules. Requests that are held lose their connections."""
        ask(self._control, "DELETE", "/rules")

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules in force: `seen`, how many requests each matched, and its `hits`."""
        rules: list[dict[str, Any]] = ask(self._control, "GET", "/rules")
        return rules

    @property
    def hits(self) -> int:
        """How many requests suffered a fault by the rules in force."""
        return sum(rule["hits"] for rule in self.rules)
