"""What a machine's metadata server answers.

cloud.google.com/compute/docs/metadata/predefined-metadata-keys
"""

import json
import secrets
from collections.abc import Mapping

from tests.cloud.compute_engine.replies import RefusedError

_HEADER = ("Metadata-Flavor", "Google")


class Metadata:
    """One machine's. `preempted` becomes true when it is being taken away.

    Parameters
    ----------
    path : str
        projects/P/zones/Z/instances/N
    attributes : mapping of str to str
        The custom metadata.
    """

    def __init__(self, path: str, attributes: Mapping[str, str]) -> None:
        _, self._project, _, self._zone, _, self._name = path.split("/")
        self._attributes = attributes
        self.preempted = False
        self.token = secrets.token_hex(16)

    def answer(self, path: str, headers: Mapping[str, str]) -> str:
        """Raises `RefusedError`: for one, when the header is missing that pages can't send."""
        if headers.get(_HEADER[0].lower()) != _HEADER[1]:
            raise RefusedError(403, "forbidden", f"Missing {_HEADER[0]}:{_HEADER[1]} header.")
        known = {
            "project/project-id": self._project,
            "instance/name": self._name,
            # With the project's number.
            "instance/zone": f"projects/123456789/zones/{self._zone}",
            "instance/preempted": str(self.preempted).upper(),
            "instance/service-accounts/default/token": json.dumps(
                {"access_token": self.token, "expires_in": 3599, "token_type": "Bearer"}
            ),
            **{f"instance/attributes/{key}": value for key, value in self._attributes.items()},
        }
        if path not in known:
            raise RefusedError(404, "notFound", f"No metadata {path}.")
        return known[path]
