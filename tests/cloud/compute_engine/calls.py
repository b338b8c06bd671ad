"""A request, as far as its address and body tell what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.cloud.compute_engine.replies import JSON


@dataclass(frozen=True)
class Call:
    """`parts` are the named parts of the path: project, zone, name."""

    parts: Mapping[str, str]
    query: Mapping[str, str]
    body: JSON

    @property
    def zone(self) -> str:
        return self.parts["zone"]

    @property
    def zone_path(self) -> str:
        return f"projects/{self.parts['project']}/zones/{self.zone}"
