"""The tests' end of the server: what is to become of machines, and what became of them."""

from typing import Any

from tests.cloud.remote import ask


class ComputeEngine:
    """A server of `tests.cloud.compute_engine` at `port` of this machine."""

    def __init__(self, port: int) -> None:
        self.port = port

    def let(self, fate: str, **rule: Any) -> None:
        """Have the next machine come to this: see `outcomes.Outcome`."""
        ask(self.port, "POST", "/control/outcomes", {"fate": fate, **rule})

    def change(self, **world: Any) -> None:
        """What machines are made in from now on: see `machines.World`."""
        ask(self.port, "POST", "/control/world", world)

    def end(self, machine: str, reason: str) -> None:
        """Have a machine "preempted", "vanished" or "stopped" now."""
        ask(self.port, "POST", "/control/end", {"machine": machine, "reason": reason})

    def harm(self, machine: str, harm: str) -> None:
        """Have a machine "hung", its "boot script killed" or its container "out of memory" now."""
        ask(self.port, "POST", "/control/harm", {"machine": machine, "harm": harm})

    def pretend(self, machine: str, status: str) -> None:
        """Have a machine that runs show another status."""
        ask(self.port, "POST", "/control/status", {"machine": machine, "status": status})

    @property
    def machines(self) -> list[dict[str, Any]]:
        """All that were ever made: path, id, status, ended_by, the instance as asked for, token."""
        return ask(self.port, "GET", "/control/machines")["machines"]

    @property
    def left(self) -> list[str]:
        """The machines that are there."""
        return [each["path"] for each in self.machines if each["status"] != "GONE"]

    def clear(self) -> None:
        """End all machines and forget all rules."""
        ask(self.port, "DELETE", "/control")
