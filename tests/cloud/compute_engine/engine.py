"""Compute Engine's state and what can be asked of it. It is forgotten with the process."""

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.cloud.compute_engine.calls import Call
from tests.cloud.compute_engine.checks import check_insertion
from tests.cloud.compute_engine.filters import matches
from tests.cloud.compute_engine.machines import DELETE, Machine
from tests.cloud.compute_engine.operations import Operation, Operations
from tests.cloud.compute_engine.outcomes import Fate, Outcomes
from tests.cloud.compute_engine.refusals import operation_error, refuse_at_once
from tests.cloud.compute_engine.replies import JSON, RefusedError, invalid, link, not_found
from tests.cloud.compute_engine.world import World

_PROJECT = r"/compute/v1/projects/(?P<project>[^/]+)"
_SUBNETWORK = rf"{_PROJECT}/regions/(?P<region>[^/]+)/subnetworks/(?P<name>[^/]+)"
_ZONE = rf"{_PROJECT}/zones/(?P<zone>[^/]+)"
_MACHINE = rf"{_ZONE}/instances/(?P<name>[^/]+)"
_OPERATION = rf"{_ZONE}/operations/(?P<name>[^/]+)"
# Parameters that every method takes.
_ALWAYS = {"$alt", "alt", "fields", "prettyPrint", "key"}
_LONGEST_WAIT_SECONDS = 120.0
_PAGE = 500


class LostReplyError(Exception):
    """The work is done, and nobody hears of it."""


@dataclass
class Engine:
    """The machines and operations of all projects."""

    world: World
    outcomes: Outcomes = field(default_factory=Outcomes)
    operations: Operations = field(default_factory=Operations)
    machines: dict[str, Machine] = field(default_factory=dict)
    history: list[Machine] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def insert(self, call: Call) -> JSON:
        check_insertion(call.zone, call.query, call.body)
        path = f"{call.zone_path}/instances/{call.body['name']}"
        request_id = call.query.get("requestId")
        with self.lock:
            known = self.operations.of_request(call.zone_path, request_id)
            if known:
                return known.as_json()
            if path in self.machines:
                message = f"The resource '{path}' already exists"
                raise RefusedError(409, "alreadyExists", message)
            outcome = self.outcomes.take(call.zone, call.body["name"])
            refuse_at_once(outcome.fate, call)
            error = operation_error(outcome.fate, call)
            machine = Machine(
                path, call.body, outcome, error, self.world, self.operations, self._remove
            )
            operation = self.operations.begin(Operation("insert", path, machine.id, request_id))
            self.machines[path] = machine
            self.history.append(machine)
        machine.start(operation)
        if outcome.fate is Fate.LOST_REPLY:
            raise LostReplyError
        return operation.as_json()

    def get(self, call: Call) -> JSON:
        return self._find(call).as_json()

    def delete(self, call: Call) -> JSON:
        machine = self._find(call)
        operation = Operation("delete", machine.path, machine.id, call.query.get("requestId"))
        if not machine.end(DELETE, operation):
            message = f"The resource '{machine.path}' is not ready"
            raise RefusedError(400, "resourceNotReady", message)
        return self.operations.begin(operation).as_json()

    def serial_port(self, call: Call) -> JSON:
        port, start = call.query.get("port", "1"), int(call.query.get("start", 0))
        if port not in ("1", "2", "3", "4"):
            raise invalid("port", port, "Ports are 1 to 4.")
        machine = self._find(call)
        content = machine.read_console() if port == "1" else b""
        start = max(0, len(content) + start) if start < 0 else start
        return {
            "kind": "compute#serialPortOutput",
            "contents": content[start:].decode(errors="replace"),
            "start": str(start),
            "next": str(len(content)),
            "selfLink": link(f"{machine.path}/serialPort"),
        }

    def list_machines(self, call: Call) -> JSON:
        found = [each.as_json() for each in self._in(f"{call.zone_path}/")]
        return {"kind": "compute#instanceList", **_page(found, call.query)}

    def aggregated_list(self, call: Call) -> JSON:
        zones: dict[str, JSON] = {"zones/europe-west1-b": {}, "zones/us-central1-a": {}}
        for machine in self._in(f"projects/{call.parts['project']}/"):
            if matches(machine.as_json(), call.query.get("filter", "")):
                zone = zones.setdefault("/".join(machine.path.split("/")[2:4]), {})
                zone.setdefault("instances", []).append(machine.as_json())
        for name, zone in zones.items():
            if not zone:
                message = f"There are no results for scope '{name}' on this page."
                zone["warning"] = {"code": "NO_RESULTS_ON_PAGE", "message": message}
        return {"kind": "compute#instanceAggregatedList", "items": zones}

    def get_subnetwork(self, call: Call) -> JSON:
        """There is `default`, from which Google is reached, and `closed`, from which it is not."""
        name = call.parts["name"]
        if name not in ("default", "closed"):
            raise not_found(
                "projects/{project}/regions/{region}/subnetworks/{name}".format(**call.parts)
            )
        return {
            "kind": "compute#subnetwork",
            "name": name,
            "privateIpGoogleAccess": name == "default",
        }

    def list_operations(self, call: Call) -> JSON:
        found = [each.as_json() for each in self.operations.of_zone(call.zone_path)]
        return {"kind": "compute#operationList", **_page(found, call.query)}

    def get_operation(self, call: Call) -> JSON:
        return self._find_operation(call).as_json()

    def wait(self, call: Call) -> JSON:
        operation = self._find_operation(call)
        self.operations.wait(operation, _LONGEST_WAIT_SECONDS)
        return operation.as_json()

    def answer(self, method: str, path: str, query: Mapping[str, str], body: JSON) -> JSON:
        """What a request gets. Raises `RefusedError`, or `LostReplyError` when the work is done."""
        for verb, pattern, names, act in self._routes():
            matched = re.fullmatch(pattern, path)
            if matched and verb == method:
                unknown = query.keys() - names - _ALWAYS
                if unknown:
                    message = f"Invalid query parameters: {', '.join(sorted(unknown))}"
                    raise RefusedError(400, "badRequest", message)
                return act(Call(matched.groupdict(), query, body))
        raise not_found(f"{method} {path}")

    def _routes(self) -> Sequence[tuple[str, str, set[str], Callable[[Call], JSON]]]:
        some = {"filter", "maxResults", "pageToken", "orderBy"}
        return (
            ("POST", f"{_ZONE}/instances", {"requestId"}, self.insert),
            ("GET", f"{_ZONE}/instances", some, self.list_machines),
            ("GET", _MACHINE, set(), self.get),
            ("DELETE", _MACHINE, {"requestId"}, self.delete),
            ("GET", f"{_MACHINE}/serialPort", {"port", "start"}, self.serial_port),
            ("GET", f"{_PROJECT}/aggregated/instances", some, self.aggregated_list),
            ("GET", _SUBNETWORK, set(), self.get_subnetwork),
            ("GET", f"{_ZONE}/operations", some, self.list_operations),
            ("GET", _OPERATION, set(), self.get_operation),
            ("POST", f"{_OPERATION}/wait", set(), self.wait),
        )

    def _in(self, folder: str) -> list[Machine]:
        with self.lock:
            return [each for path, each in self.machines.items() if path.startswith(folder)]

    def _find(self, call: Call) -> Machine:
        path = f"{call.zone_path}/instances/{call.parts['name']}"
        with self.lock:
            if path not in self.machines:
                raise not_found(path)
            return self.machines[path]

    def _find_operation(self, call: Call) -> Operation:
        found = self.operations.find(call.zone_path, call.parts["name"])
        if found is None:
            raise not_found(f"{call.zone_path}/operations/{call.parts['name']}")
        return found

    def _remove(self, machine: Machine) -> None:
        with self.lock:
            del self.machines[machine.path]


def _page(found: list[JSON], query: Mapping[str, str]) -> JSON:
    chosen = [each for each in found if matches(each, query.get("filter", ""))]
    begin, size = int(query.get("pageToken", 0)), int(query.get("maxResults", _PAGE))
    page: JSON = {"items": chosen[begin : begin + size]}
    if begin + size < len(chosen):
        page["nextPageToken"] = str(begin + size)
    return page
