"""What machines themselves ask for, each below an address of its own: /machines/ID.

Their metadata server, their container engine, and Compute Engine's API, by which they delete
themselves.
"""

import re
from collections.abc import Mapping

from tests.cloud.compute_engine.containers import EngineError
from tests.cloud.compute_engine.engine import Engine
from tests.cloud.compute_engine.machines import Machine
from tests.cloud.compute_engine.operations import Operation
from tests.cloud.compute_engine.replies import JSON, RefusedError, not_found

_METADATA, _DOCKER = "/computeMetadata/v1/", "/docker/"


class Rooms:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: JSON) -> JSON | str:
        """Raises `RefusedError`."""
        matched = re.fullmatch(r"/machines/(\d+)(/.*)", path)
        machine = matched and self._find(int(matched[1]))
        if not machine:
            raise not_found(path)
        headers = {name.lower(): value for name, value in headers.items()}
        asked = matched[2]
        if method == "GET" and asked.startswith(_METADATA):
            return machine.metadata.answer(asked.removeprefix(_METADATA), headers)
        if method == "POST" and asked.startswith(_DOCKER):
            return _docker(machine, asked.removeprefix(_DOCKER), body)
        if method == "DELETE" and asked == f"/compute/v1/{machine.path}":
            return self._delete(machine, headers.get("authorization", ""))
        raise not_found(path)

    def _find(self, number: int) -> Machine | None:
        return next((each for each in self._engine.history if each.id == number), None)

    def _delete(self, machine: Machine, authorization: str) -> JSON:
        account = machine.instance.get("serviceAccounts", [{}])[0].get("email", "")
        operation = Operation("delete", machine.path, machine.id, user=account)
        if not machine.delete_itself(authorization, operation):
            message = f"The resource '{machine.path}' is not ready"
            raise RefusedError(400, "resourceNotReady", message)
        return self._engine.operations.begin(operation).as_json()


def _docker(machine: Machine, verb: str, body: JSON) -> JSON:
    try:
        return {"said": machine.host.answer_docker(verb, body)}
    except EngineError as error:
        raise RefusedError(409, "conflict", str(error)) from None
