"""Checksums that clients send with an upload, which fake-gcs-server 1.54.0 does not look at.

Cloud Storage refuses content that has another one: cloud.google.com/storage/docs/data-validation
(server-side validation). Here what was stored is deleted again.
"""

import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

from tests.cloud.proxy.messages import Reply, Request, error

_HASH = re.compile(r"crc32c=(?P<crc32c>[^,\s]+)")

_HASH = re.compile(r"crc32c=(?P<crc32c>[^,\s]+)")

Relay = Callable[[Request], Reply]


class Checksums:
    """Passes requests on to the storage server, and undoes uploads that arrived otherwise."""

    def __init__(self, forward: Relay) -> None:
        self._forward = forward
        self._uploads: dict[str, str] = {}  # upload id -> what was declared at its start

    def relay(self, request: Request) -> Reply:
        reply = self._forward(request)
        if reply.status != 200 or not request.url.path.startswith("/upload/storage/"):
            return reply
        declared = _declared(request) or self._uploads.get(request.query.get("upload_id", ""), "")
        if started := _upload_id(reply):
            self._uploads[started] = declared
            return reply
        stored = json.loads(reply.body or b"{}")
        if not declared or declared == stored.get("crc32c", declared):
            return reply
        path = f"/storage/v1/b/{stored['bucket']}/o/{quote(stored['name'], safe='')}"
        self._forward(Request("DELETE", path, [("Host", "127.0.0.1")], b""))
        calculated = stored["crc32c"]
        return error(
            400, f'Provided CRC32C "{declared}" doesn\'t match calculated CRC32C "{calculated}".'
        )


def _upload_id(reply: Reply) -> str:
    """The id of the resumable upload that this reply begins, else empty."""
    return parse_qs(urlsplit(reply.header("location")).query).get("upload_id", [""])[0]


def _declared(request: Request) -> str:
    """The CRC32C in the metadata of an upload, or with its last chunk."""
    if found := _HASH.search(request.header("x-goog-hash")):
        return found["crc32c"]
    return str(json.loads(request.told or "{}").get("crc32c", ""))
