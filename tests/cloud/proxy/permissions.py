"""What one may do with a bucket, which fake-gcs-server 1.54.0 does not answer.

cloud.google.com/storage/docs/json_api/v1/buckets/testIamPermissions: of the permissions that are
asked for, those that one has. In a bucket whose name begins with `read-only-` one may only read.
"""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs

from tests.cloud.proxy.messages import Reply, Request

_ASKED = re.compile(r"/storage/v1/b/(?P<bucket>[^/]+)/iam/testPermissions$")
_READING = {"storage.objects.get", "storage.objects.list"}

Forward = Callable[[Request], Reply]


class Permissions:
    """Passes requests on to the storage server, but for those about permissions."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward

    def relay(self, request: Request) -> Reply:
        asked = _ASKED.search(request.url.path)
        if asked is None:
            return self._forward(request)
        bucket = Request("GET", f"/storage/v1/b/{asked['bucket']}", request.headers, b"")
        reply = self._forward(bucket)
        if reply.status != 200:
            return reply
        names = parse_qs(request.url.query)["permissions"]
        if asked["bucket"].startswith("read-only-"):
            names = [name for name in names if name in _READING]
        told = {"kind": "storage#testIamPermissionsResponse", "permissions": names}
        return Reply(200, [("Content-Type", "application/json")], json.dumps(told).encode())
