"""The dataset that predictions go to: the client that speaks to it, and what it says."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from pipeline.errors import StorageError
from pipeline.google_cloud import REQUEST_SECONDS, credentials, naming, patient

EMULATOR = "BIGQUERY_EMULATOR_HOST"
RETRY = patient(DEFAULT_RETRY)


@dataclass(frozen=True)
class Dataset:
    """`name` of `project`; work in it is paid by `billing_project`, which may be another."""

    project: str
    name: str
    billing_project: str
    source: str

    @property
    def client(self) -> bigquery.Client:
        with self.naming_jobs(f"speak to BigQuery as {self.billing_project}"):
            return _client(self.billing_project, os.getpid())

    @property
    def location(self) -> str:
        """Where the dataset lies, and so all jobs that touch it."""
        return _find_location(self)

    def path(self, table: str) -> str:
        return f"{self.project}.{self.name}.{table}"

    def naming(self, doing: str) -> AbstractContextManager[None]:
        """Turn errors about tables into `StorageError`: "Can't <doing>: ...", and what to do."""
        place = f"{self.project}.{self.name}"
        denied = (
            "Have its owner type `bq query --use_legacy_sql=false 'GRANT"
            f' `roles/bigquery.dataEditor` ON SCHEMA `{place}` TO "MEMBER"\'`.'
        )
        missing = (
            f"If the dataset is not there, type `bq mk --location=LOCATION --dataset"
            f" {self.project}:{self.name}` with the location of the bucket. Else correct"
            " `warehouse` under [pipeline] in luigi.cfg."
        )
        return naming(StorageError, doing, denied=denied, missing=missing)

    def naming_jobs(self, doing: str) -> AbstractContextManager[None]:
        """The same for errors about jobs."""
        project = self.billing_project
        denied = (
            f"Jobs need roles/bigquery.jobUser on {project} (`gcloud projects"
            f" add-iam-policy-binding {project} --member=MEMBER --role=roles/bigquery.jobUser`),"
            f" roles/bigquery.dataViewer on {self.source}, and roles/storage.objectUser on the"
            " bucket of `storage`."
        )
        missing = "Correct `billing_project` under [bigquery] in luigi.cfg."
        return naming(StorageError, doing, denied=denied, missing=missing)


@cache
def _client(project: str, _process: int) -> bigquery.Client:
    """One for each process: what Luigi forks shares no connection."""
    return bigquery.Client(project=project, credentials=credentials(EMULATOR))


@cache
def _find_location(dataset: Dataset) -> str:
    with dataset.naming(f"find the dataset {dataset.project}.{dataset.name}"):
        found = dataset.client.get_dataset(
            f"{dataset.project}.{dataset.name}", retry=RETRY, timeout=REQUEST_SECONDS
        )
    return str(found.location)


def label(values: Mapping[str, object]) -> dict[str, str]:
    """`values` as labels: small letters, digits, `_` and `-`, at most 63 of them.

    Source: cloud.google.com/bigquery/docs/labels-intro#requirements
    """
    return {name: _clean(str(value)) for name, value in values.items()}


def _clean(value: str) -> str:
    small = value.lower()
    return "".join(each if each.isalnum() and each.isascii() else "-" for each in small)[:63]
