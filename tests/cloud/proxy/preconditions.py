"""Generation preconditions of Cloud Storage, where fake-gcs-server 1.54.0 ignores them.

It looks at ifGenerationMatch only in uploads of one request. Here it holds for resumable uploads,
at their start and at their last chunk, and for get, delete, rewrite, copy and compose:
cloud.google.com/storage/docs/request-preconditions. Nothing else may write to an object between
our look and the server's deed, so the proxy is the only way to it.
"""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.cloud.proxy.messages import Reply, Request, error

_OBJECT = re.compile(
    r"/(?:download/|upload/)?storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)"
    r"(?:/(?P<verb>compose|rewriteTo|copyTo)(?:/b/(?P<to_bucket>[^/]+)/o/(?P<to_name>[^/]+))?)?$"
)
_UPLOAD = re.compile(r"/upload/(?:resumable/)?storage/v1/b/(?P<bucket>[^/]+)/o$")
_RANGE = re.compile(r"bytes (?:\d+-(?P<last>\d+)|\*)/(?P<total>\d+)$")
_REFUSAL = "At least one of the pre-conditions you specified did not hold."

Forward = Callable[[Request], Reply]


@dataclass(frozen=True)
class Place:
    """Where an object lies, or would."""

    bucket: str
    name: str


class Preconditions:
    """Passes requests on to the storage server, but for those whose precondition does not hold."""

    def __init__(self, forward: Forward) -> None:
        self._forward = forward
        self._locks: dict[Place, threading.Lock] = defaultdict(threading.Lock)
        self._uploads: dict[str, str] = {}  # upload id -> ifGenerationMatch of its start

    def relay(self, request: Request) -> Reply:
        place = _destination(request)
        if place is None:
            return self._forward(request)
        with self._locks[place]:
            if self._holds(request, place):
                reply = self._forward(request)
                self._remember(request, reply)
                return reply
        return error(412, _REFUSAL)

    def _holds(self, request: Request, place: Place) -> bool:
        wanted = request.query.get("ifGenerationMatch", "")
        source_wanted = request.query.get("ifSourceGenerationMatch", "")
        if _ends_upload(request):
            wanted = self._uploads.get(request.query["upload_id"], "")
        if source_wanted and self._generation(_source(request)) != source_wanted:
            return False
        if not wanted:
            return True
        found = self._generation(place)
        # What is not there can't be got or deleted; the server says so better.
        return found == wanted or (found == "0" and request.method in ("GET", "DELETE"))

    def _generation(self, place: Place) -> str:
        """The live generation, "0" when there is no object."""
        target = f"/storage/v1/b/{place.bucket}/o/{quote(place.name, safe='')}?fields=generation"
        reply = self._forward(Request("GET", target, [("Host", "127.0.0.1")], b""))
        return str(json.loads(reply.body)["generation"]) if reply.status == 200 else "0"

    def _remember(self, request: Request, reply: Reply) -> None:
        location = parse_qs(urlsplit(reply.header("location")).query)
        if request.query.get("uploadType") == "resumable" and "upload_id" in location:
            wanted = request.query.get("ifGenerationMatch", "")
            self._uploads[location["upload_id"][0]] = wanted


def _destination(request: Request) -> Place | None:
    """The object that a request reads or makes; None when it is about something else."""
    path = request.url.path
    if found := _OBJECT.search(path):
        if found["to_name"]:
            return Place(unquote(found["to_bucket"]), unquote(found["to_name"]))
        return Place(unquote(found["bucket"]), unquote(found["name"]))
    # The server itself looks at the precondition of an upload of one request with metadata.
    if (found := _UPLOAD.search(path)) and request.query.get("uploadType") != "multipart":
        name = request.query.get("name") or json.loads(request.body or b"{}").get("name", "")
        return Place(unquote(found["bucket"]), name)
    return None


def _source(request: Request) -> Place:
    found = _OBJECT.search(request.url.path)
    assert found is not None
    return Place(unquote(found["bucket"]), unquote(found["name"]))


def _ends_upload(request: Request) -> bool:
    """Whether this is the last chunk of a resumable upload.

    Source: cloud.google.com/storage/docs/performing-resumable-uploads (Content-Range)
    """
    if "upload_id" not in request.query:
        return False
    found = _RANGE.match(request.header("content-range"))
    if found is None:
        return not request.header("content-range")
    return found["last"] is not None and int(found["last"]) + 1 == int(found["total"])
