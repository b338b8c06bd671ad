"""Why BigQuery refuses a query or fails to load files: its words, and what to do."""

import re

from google.api_core.exceptions import BadRequest, GoogleAPICallError, NotFound
from google.cloud.bigquery import LoadJob

from pipeline.errors import DataError, PipelineError, QueryError, StorageError
from pipeline.remaking import how_to_remake
from pipeline.warehouse import Batch, refusals

_PLACE = re.compile(r"\bat \[(\d+):(\d+)\]")
_MISSING = re.compile(r"Not found: (?:URI|Files?) (gs://[^;]+)")
_BUCKET = re.compile(r"gs://[^/]+")

# Reasons are listed at cloud.google.com/bigquery/docs/error-messages
_PASSING = {
    "backendError",
    "internalError",
    "rateLimitExceeded",
    "quotaExceeded",
    "tableUnavailable",
}


def read_refusal(error: GoogleAPICallError, query: str, limit: int) -> QueryError | None:
    """What is wrong with `query`; None when something else is wrong. `limit` is in bytes."""
    reason, message = _read(error)
    if reason == "bytesBilledLimitExceeded":
        return over_limit(message, limit)
    if not isinstance(error, BadRequest | NotFound):
        return None
    or_else = ""
    if isinstance(error, NotFound):
        or_else = ", or `source_dataset` under [bigquery] in luigi.cfg"
    return QueryError(
        f"The query can't be run: {_show_place(message, query)}. Correct the query{or_else}."
    )


def over_limit(would: str, limit: int) -> QueryError:
    """`would` says how much the query reads."""
    return QueryError(
        f"{would}, and `maximum_bytes_billed` under [bigquery] in luigi.cfg allows {limit:,}. Have"
        " the query read fewer columns or days, or allow more."
    )


def read_failure(job: LoadJob, batch: Batch, table: str) -> PipelineError:
    """Why `job` failed to load `batch`. It changed nothing."""
    told = _read_all(job)
    what = f"{table} of {batch.date} can't be loaded: {told}"
    missing = _MISSING.search(told)
    if missing:
        return refusals.missing_file(missing[1])
    if "different partition" in told:
        return refusals.other_dates(table, batch.date, "another date")
    if "not in Parquet format" in told:
        return refusals.broken_file(", ".join(_files(job)) or "A file", told)
    if "does not match Table" in told:
        return refusals.misfit(table, batch.date, [told])
    if "different locations" in told:
        return StorageError(f"{what}. Use a bucket in {job.location}, where the dataset is.")
    if job.error_result["reason"] == "accessDenied":
        bucket = _BUCKET.match(batch.files[0])
        return StorageError(
            f"{what}. Type `gcloud storage buckets add-iam-policy-binding"
            f" {bucket[0] if bucket else 'BUCKET'} --role=roles/storage.objectViewer"
            " --member=MEMBER`, where MEMBER is this account."
        )
    if job.error_result["reason"] in _PASSING:
        return StorageError(f"{what}. Run the command again.")
    return DataError(
        f"The files for {table} of {batch.date} can't be loaded, and the partition stays as it is:"
        f" {told}. Correct what writes them. {how_to_remake(batch.files[0])}"
    )


def _read(error: GoogleAPICallError) -> tuple[str, str]:
    """BigQuery's word for the reason, and its message in one line."""
    first = error.errors[0] if error.errors else {}
    message = first.get("message") or str(error.message).partition("\n")[0]
    return str(first.get("reason", "")), _line(message)


def _read_all(job: LoadJob) -> str:
    """All errors in one line, each with its file unless it names it itself."""
    told: list[str] = []
    for each in [job.error_result, *(job.errors or ())]:
        message, place = _line(each.get("message", "")), str(each.get("location", ""))
        line = f"{message} ({place})" if place and place not in message else message
        if not any(message in other for other in told):
            told.append(line)
    return "; ".join(told)


def _files(job: LoadJob) -> list[str]:
    places = {str(each.get("location", "")) for each in job.errors or ()}
    return sorted(each for each in places if _BUCKET.match(each))


def _line(message: object) -> str:
    return " ".join(str(message).split()).rstrip(".")


def _show_place(message: str, query: str) -> str:
    """`message` with the line of the query that it speaks of, which BigQuery gives as [2:16]."""
    found = _PLACE.search(message)
    if not found:
        return message
    line, column = int(found[1]), int(found[2])
    lines = query.splitlines()
    text = f" ({lines[line - 1].strip()})" if line <= len(lines) else ""
    return (
        f"{message[: found.start()]}in line {line}, column {column}{text}{message[found.end() :]}"
    )
