"""A project of a user on Google Cloud, as the benchmarks need it: servers, bucket and settings."""

import configparser
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from measuring import ROOT, project

sys.path.insert(0, str(ROOT))

from tests.cloud.servers import PROJECT, Cloud

ZONES = ("europe-west1-b", "europe-west1-c")
MACHINES = {
    "project": PROJECT,
    "zones": ", ".join(ZONES),
    "subnetwork": "regions/europe-west1/subnetworks/default",
    "service_account": f"jobs@{PROJECT}.iam.gserviceaccount.com",
    "image": f"europe-west1-docker.pkg.dev/{PROJECT}/models/churn@sha256:{'0' * 64}",
}


@dataclass
class CloudProject:
    """A copy of the example whose storage is `bucket` and whose warehouse is `dataset`."""

    folder: Path
    cloud: Cloud
    bucket: str
    dataset: str

    def set(self, section: str, **settings: str) -> None:
        """Change settings of one section of luigi.cfg."""
        path = self.folder / "luigi.cfg"
        parser = configparser.RawConfigParser()
        parser.read(path)
        parser[section].update(settings)
        with path.open("w") as file:
            parser.write(file)

    def upload(self, name: str, content: bytes) -> None:
        self._bucket.blob(name).upload_from_string(content)

    def names(self, pattern: str) -> list[str]:
        """Names of the objects that the regular expression finds."""
        return [blob.name for blob in self._bucket.list_blobs() if re.search(pattern, blob.name)]

    @cached_property
    def _bucket(self) -> storage.Bucket:
        """As machines see it, so that the log tells these requests from the orchestrator's."""
        endpoint = {"api_endpoint": self.cloud.addresses["machines"]}
        client = storage.Client(PROJECT, AnonymousCredentials(), client_options=endpoint)
        return client.bucket(self.bucket.removeprefix("gs://"))


@contextmanager
def cloud_project() -> Iterator[CloudProject]:
    """Servers and a project, which go at the end. Clients of this process find the servers, too."""
    with project() as folder, Cloud() as cloud:
        os.environ.update(cloud.environment)
        made = CloudProject(folder, cloud, cloud.new_bucket(), cloud.new_dataset())
        home, _, dataset = made.dataset.partition(".")
        made.set(
            "pipeline",
            storage=f"{made.bucket}/models",
            warehouse=f"bigquery://{home}/{dataset}",
            compute="google",
        )
        made.set("compute_engine", **MACHINES)
        yield made
