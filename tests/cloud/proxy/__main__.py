"""The proxy: in front of every server of the cloud, it keeps a log and makes faults.

    python -m tests.cloud.proxy --control PORT SERVICE=PORT:PORT_BEHIND ...

It speaks HTTP/1.1 on 127.0.0.1 and passes messages on whole, so a body should fit into memory.
Two services may have one server behind them: then log and rules tell two kinds of its clients
apart. The storage server is named first as `storage`.
"""

import argparse
import json
import threading
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from tests.cloud.proxy.checksums import Checksums
from tests.cloud.proxy.doors import Door, Server
from tests.cloud.proxy.faults import Fault, Rules
from tests.cloud.proxy.log import Log
from tests.cloud.proxy.messages import Reply, Request, error, send
from tests.cloud.proxy.permissions import Permissions
from tests.cloud.proxy.preconditions import Preconditions

Relay = Callable[[Request], Reply]


def front(service: str, relay: Relay, rules: Rules, log: Log) -> type[Door]:
    """What clients of `service` talk to."""

    class Front(Door):
        def handle_request(self) -> None:
            request = self.read()
            fault, opened = rules.pick(service, f"{request.method} {request.target}")
            entry = log.begin(service, request, asdict(fault) if fault else None)
            try:
                reply = meet(fault, opened, request, relay)
            except Exception:  # noqa: BLE001 - without an answer, clients ask again for minutes
                reply = error(501, f"The tests' proxy failed: {traceback.format_exc()}")
            entry.end(reply and reply.status, len(reply.body) if reply else 0)
            if reply is None:
                self.reset()
            else:
                self.write(reply)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

    return Front


def meet(
    fault: Fault | None, opened: threading.Event, request: Request, relay: Relay
) -> Reply | None:
    """The reply that the client gets; None when it gets none."""
    if fault is None:
        return relay(request)
    reply = relay(request) if fault.after else None
    opened.wait(None if fault.hold else fault.delay_seconds)
    if fault.reset or fault.hold:
        return None
    if fault.status:
        return error(fault.status, fault.message or "A fault of the tests' proxy.", fault.reason)
    if reply is None:
        return relay(request.spoiled if fault.spoil else request)
    return reply.spoiled if fault.spoil else reply


def control(rules: Rules, log: Log) -> type[Door]:
    """What the tests talk to: GET and DELETE of /log and /rules, POST of a rule to /rules."""

    class Control(Door):
        def give(self) -> None:
            self._answer(log.as_json() if self.path == "/log" else rules.as_json())

        def forget(self) -> None:
            (log if self.path == "/log" else rules).clear()
            self._answer({})

        def take(self) -> None:
            rules.add(**json.loads(self.read().body))
            self._answer({})

        def _answer(self, told: Any) -> None:
            body = json.dumps(told).encode()
            self.write(Reply(200, [("Content-Type", "application/json")], body))

        do_GET, do_DELETE, do_POST = give, forget, take  # noqa: N815

    return Control


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--control", type=int, required=True)
    options.add_argument("services", nargs="+", metavar="SERVICE=PORT:PORT_BEHIND")
    given = options.parse_args()
    rules, log = Rules(), Log()
    relays: dict[int, Relay] = {}
    for each in given.services:
        service, _, ports = each.partition("=")
        port, behind = map(int, ports.split(":"))
        relay = relays.setdefault(behind, relay_to(service, behind))
        server = Server(("127.0.0.1", port), front(service, relay, rules, log))
        threading.Thread(target=server.serve_forever, daemon=True).start()
    Server(("127.0.0.1", given.control), control(rules, log)).serve_forever()


def relay_to(service: str, behind: int) -> Relay:
    def forward(request: Request) -> Reply:
        return send(request, behind)

    if service != "storage":
        return forward
    return Preconditions(Permissions(Checksums(forward).relay).relay).relay


if __name__ == "__main__":
    main()
