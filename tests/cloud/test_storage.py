"""The storage server keeps Cloud Storage's promises about generations.

Source: cloud.google.com/storage/docs/request-preconditions
"""

import base64
import io
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest
from google.api_core.exceptions import BadRequest, NotFound, PreconditionFailed
from google.cloud.storage import Blob, Bucket
from google.cloud.storage.exceptions import DataCorruption

# In two chunks of the least size that there is.
CHUNK = 256 * 1024
LARGE = b"x" * (CHUNK + 1)


def put(bucket: Bucket, name: str, content: bytes = b"first") -> int:
    """Write an object; returns its generation."""
    blob = bucket.blob(name)
    blob.upload_from_string(content)
    return blob.generation


def resumable(bucket: Bucket, name: str, generation: int, content: bytes = LARGE) -> None:
    blob = bucket.blob(name, chunk_size=CHUNK)
    blob.upload_from_file(io.BytesIO(content), if_generation_match=generation)


def compose(bucket: Bucket, name: str, generation: int) -> None:
    put(bucket, "part")
    bucket.blob(name).compose([bucket.blob("part")], if_generation_match=generation)


def rewrite(bucket: Bucket, name: str, generation: int) -> None:
    put(bucket, "source")
    bucket.blob(name).rewrite(bucket.blob("source"), if_generation_match=generation)


def copy(bucket: Bucket, name: str, generation: int) -> None:
    put(bucket, "source")
    bucket.copy_blob(bucket.blob("source"), bucket, name, if_generation_match=generation)


def in_one_request(bucket: Bucket, name: str, generation: int) -> None:
    bucket.blob(name).upload_from_string(b"new", if_generation_match=generation)


WRITES = [in_one_request, resumable, compose, rewrite, copy]


def read(bucket: Bucket, name: str, generation: int) -> None:
    bucket.blob(name).download_as_bytes(if_generation_match=generation)


def reload(bucket: Bucket, name: str, generation: int) -> None:
    bucket.blob(name).reload(if_generation_match=generation)


def delete(bucket: Bucket, name: str, generation: int) -> None:
    bucket.blob(name).delete(if_generation_match=generation)


READS = [read, reload, delete]


@pytest.mark.parametrize("write", WRITES)
def test_what_is_there_is_not_created_again(bucket, write):
    put(bucket, "a")
    with pytest.raises(PreconditionFailed):
        write(bucket, "a", 0)
    assert bucket.blob("a").download_as_bytes() == b"first"


@pytest.mark.parametrize("write", WRITES)
def test_what_is_not_there_is_created(bucket, write):
    write(bucket, "a", 0)
    assert bucket.blob("a").exists()


# fake-gcs-server leaves a composed object the generation that it had.
@pytest.mark.parametrize("write", [each for each in WRITES if each is not compose])
def test_a_generation_is_replaced_by_who_knows_it(bucket, write):
    generation = put(bucket, "a")
    write(bucket, "a", generation)
    with pytest.raises(PreconditionFailed):
        write(bucket, "a", generation)


@pytest.mark.parametrize("act", READS)
def test_another_generation_is_neither_read_nor_deleted(bucket, act):
    generation = put(bucket, "a")
    with pytest.raises(PreconditionFailed):
        act(bucket, "a", generation + 1)
    act(bucket, "a", generation)


@pytest.mark.parametrize("act", READS)
def test_nothing_is_not_found(bucket, act):
    with pytest.raises(NotFound):
        act(bucket, "a", 1)


def test_a_source_of_another_generation_is_not_copied(bucket):
    generation = put(bucket, "a")
    with pytest.raises(PreconditionFailed):
        bucket.copy_blob(bucket.blob("a"), bucket, "b", if_source_generation_match=generation + 1)
    assert not bucket.blob("b").exists()


def test_an_upload_that_is_overtaken_changes_nothing(bucket):
    class Overtaken(io.BytesIO):
        def read(self, size: int = -1) -> bytes:
            if self.tell():
                put(bucket, "a")
            return super().read(size)

    blob = bucket.blob("a", chunk_size=CHUNK)
    with pytest.raises(PreconditionFailed):
        blob.upload_from_file(Overtaken(LARGE), if_generation_match=0)
    assert bucket.blob("a").download_as_bytes() == b"first"


@pytest.mark.parametrize("write", [in_one_request, resumable])
def test_of_twenty_that_create_one_wins(bucket, write):
    def create(_: int) -> bool:
        try:
            write(Bucket(bucket.client, bucket.name), "a", 0)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(create, range(20))).count(True) == 1


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/json"])
def test_a_large_object_comes_back_as_it_was(bucket, kind):
    bucket.blob("a", chunk_size=CHUNK).upload_from_file(io.BytesIO(LARGE), content_type=kind)
    blob: Blob = bucket.get_blob("a")
    assert (blob.size, blob.content_type) == (len(LARGE), kind)
    assert blob.download_as_bytes() == LARGE


# cloud.google.com/storage/docs/data-validation
@pytest.mark.parametrize("write", [in_one_request, resumable])
def test_content_that_changed_on_the_way_is_refused(bucket, cloud, write):
    cloud.faults.add(r"uploadType=multipart|upload_id=", spoil=True)
    with pytest.raises(BadRequest, match="doesn't match calculated CRC32C"):
        write(bucket, "a", 0)
    cloud.faults.clear()
    assert not bucket.blob("a").exists()


@pytest.mark.parametrize("declared", [LARGE, b"another"])
def test_what_was_declared_at_the_start_is_compared_at_the_end(bucket, declared):
    checksum = google_crc32c.Checksum(declared)
    blob = bucket.blob("a", chunk_size=CHUNK)
    blob.crc32c = base64.b64encode(checksum.digest()).decode()
    if declared == LARGE:
        blob.upload_from_file(io.BytesIO(LARGE), checksum=None)
    else:
        with pytest.raises(BadRequest, match="doesn't match calculated CRC32C"):
            blob.upload_from_file(io.BytesIO(LARGE), checksum=None)
    assert bucket.blob("a").exists() == (declared == LARGE)


def test_content_that_changes_on_the_way_back_is_seen_by_the_client(bucket, cloud):
    put(bucket, "a")
    cloud.faults.add("^GET .*alt=media", spoil=True, after=True)
    with pytest.raises(DataCorruption):
        bucket.blob("a").download_as_bytes()
