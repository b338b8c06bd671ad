"""Places of their own for tests in Google Cloud itself, and how nothing is left of them.

What is made lies under a random prefix of a bucket, or in new datasets whose names begin with that
of a given dataset and a random word. Nothing else is written or deleted.
"""

import datetime
import itertools
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

from google.cloud import bigquery, storage
from google.cloud.storage.retry import DEFAULT_RETRY

from pipeline.errors import PipelineError, SettingsError, StorageError
from pipeline.google_cloud import credentials, naming

# Of tables that are left because we were killed: they cost nothing after that.
_TABLE_LIFE = datetime.timedelta(days=1)
_WORDS = {
    "PROJECT": r"[a-z0-9.:-]+",
    "BUCKET": r"[a-z0-9][a-z0-9._-]+",
    "DATASET": r"[A-Za-z0-9_]+",
}


class Place:
    """New buckets and datasets for tests, as `tests.cloud.servers.Cloud` has them.

    A "bucket" is a folder in the one bucket that there is.

    Parameters
    ----------
    project : str
        Who pays, and where datasets are made.
    bucket, dataset : str
        Names without gs:// and without the project. New datasets lie where `dataset` does.

    Attributes
    ----------
    environment : dict of str
        Empty: clients find the cloud by themselves.
    """

    def __init__(self, project: str, bucket: str, dataset: str) -> None:
        """Raises `SettingsError` when one of them is missing or can't be a name."""
        for word, value in zip(_WORDS, (project, bucket, dataset), strict=True):
            _check(word, value)
        run = secrets.token_hex(5)
        self.project, self.bucket, self.dataset = project, bucket, dataset
        self.prefix = f"live-{run}"
        self.dataset_prefix = f"{dataset}_live_{run}"
        self.environment: Mapping[str, str] = {}
        self._numbers = itertools.count(1)
        self._datasets: list[str] = []

    def __str__(self) -> str:
        return (
            f"gs://{self.bucket}/{self.prefix}/ and the datasets {self.project}:"
            f"{self.dataset_prefix}_*"
        )

    def check(self) -> None:
        """Raise `StorageError` when bucket or dataset can't be read. Makes nothing."""
        with self._naming_bucket():
            list(self._storage.list_blobs(self.bucket, prefix=self.prefix, max_results=1))
        assert self._location

    def clear(self) -> None:
        """Nothing: here are no faults and no log that a test could hand on to the next."""

    def new_bucket(self) -> str:
        """The URL of an empty folder of its own."""
        return f"gs://{self.bucket}/{self.prefix}/{next(self._numbers)}"

    def new_dataset(self) -> str:
        """An empty dataset of its own as "project.dataset"."""
        name = f"{self.project}.{self.dataset_prefix}_{next(self._numbers)}"
        dataset = bigquery.Dataset(name)
        dataset.location = self._location
        dataset.default_table_expiration_ms = _TABLE_LIFE // datetime.timedelta(milliseconds=1)
        dataset.description = "Made by `make test-live`, which deletes it."
        # Noted before it is asked for, as the reply can be lost.
        self._datasets.append(name)
        with self._naming_datasets(f"make the dataset {name}"):
            self._bigquery.create_dataset(dataset, exists_ok=True)
        return name

    def clean_up(self) -> str:
        """Delete all that was made, and say so in a sentence.

        A dataset that can't be deleted does not keep the rest from it. Raises `StorageError` in
        the end: why, and how to delete what is left.
        """
        failures = [*self._delete_datasets(), *self._delete_objects()]
        if failures:
            raise StorageError(
                f"Not all is deleted of {self}: {' '.join(failures)} Type `gcloud storage rm -r"
                f" gs://{self.bucket}/{self.prefix}`, and `bq rm -r -f` for each of these datasets"
                f" that `bq ls --project_id={self.project}` lists."
            )
        return f"deleted all that was made: {self}"

    def _delete_datasets(self) -> Iterator[str]:
        """Yields what goes wrong."""
        for name in self._datasets:
            try:
                with self._naming_datasets(f"delete the dataset {name}"):
                    self._bigquery.delete_dataset(name, delete_contents=True, not_found_ok=True)
            except PipelineError as failure:
                yield str(failure)

    def _delete_objects(self) -> Iterator[str]:
        """Yields what goes wrong."""
        try:
            with self._naming_bucket():
                bucket = self._storage.bucket(self.bucket)
                blobs = list(self._storage.list_blobs(bucket, prefix=f"{self.prefix}/"))
                # What is gone already is no error: it may be by a request whose reply was lost.
                bucket.delete_blobs(blobs, on_error=lambda _: None, retry=DEFAULT_RETRY)
        except PipelineError as failure:
            yield str(failure)

    @cached_property
    def _storage(self) -> storage.Client:
        return storage.Client(self.project, credentials("STORAGE_EMULATOR_HOST"))

    @cached_property
    def _bigquery(self) -> bigquery.Client:
        return bigquery.Client(self.project, credentials("BIGQUERY_EMULATOR_HOST"))

    @cached_property
    def _location(self) -> str:
        name = f"{self.project}.{self.dataset}"
        with self._naming_datasets(f"look at the dataset {name}"):
            return str(self._bigquery.get_dataset(name).location)

    @contextmanager
    def _naming_bucket(self) -> Iterator[None]:
        bucket = f"gs://{self.bucket}"
        denied = (
            f"Type `gcloud storage buckets add-iam-policy-binding {bucket} --member=MEMBER"
            " --role=roles/storage.objectUser`, or choose another BUCKET."
        )
        missing = (
            f"There is no bucket {self.bucket}. Make it: `gcloud storage buckets create {bucket}"
            " --location=LOCATION`, or correct BUCKET."
        )
        with naming(StorageError, f"use {bucket}", denied=denied, missing=missing):
            yield

    @contextmanager
    def _naming_datasets(self, doing: str) -> Iterator[None]:
        denied = (
            f"Type `gcloud projects add-iam-policy-binding {self.project} --member=MEMBER"
            " --role=roles/bigquery.user`, or choose another PROJECT."
        )
        missing = (
            f"Make it: `bq mk --location=LOCATION --dataset {self.project}:{self.dataset}` with"
            " the location of the bucket, or correct PROJECT and DATASET."
        )
        with naming(StorageError, doing, denied=denied, missing=missing):
            yield


def _check(word: str, value: str) -> None:
    usage = "Type `make test-live PROJECT=... BUCKET=... DATASET=...`, as docs/cloud.md says."
    if not value:
        raise SettingsError(f"{word} is not given. {usage}")
    if not re.fullmatch(_WORDS[word], value):
        raise SettingsError(f"{word} can't be {value!r}: a name alone is wanted. {usage}")
