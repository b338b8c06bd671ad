"""BigQuery's own words for what failed, and ours: those that no server here says."""

import datetime

import pytest
from google.api_core import exceptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from pipeline.errors import DataError, ObjectMissingError, StorageError, TableError
from pipeline.warehouse import Batch
from pipeline.warehouse.google.failures import read_failure, read_refusal

FILE = "gs://bucket/p/part-0.parquet"
BATCH = Batch(
    datetime.date(1998, 4, 1), [FILE], {"date": "date32[day]"}, ["id"], "gs://bucket/attempt"
)


def failed(*errors: dict[str, str]) -> bigquery.LoadJob:
    client = bigquery.Client(project="p", credentials=AnonymousCredentials())
    resource = {
        "jobReference": {"projectId": "p", "jobId": "j", "location": "EU"},
        "configuration": {"load": {}},
        "status": {"state": "DONE", "errorResult": errors[0], "errors": list(errors)},
    }
    return bigquery.LoadJob.from_api_repr(resource, client)


@pytest.mark.parametrize(
    ("reason", "message", "kind", "told"),
    [
        (
            "notFound",
            f"Not found: URI {FILE}",
            ObjectMissingError,
            f"{FILE} does not exist, so it can't be loaded. Run the task",
        ),
        (
            "invalid",
            "Provided Schema does not match Table p:d.t. Field id has changed type",
            TableError,
            "The files of 1998-04-01 do not fit the table t: Provided Schema does not match",
        ),
        (
            "invalid",
            "Cannot read and write in different locations: source: US, destination: EU",
            StorageError,
            "destination: EU. Use a bucket in EU, where the dataset is.",
        ),
        (
            "accessDenied",
            "Access Denied: File gs://bucket/p: Access Denied",
            StorageError,
            "`gcloud storage buckets add-iam-policy-binding gs://bucket --role=roles/storage.obj",
        ),
        (
            "quotaExceeded",
            "Quota exceeded: Your table exceeded quota for imports or query appends per table.",
            StorageError,
            "t of 1998-04-01 can't be loaded: Quota exceeded: Your table exceeded quota for imports"
            " or query appends per table. Run the command again.",
        ),
        (
            "invalid",
            "Something new",
            DataError,
            "the partition stays as it is: Something new. Correct what writes them",
        ),
    ],
)
def test_a_failed_load_is_told_with_what_to_do(reason, message, kind, told):
    error = read_failure(failed({"reason": reason, "message": message}), BATCH, "t")
    assert type(error) is kind
    assert told in str(error)


def test_each_error_of_a_load_is_told_once_with_its_file():
    job = failed(
        {"reason": "invalid", "message": "Bad row 3.", "location": FILE},
        {"reason": "invalid", "message": "Bad row 3.", "location": FILE},
        {"reason": "invalid", "message": "Bad row 9.\nFile: gs://bucket/x", "location": "gs://c/y"},
    )
    assert f": Bad row 3 ({FILE}); Bad row 9. File: gs://bucket/x (gs://c/y). Correct" in str(
        read_failure(job, BATCH, "t")
    )


def test_a_place_in_a_query_is_told_with_its_line():
    error = exceptions.BadRequest("Syntax error: Unexpected keyword FROM at [2:3] in it.")
    refusal = read_refusal(error, "SELECT\n  FROM x", 1)
    assert "keyword FROM in line 2, column 3 (FROM x) in it. Correct the query." in str(refusal)


def test_a_place_beyond_the_query_is_told_as_it_is():
    error = exceptions.BadRequest("Syntax error: Unexpected end of script at [9:1]")
    assert "in line 9, column 1. Correct" in str(read_refusal(error, "SELECT", 1))


def test_what_is_not_the_querys_fault_is_no_refusal():
    for kind in (exceptions.Forbidden, exceptions.InternalServerError, exceptions.Conflict):
        assert read_refusal(kind("no"), "SELECT 1", 1) is None
