"""Files in Cloud Storage, by the JSON API: cloud.google.com/storage/docs/json_api."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.parquet as pq
from bqemulator.domain.errors import NotFoundError, ValidationError

from tests.cloud.proxy.messages import Reply, Request, send

# BigQuery decides how many files it writes; here so many rows fill one.
_ROWS_PER_FILE = 5000
_URI = re.compile(r"gs://(?P<bucket>[^/]+)/(?P<name>.+)")


@dataclass(frozen=True)
class File:
    """A file of a load job, as it was read."""

    uri: str
    content: bytes


class Objects:
    """The storage server at `port`, spoken to without the proxy: these are BigQuery's requests."""

    def __init__(self, port: int) -> None:
        self._port = port

    def read(self, uri: str) -> list[File]:
        """The files that `uri` names, which may have one `*`; in the order of their names.

        Source: cloud.google.com/bigquery/docs/batch-loading-data#load-wildcards
        """
        bucket, name = _split(uri)
        names = self._matching(bucket, name) if "*" in name else [name]
        if not names:
            raise NotFoundError(f"Not found: URI {uri}")
        return [File(f"gs://{bucket}/{each}", self._content(bucket, each)) for each in names]

    def write(self, uri: str, table: pa.Table, *, overwrite: bool) -> int:
        """Leave the rows of `table`, in their order, as Parquet; returns the number of files.

        The `*` of `uri` becomes the number of the file, with twelve digits. Raises
        `ValidationError` when files are there already, unless `overwrite`. Sources:
        cloud.google.com/bigquery/docs/exporting-data#exporting_data_into_one_or_more_files and
        cloud.google.com/bigquery/docs/reference/standard-sql/export-statements (overwrite)
        """
        bucket, name = _split(uri)
        if name.count("*") != 1:
            raise ValidationError(f"Invalid URI {uri}: it must have one '*'.")
        if not overwrite and (there := self._matching(bucket, name)):
            raise ValidationError(
                f"Invalid value: gs://{bucket}/{there[0]} exists already, and overwrite is false."
            )
        starts = range(0, max(table.num_rows, 1), _ROWS_PER_FILE)
        for number, start in enumerate(starts):
            buffer = io.BytesIO()
            pq.write_table(table.slice(start, _ROWS_PER_FILE), buffer)
            self._upload(bucket, name.replace("*", f"{number:012}"), buffer.getvalue())
        return len(starts)

    def _matching(self, bucket: str, pattern: str) -> list[str]:
        head, _, tail = pattern.partition("*")
        return [
            name
            for name in self._names(bucket, head)
            if len(name) >= len(head) + len(tail) and name.endswith(tail)
        ]

    def _names(self, bucket: str, prefix: str) -> Iterator[str]:
        token = None
        while token != "":
            query = {"prefix": prefix, **({"pageToken": token} if token else {})}
            reply = self._ask("GET", f"/storage/v1/b/{bucket}/o?{urlencode(query)}", bucket)
            page = json.loads(reply.body)
            yield from (item["name"] for item in page.get("items", []))
            token = page.get("nextPageToken", "")

    def _content(self, bucket: str, name: str) -> bytes:
        target = f"/download/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
        return self._ask("GET", target, f"URI gs://{bucket}/{name}").body

    def _upload(self, bucket: str, name: str, content: bytes) -> None:
        query = urlencode({"uploadType": "media", "name": name})
        target = f"/upload/storage/v1/b/{bucket}/o?{query}"
        self._ask("POST", target, f"Bucket {bucket}", content)

    def _ask(self, method: str, target: str, what: str, body: bytes = b"") -> Reply:
        headers = [("Host", "127.0.0.1"), ("Content-Type", "application/octet-stream")]
        reply = send(Request(method, target, headers, body), self._port)
        if reply.status == 404:
            raise NotFoundError(f"Not found: {what}")
        if reply.status != 200:
            raise RuntimeError(f"{method} {target} was answered {reply.status}: {reply.body!r}")
        return reply


def _split(uri: str) -> tuple[str, str]:
    found = _URI.fullmatch(uri)
    if found is None:
        raise ValidationError(f"Invalid source or destination URI: {uri}")
    return found["bucket"], found["name"]
