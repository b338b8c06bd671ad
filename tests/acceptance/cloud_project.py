"""A user's project whose storage, warehouse and machines are in the cloud."""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage
from pyarrow import csv

from tests.cloud.servers import PROJECT, Cloud
from tests.conftest import Project
from tests.waiting import wait_until

ZONES = ("europe-west1-b", "europe-west1-c")
MACHINES = f"""
project = {PROJECT}
zones = {", ".join(ZONES)}
subnetwork = regions/europe-west1/subnetworks/default
service_account = jobs@{PROJECT}.iam.gserviceaccount.com
image = europe-west1-docker.pkg.dev/{PROJECT}/models/toy@sha256:{"0" * 64}
"""
VISITS = [bigquery.SchemaField("id", "INT64"), bigquery.SchemaField("day", "DATE")]


@dataclass
class CloudProject:
    """The commands of `project`, and what they leave in `bucket` and `dataset` of `cloud`."""

    project: Project
    cloud: Cloud
    bucket: str
    dataset: str

    def __post_init__(self) -> None:
        self.project.environment = {**self.project.environment, **self.cloud.environment}
        project, _, dataset = self.dataset.partition(".")
        self.project.replace_setting("= var/storage", f"= {self.bucket}/models")
        self.project.replace_setting("= var/warehouse.duckdb", f"= bigquery://{project}/{dataset}")
        self._upload_visits()
        self.cloud.requests.clear()

    def use_machines(self) -> None:
        """From now on jobs are carried out by machines of Compute Engine."""
        package = self.project.folder / "prediction"
        self.cloud.compute_engine.change(prediction=str(package))
        self.project.set(compute_engine=MACHINES)
        self.project.replace_setting("[pipeline]", "[pipeline]\ncompute = google")

    @property
    def environment(self) -> Mapping[str, str]:
        """What a command of the project must find in its environment."""
        return self.project.environment

    def luigi(self, *words: str):
        return self.project.luigi(*words)

    def table(
        self,
        what: str = "*",
        order: str = "date, id",
        version: int = 1,
        kind: str = "predictions",
    ) -> list[tuple[Any, ...]]:
        """Rows of all loaded dates, of predictions or evaluations."""
        table = f"`{self.dataset}.{kind}_v{version}`"
        query = f"SELECT {what} FROM {table} ORDER BY {order}"  # noqa: S608
        rows = self._bigquery().query_and_wait(query)
        return [tuple(row.values()) for row in rows]

    def objects(self, pattern: str = "") -> list[str]:
        """Names of all objects in the bucket that hold `pattern`."""
        client = self._storage()
        names = [blob.name for blob in client.list_blobs(self.bucket.removeprefix("gs://"))]
        return sorted(name for name in names if pattern in name)

    def read(self, name: str) -> bytes:
        """The content of one of `objects`."""
        bucket = self._storage().bucket(self.bucket.removeprefix("gs://"))
        return bucket.blob(name).download_as_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Put an object where `read` would find it."""
        bucket = self._storage().bucket(self.bucket.removeprefix("gs://"))
        bucket.blob(name).upload_from_string(content)

    def machines(self) -> list[str]:
        """Names of the machines that are there."""
        return self.cloud.compute_engine.left

    def problems(self, version: int) -> list[str]:
        """What is wrong once the date of a version is loaded: a sentence each.

        There must be one set of rows, one marker for each run, at most one machine for each job,
        and none left. The log of requests must be that of this version.
        """
        found = []
        [(rows, keys)] = self.table("COUNT(*), COUNT(DISTINCT id)", order="1", version=version)
        if (rows, keys) != (40, 40):
            found.append(f"{rows} rows of {keys} customers are loaded, not 40 of 40")
        names = self.objects(f"/v{version}/")
        markers = [name for name in names if name.endswith("_SUCCESS")]
        if len(markers) != 5:
            found.append(f"there are {len(markers)} markers, not 5")
        jobs = [name for name in names if name.endswith("/request.json")]
        inserts = self.cloud.requests.to("compute", "^POST .*/instances$")
        made = {each.json["name"] for each in inserts}
        if len(made) > len(jobs):
            found.append(f"{len(made)} machines were made for {len(jobs)} jobs")
        if left := self._lasting_machines():
            found.append(f"machines are left: {', '.join(left)}")
        return found

    def _lasting_machines(self) -> list[str]:
        """The machines that have not deleted themselves within a minute.

        Where a run is done already nobody waits for the end of its machine.
        """
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.machines(), seconds=60)
        return self.machines()

    def _upload_visits(self) -> None:
        content = io.BytesIO()
        pq.write_table(csv.read_csv(self.project.folder / "visits.csv"), content)
        bucket = self._storage().bucket(self.bucket.removeprefix("gs://"))
        bucket.blob("visits.parquet").upload_from_string(content.getvalue())
        config = bigquery.LoadJobConfig(schema=VISITS, source_format="PARQUET")
        self._bigquery().load_table_from_uri(
            f"{self.bucket}/visits.parquet", f"{self.dataset}.visits", job_config=config
        ).result()

    def _bigquery(self) -> bigquery.Client:
        return bigquery.Client(project=PROJECT, **self._options("BIGQUERY_EMULATOR_HOST"))

    def _storage(self) -> storage.Client:
        return storage.Client(project=PROJECT, **self._options("STORAGE_EMULATOR_HOST"))

    def _options(self, variable: str) -> dict[str, Any]:
        endpoint = ClientOptions(api_endpoint=self.cloud.environment[variable])
        return {"credentials": AnonymousCredentials(), "client_options": endpoint}
