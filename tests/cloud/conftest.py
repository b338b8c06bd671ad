"""What the tests of the cloud's servers share: the official clients, and Parquet."""

import io
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

from tests.cloud.servers import PROJECT, Cloud

Put = Callable[[str, pa.Table], str]


@pytest.fixture
def storage_client(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[storage.Client]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", cloud.environment["STORAGE_EMULATOR_HOST"])
    client = storage.Client(PROJECT, AnonymousCredentials())
    yield client
    client.close()


@pytest.fixture
def bucket(cloud: Cloud, storage_client: storage.Client) -> storage.Bucket:
    return storage_client.bucket(cloud.new_bucket().removeprefix("gs://"))


@pytest.fixture
def client(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[bigquery.Client]:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", cloud.environment["BIGQUERY_EMULATOR_HOST"])
    client = bigquery.Client(PROJECT, AnonymousCredentials())
    yield client
    client.close()


@pytest.fixture
def dataset(cloud: Cloud) -> str:
    return cloud.new_dataset()


@pytest.fixture
def put(bucket: storage.Bucket) -> Put:
    """Write a table as an object: `put(name, table)` returns its URL."""

    def put(name: str, table: pa.Table) -> str:
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        bucket.blob(name).upload_from_string(buffer.getvalue())
        return f"gs://{bucket.name}/{name}"

    return put
