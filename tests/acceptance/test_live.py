"""`make test-live`, with servers of ours in the place of Google Cloud."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage

from tests.cloud.servers import PROJECT, Cloud
from tests.conftest import ROOT, Ended
from tests.live.selection import LEFT_OUT
from tests.waiting import wait_until

PASSED = re.compile(r"^(\S+)::(\w+)(\S*) PASSED", re.MULTILINE)


@dataclass
class Given:
    """What `make test-live` is given: a bucket and a dataset in which a user has things."""

    cloud: Cloud
    bucket: str
    dataset: str

    def __post_init__(self) -> None:
        anonymous = {"project": PROJECT, "credentials": AnonymousCredentials()}
        storage_, bigquery_ = (
            {**anonymous, "client_options": ClientOptions(api_endpoint=self.cloud.addresses[name])}
            for name in ("storage", "bigquery")
        )
        self._storage, self._bigquery = storage.Client(**storage_), bigquery.Client(**bigquery_)
        self._storage.bucket(self.bucket).blob("live-1/theirs").upload_from_string(b"theirs")
        for dataset in (self.dataset, f"{self.dataset}_live_theirs"):
            self._bigquery.create_dataset(f"{PROJECT}.{dataset}", exists_ok=True)
            self._bigquery.query_and_wait(f"CREATE TABLE `{PROJECT}.{dataset}.p` AS SELECT 1 AS id")

    def objects(self) -> list[tuple[str, int]]:
        """All objects of the bucket with their versions."""
        return [(blob.name, blob.generation) for blob in self._storage.list_blobs(self.bucket)]

    def there(self) -> tuple[list, list]:
        """All objects of the bucket, and all tables of all datasets."""
        tables = [
            (dataset.dataset_id, [table.table_id for table in self._bigquery.list_tables(dataset)])
            for dataset in self._bigquery.list_datasets()
        ]
        return self.objects(), tables

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """Type `make test-live PROJECT=... BUCKET=... DATASET=... WORDS`."""
        names = [f"PROJECT={PROJECT}", f"BUCKET={self.bucket}", f"DATASET={self.dataset}"]
        tools = ["-o", ".venv/installed", f"BIN={Path(sys.executable).parent}"]
        ours = ("MAKE", "MFLAGS", "PYTEST")
        own = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return subprocess.Popen(
            ["make", *tools, "test-live", *names, *words],
            cwd=ROOT,
            env={**own, **self.cloud.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, **environment: str) -> Ended:
        process = self.start(*words, **environment)
        try:
            output, _ = process.communicate()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        return Ended(process.returncode, output)


@pytest.fixture
def given(cloud: Cloud) -> Given:
    bucket, dataset = cloud.new_bucket(), cloud.new_dataset()
    return Given(cloud, bucket.removeprefix("gs://"), dataset.partition(".")[2])


@pytest.mark.timeout(1200)
def test_suites_queries_and_a_job_pass_and_nothing_is_left_of_them(given):
    before = given.there()
    ended = given.run()
    assert ended.status == 0, ended.output
    assert given.there() == before
    passed = PASSED.findall(ended.output)
    kinds = {Path(path).name for path, _, _ in passed}
    expected = {
        "test_storage.py",
        "test_storage_google.py",
        "test_warehouse.py",
        "test_warehouse_google.py",
        "live_chain.py",
    }
    # Whoever brings a model of her own takes these away.
    expected |= {path.name for path in ROOT.glob("prediction/tests/live_*.py")}
    assert kinds == expected
    assert not [which for _, _, which in passed if which.startswith("[local")]
    names = {name for _, name, _ in passed}
    left_out = set(ended.output.partition(" left out, as they ")[2].splitlines())
    assert not names & left_out
    assert {*LEFT_OUT, "test_a_download_that_is_cut_goes_on_where_it_was"} <= left_out
    assert not re.search(r"\b(SKIPPED|skipped)\b", ended.output)


def test_nothing_is_left_when_a_test_fails(given):
    before = given.there()
    given.cloud.faults.add("/o/.*object.bin", service="storage", status=403, message="no")
    ended = given.run("TESTS=-k 'written_is_read_back or first_load'")
    assert ended.status != 0
    assert re.search("1 failed, 1 passed", ended.output), ended.output
    assert "deleted all that was made: gs://" in ended.output
    given.cloud.faults.clear()
    assert given.there() == before


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("work", "sign"), [("half_a_write", "object.bin"), ("delivered", "/started.json")]
)
def test_nothing_is_left_when_a_signal_ends_it_amid_its_work(given, ending, work, sign):
    """By Ctrl-C or otherwise, while a process writes without end, and while a job works."""
    before = given.there()
    process = given.start(f"TESTS=-k {work}")
    try:
        wait_until(lambda: any(sign in name for name, _ in given.objects()), seconds=120)
        os.killpg(process.pid, ending)
        output, _ = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    assert given.there() == before, output


def test_what_can_not_be_deleted_is_told_with_the_command_that_does(given):
    given.cloud.faults.add("^DELETE /storage", status=403, message="not you")
    ended = given.run("TESTS=-k written_is_read_back")
    assert ended.status != 0
    assert re.search(
        rf"Not all is deleted .* not you.* `gcloud storage rm -r gs://{given.bucket}/live-\w+`",
        ended.output,
    ), ended.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["PROJECT="], r"PROJECT is not given\. Type `make test-live PROJECT="),
        (["BUCKET="], r"BUCKET is not given\. Type"),
        (["DATASET=a.b"], r"DATASET can't be 'a\.b': a name alone is wanted\. Type"),
        (
            ["BUCKET=no-such-bucket"],
            r"Can't use gs://no-such-bucket: .*There is no bucket no-such-bucket\. Make it:"
            r" `gcloud storage buckets create gs://no-such-bucket --location=LOCATION`",
        ),
        (
            ["DATASET=no_such"],
            r"Can't look at the dataset test-project\.no_such: .*Make it: `bq mk"
            r" --location=LOCATION --dataset test-project:no_such`",
        ),
    ],
)
def test_a_wrong_word_is_told_in_one_line_before_anything_is_made(given, words, message):
    before = given.there()
    assert_refused(given.run(*words), message)
    assert given.there() == before


def test_who_is_not_logged_in_reads_the_command_to_type(given, tmp_path):
    nobody = {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "NO_GCE_CHECK": "true"}
    nobody |= {"GOOGLE_APPLICATION_CREDENTIALS": "", "STORAGE_EMULATOR_HOST": ""}
    ended = given.run(**nobody, BIGQUERY_EMULATOR_HOST="")
    words = r"nobody is logged in to Google Cloud\. Type `gcloud auth application-default login`"
    assert_refused(ended, words)


def test_who_may_not_make_a_dataset_reads_it_once(given):
    before = given.there()
    message = "Access Denied: User does not have bigquery.datasets.create permission."
    given.cloud.faults.add(r"^POST .*/datasets\?", status=403, message=message)
    ended = given.run()
    assert ended.status != 0
    assert ended.output.count(message) == 1, ended.output
    assert "--role=roles/bigquery.user" in ended.output
    assert given.there() == before


def assert_refused(ended: Ended, message: str) -> None:
    """Nothing but the message is printed, and what `make` says of an error."""
    assert ended.status != 0
    told = [line for line in ended.output.splitlines() if line.strip()]
    assert re.search(f"^ERROR: .*{message}", told[0]), ended.output
    assert [line.split(":")[0] for line in told[1:]] == ["make"], ended.output
