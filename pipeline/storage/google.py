"""Objects in Google Cloud Storage. A URL is gs://bucket/name, both taken literally.

An upload is seen whole or not at all, and by every reader at once. Source:
cloud.google.com/storage/docs/consistency
"""

import base64
import io
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed
from google.cloud.storage.blob import Blob
from google.cloud.storage.client import Client
from google.cloud.storage.retry import DEFAULT_RETRY

from pipeline import checksums, google_cloud
from pipeline.errors import StorageError
from pipeline.storage import Entry, Stat, disk, wording

_EMULATOR = "STORAGE_EMULATOR_HOST"
_SCHEME = "gs://"
# Key in an object's custom metadata; its value differs from write to write.
_WRITE = "write"
_PAGE_ENTRIES = 1000
# What each transfer of a big file keeps in memory. Such a file goes up in several requests, and
# what a fault cuts off is sent again from the last one on.
_PART_BYTES = 16 * 1024 * 1024

# Otherwise the library asks for each bucket once more, to tell tracing where it is. We trace none.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")


class GoogleStorage:
    """`Storage` in buckets, with the library's own rule of what is asked again.

    Parameters
    ----------
    deadline_seconds : float
        How long a request is repeated before we give up.
    """

    def __init__(self, deadline_seconds: float = google_cloud.DEADLINE_SECONDS) -> None:
        self._retry = google_cloud.patient(DEFAULT_RETRY, deadline_seconds)
        self._patience = {"timeout": google_cloud.REQUEST_SECONDS, "retry": self._retry}

    def exists(self, url: str) -> bool:
        # The console makes empty objects, whose names end in a slash, to show folders.
        if url.endswith("/") or not _split(url)[1]:
            return False
        with _naming("look at", url):
            return bool(_blob(url).exists(**self._patience))

    def read(self, url: str) -> bytes:
        with _naming("read", url), _missing(url):
            blob = _blob(url)
            content = blob.download_as_bytes(raw_download=True, checksum=None, **self._patience)
        _compare(url, blob, checksums.of_bytes(content, checksums.CRC32C))
        return bytes(content)

    def write(self, url: str, content: bytes, *, create_only: bool = False) -> Stat:
        stat = Stat(len(content), checksums.of_bytes(content, checksums.CRC32C))
        self._put(io.BytesIO(content), stat, url, create_only=create_only)
        return stat

    def list(self, folder: str) -> Iterator[Entry]:
        for url, blob in self._blobs(folder, "generation"):
            yield Entry(url, blob.size, str(blob.generation))

    def upload(self, path: Path, url: str, *, create_only: bool = False) -> Stat:
        with disk.naming(f"write {url}"), disk.missing(str(path)), path.open("rb") as file:
            stat = Stat(path.stat().st_size, checksums.of_file(path, checksums.CRC32C))
            self._put(file, stat, url, create_only=create_only)
        return stat

    def download(self, url: str, path: Path) -> None:
        doing = f"download {url} to {path}"
        with disk.naming(doing), disk.unfinished(path) as unfinished, unfinished.open("wb") as file:
            with _naming("read", url), _missing(url):
                blob = _blob(url)
                blob.download_to_file(file, raw_download=True, checksum=None, **self._patience)
            file.flush()
            _compare(url, blob, checksums.of_file(unfinished, checksums.CRC32C))
            unfinished.replace(path)

    def stat(self, url: str) -> Stat:
        with _naming("read", url), _missing(url):
            blob = _blob(url)
            blob.reload(**self._patience)
        return Stat(blob.size, _checksum(blob))

    def stats(self, folder: str) -> dict[str, Stat]:
        blobs = self._blobs(folder, "crc32c")
        return {url: Stat(blob.size, _checksum(blob)) for url, blob in blobs}

    def list_remains(self, folder: str) -> Iterator[Entry]:
        # An upload that is not finished is no object, and is forgotten after a week. Source:
        # cloud.google.com/storage/docs/resumable-uploads
        return iter(())

    def delete(self, url: str) -> None:
        with _naming("delete", url):
            try:
                _blob(url).delete(**self._patience)
            except NotFound:
                return

    def _blobs(self, folder: str, field: str) -> Iterator[tuple[str, Blob]]:
        """URLs and objects below `folder`, which know their size and `field`."""
        bucket, name = _split(folder)
        with _naming("list", folder):
            blobs = _client(os.getpid()).list_blobs(
                bucket,
                prefix=f"{name.rstrip('/')}/".lstrip("/"),
                fields=f"items(name,size,{field}),nextPageToken",
                page_size=_PAGE_ENTRIES,
                **self._patience,
            )
            for blob in blobs:
                if not blob.name.endswith("/"):
                    yield f"{_SCHEME}{bucket}/{blob.name}", blob

    def _put(self, file: IO[bytes], stat: Stat, url: str, *, create_only: bool) -> None:
        """Upload `file`. Cloud Storage compares it with `stat` before anybody sees the object."""
        token = secrets.token_hex(16)
        with _naming("write", url):
            blob = _blob(url, part_bytes=_PART_BYTES)
            blob.crc32c = base64.b64encode(bytes.fromhex(stat.checksum.partition(":")[2])).decode()
            blob.metadata = {_WRITE: token}
            try:
                blob.upload_from_file(
                    file,
                    size=stat.size_bytes,
                    if_generation_match=0 if create_only else None,
                    checksum=None,
                    **self._patience,
                )
            except PreconditionFailed:
                if not self._is_there(url, token):
                    raise wording.there_already(url) from None
                return
            except BadRequest as error:
                if "CRC32C" in str(error):
                    raise _damaged(url, "Cloud Storage refuses it for its checksum") from error
                raise
        _compare(url, blob, stat.checksum)

    def _is_there(self, url: str, token: str) -> bool:
        """Whether the object at `url` was made by the write of `token`, whose reply was lost."""
        blob = _blob(url)
        try:
            blob.reload(**self._patience)
        except NotFound:
            return False
        return (blob.metadata or {}).get(_WRITE) == token


def _split(url: str) -> tuple[str, str]:
    """Bucket and name. A bucket's own URL has no name."""
    bucket, _, name = url.removeprefix(_SCHEME).partition("/")
    return bucket, name


def _blob(url: str, part_bytes: int | None = None) -> Blob:
    bucket, name = _split(url)
    return _client(os.getpid()).bucket(bucket).blob(name, chunk_size=part_bytes)


def find_permissions(bucket: str, names: Sequence[str]) -> set[str]:
    """Which of these permissions one has for a bucket. Raises `StorageError`."""
    with _naming("ask for permissions of", f"{_SCHEME}{bucket}"):
        found = (
            _client(os.getpid())
            .bucket(bucket)
            .test_iam_permissions(list(names), timeout=google_cloud.REQUEST_SECONDS)
        )
    return set(found)


@cache
def _client(process_id: int) -> Client:
    """A process's own client: connections do not survive a fork, and threads can share them.

    It belongs to no project, as it never makes nor lists buckets.
    """
    return Client(project=None, credentials=google_cloud.credentials(_EMULATOR))


def _checksum(blob: Blob) -> str:
    """The service's own checksum of an object, in our form: it writes Base64."""
    return f"{checksums.CRC32C}:{base64.b64decode(blob.crc32c or '').hex()}"


def _compare(url: str, blob: Blob, checksum: str) -> None:
    """Raise `StorageError` when Cloud Storage has another checksum than this machine.

    The library does not compare what it had to fetch in several pieces.
    """
    if _checksum(blob) != checksum:
        why = f"Cloud Storage says {_checksum(blob)} where this machine has {checksum}"
        raise _damaged(url, why)


def _damaged(url: str, why: str) -> StorageError:
    return StorageError(f"{url} was damaged on its way: {why}. Run the command again.")


@contextmanager
def _missing(url: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        if "bucket does not exist" in str(error):
            raise
        raise wording.missing(url) from None


def _naming(verb: str, url: str) -> AbstractContextManager[None]:
    bucket, _ = _split(url)
    other = "or choose another `storage` under [pipeline] in luigi.cfg."
    return google_cloud.naming(
        StorageError,
        f"{verb} {url}",
        denied=(
            "Give MEMBER the permission: `gcloud storage buckets add-iam-policy-binding"
            f" {_SCHEME}{bucket} --member=MEMBER --role=roles/storage.objectUser`, {other}"
        ),
        missing=(
            f"There is no bucket {bucket}. Make it: `gcloud storage buckets create"
            f" {_SCHEME}{bucket} --location=LOCATION`, {other}"
        ),
    )
