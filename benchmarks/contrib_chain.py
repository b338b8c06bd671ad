"""The example's chain as a user of luigi.contrib.gcs and luigi.contrib.bigquery would write it.

For benchmarks/request_count.py, which copies it to where luigi runs. The model is left out: what is
counted is what targets and tasks ask of Google Cloud. CONTRIB_ROOT is a gs:// folder,
CONTRIB_DATASET is project.dataset; the servers are where the clients' usual variables say.
"""

import json
import os
from functools import cache
from pathlib import Path

import httplib2
import luigi
from googleapiclient import discovery_cache
from luigi.contrib import bigquery, gcs

ROOT = os.environ["CONTRIB_ROOT"]
PROJECT, _, DATASET = os.environ["CONTRIB_DATASET"].partition(".")
QUERY = "SELECT customer_id, COUNT(*) AS purchases FROM transactions WHERE date < '{}' GROUP BY 1"


def describe(api: str, variable: str) -> str:
    """Google's own description of an API, with the address of the server that answers."""
    folder = Path(discovery_cache.__file__).with_name("documents")
    document = json.loads((folder / f"{api}.json").read_text())
    address = f"{os.environ[variable]}/"
    path = document["servicePath"]
    return json.dumps({**document, "rootUrl": address, "baseUrl": address + path})


@cache
def storage() -> gcs.GCSClient:
    return gcs.GCSClient(
        descriptor=describe("storage.v1", "STORAGE_EMULATOR_HOST"), http_=httplib2.Http()
    )


@cache
def warehouse() -> bigquery.BigQueryClient:
    return bigquery.BigQueryClient(
        descriptor=describe("bigquery.v2", "BIGQUERY_EMULATOR_HOST"), http_=httplib2.Http()
    )


def table(name: str) -> bigquery.BigQueryTarget:
    return bigquery.BigQueryTarget(PROJECT, DATASET, name, client=warehouse())


class Select(bigquery.BigQueryRunQueryTask):
    """Features of a date, in a table of their own."""

    action, date = luigi.Parameter(), luigi.DateParameter()
    use_legacy_sql = False

    @property
    def query(self) -> str:
        return QUERY.format(self.date).replace("FROM ", f"FROM `{PROJECT}.{DATASET}`.")

    def output(self) -> bigquery.BigQueryTarget:
        return table(f"{self.action}_{self.date:%Y%m%d}")


class Extract(bigquery.BigQueryExtractTask):
    """The same as a file."""

    action, date = luigi.Parameter(), luigi.DateParameter()
    destination_format = "PARQUET"

    def requires(self) -> luigi.Task:
        return Select(self.action, self.date)

    @property
    def destination_uris(self) -> list[str]:
        """BigQuery puts the number of a file in the place of the asterisk."""
        return [self.output().path.replace("0" * 12, "*")]

    def output(self) -> gcs.GCSTarget:
        path = f"{ROOT}/{self.action}/{self.date}/part-{'0' * 12}.parquet"
        return gcs.GCSTarget(path, format=luigi.format.Nop, client=storage())


class Train(luigi.Task):
    date = luigi.DateParameter()

    def requires(self) -> luigi.Task:
        return Extract("training", self.date)

    def output(self) -> gcs.GCSTarget:
        path = f"{ROOT}/models/{self.date}.joblib"
        return gcs.GCSTarget(path, format=luigi.format.Nop, client=storage())

    def run(self) -> None:
        with self.input().open("r") as data, self.output().open("w") as model:
            model.write(data.read())


class Apply(luigi.Task):
    date = luigi.DateParameter()

    def requires(self) -> list[luigi.Task]:
        return [Extract("application", self.date), Train(self.date)]

    def output(self) -> gcs.GCSTarget:
        path = f"{ROOT}/predictions/{self.date}.parquet"
        return gcs.GCSTarget(path, format=luigi.format.Nop, client=storage())

    def run(self) -> None:
        data, model = self.input()
        with data.open("r") as rows, model.open("r") as weights, self.output().open("w") as made:
            weights.read()
            made.write(rows.read())


class Load(bigquery.BigQueryLoadTask):
    date = luigi.DateParameter()
    source_format = "PARQUET"

    def requires(self) -> luigi.Task:
        return Apply(self.date)

    def output(self) -> bigquery.BigQueryTarget:
        return table(f"predictions_{self.date:%Y%m%d}")
