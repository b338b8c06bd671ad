"""What tests tell the server beside the API, and what they ask: `remote` is their end of it."""

import time
from collections.abc import Mapping
from pathlib import Path

from tests.cloud.compute_engine.engine import Engine
from tests.cloud.compute_engine.machines import DELETE, Machine
from tests.cloud.compute_engine.outcomes import Fate, Outcome
from tests.cloud.compute_engine.replies import JSON, not_found

_PATIENCE_SECONDS = 30.0
_TOLD = ("path", "id", "status", "ended_by", "instance")


class Control:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._beginning = dict(vars(engine.world))

    def answer(self, method: str, path: str, query: Mapping[str, str], body: JSON) -> JSON:
        """Raises `RefusedError` when there is no such thing to ask."""
        match method, path:
            case "GET", "/healthz":
                return {}
            case "GET", "/control/machines":
                return {"machines": [_tell(each) for each in self._engine.history]}
            case "POST", "/control/outcomes":
                self._engine.outcomes.add(Outcome(**body))
            case "POST", "/control/world":
                self._change_world(**body)
            case "POST", "/control/end":
                self._engine.machines[body["machine"]].end(body["reason"])
            case "POST", "/control/harm":
                self._engine.machines[body["machine"]].host.suffer(Fate(body["harm"]))
            case "POST", "/control/status":
                self._engine.machines[body["machine"]].status = body["status"]
            case "DELETE", "/control":
                self._clear()
            case _:
                raise not_found(f"{method} {path}")
        return {}

    def _change_world(self, **changes: object) -> None:
        for name, value in changes.items():
            kind = Path if name == "prediction" else type(getattr(self._engine.world, name))
            setattr(self._engine.world, name, kind(value))

    def _clear(self) -> None:
        """End all machines, and forget what was and what was to be."""
        engine, end = self._engine, time.monotonic() + _PATIENCE_SECONDS
        engine.outcomes.clear()
        vars(engine.world).update(self._beginning)
        while engine.machines and time.monotonic() < end:
            for machine in list(engine.machines.values()):
                machine.end(DELETE)
            time.sleep(0.01)
        engine.history.clear()


def _tell(machine: Machine) -> JSON:
    told = {name: getattr(machine, name) for name in _TOLD}
    return {**told, "token": machine.metadata.token}
