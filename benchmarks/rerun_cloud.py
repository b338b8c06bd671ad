"""A date that is done, asked for again with `gs://`, against Luigi tasks that ask for their blobs.

.venv/bin/python benchmarks/rerun_cloud.py
"""

import argparse
from functools import partial

from cloud import CloudProject, cloud_project
from measuring import LUIGI, compare, head, judge, measure, tell

from pipeline.layout import load_family

DATE = "1998-04-01"
GOAL = 1.15
BARE = """
import luigi
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage


class Blob(luigi.Target):
    def __init__(self, name):
        client = storage.Client(project="p", credentials=AnonymousCredentials())
        self.blob = client.bucket("BUCKET").blob(name)

    def exists(self):
        return self.blob.exists()


class Extract(luigi.Task):
    date = luigi.DateParameter()

    def output(self):
        return Blob(f"bare/{self.task_family}-{self.date}")


class Apply(Extract):
    def requires(self):
        return Extract(self.date)


class Load(Extract):
    def requires(self):
        return Apply(self.date)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    rounds = options.parse_args().rounds
    head("rerun: a date that is done in Cloud Storage, asked for again")
    with cloud_project() as place:
        ours = ask(place, "pipeline", "LoadToBigQuery")
        finish(place)
        (place.folder / "bare.py").write_text(
            BARE.replace("BUCKET", place.bucket.removeprefix("gs://"))
        )
        place.upload(f"bare/Load-{DATE}", b"")
        found = compare(ours, ask(place, "bare", "Load"), rounds)
        place.cloud.requests.clear()
        ours()
        asked = place.cloud.requests.to("storage")
    tell("LoadToBigQuery", found.ours)
    tell("bare chain", found.rival)
    judge("CPU, ratio", found.ratio("cpu"), at_most=GOAL)
    judge("requests", len(asked), at_most=2, unit="")


def ask(place: CloudProject, module: str, task: str) -> partial:
    command = [*LUIGI, module, task, "--date", DATE, "--local-scheduler"]
    return partial(measure, command, place.folder, alone=True)


def finish(place: CloudProject) -> None:
    """As if the date had been loaded: its marker."""
    home, _, dataset = place.dataset.partition(".")
    family = load_family(f"bigquery://{home}/{dataset}", "predictions_v1")
    place.upload(f"models/churn/v1/{family}/date={DATE}/_SUCCESS", b"{}")


if __name__ == "__main__":
    main()
