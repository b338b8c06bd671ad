"""Where machines are: the names that we give them, and what can be read from a name."""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from pipeline.errors import ComputeError

_MACHINE = re.compile(
    r"projects/(?P<project>[^/\s]+)/zones/(?P<zone>[^/\s]+)/instances/(?P<name>[^/\s]+)"
)
_NAME_LENGTH = 63


@dataclass(frozen=True)
class Place:
    """A machine's project, zone and name; as a text `projects/P/zones/Z/instances/N`."""

    project: str
    zone: str
    name: str

    @classmethod
    def parse(cls, machine: str) -> Self:
        """Raise `ComputeError` when `machine` is not such a text."""
        matched = _MACHINE.fullmatch(machine)
        if not matched:
            raise ComputeError(
                f"{machine!r} is no machine of Compute Engine, which would be called"
                " projects/PROJECT/zones/ZONE/instances/NAME. The job was made with another"
                " `compute` under [pipeline] in luigi.cfg: set that again."
            )
        return cls(**matched.groupdict())

    def __str__(self) -> str:
        return f"projects/{self.project}/zones/{self.zone}/instances/{self.name}"

    @property
    def log_page(self) -> str:
        """Where Cloud Logging shows what the machine said, also after it is gone."""
        query = quote(f'resource.type="gce_instance" "{self.name}"', safe="")
        return (
            f"https://console.cloud.google.com/logs/query;query={query};duration=P30D"
            f"?project={self.project}"
        )

    def command(self, verb: str) -> str:
        """What a person types to do something with the machine."""
        return (
            f"`gcloud compute instances {verb} {self.name} --project={self.project}"
            f" --zone={self.zone}`"
        )


def instance_name(job: str, digest: str) -> str:
    """The name of the machine of a job: at most 63 of [a-z0-9-], the first a letter (RFC 1035).

    Of a long name the end is kept: the date and the chance in it tell jobs apart.
    """
    end = job[-(_NAME_LENGTH - len(digest) - 1) :].lstrip("-0123456789")
    return f"{end or 'job'}-{digest}"
