"""Jobs of BigQuery: each started once under a name of ours, awaited, and asked what it cost."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as StillRunningError
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.cloud import bigquery
from google.cloud.bigquery import LoadJob, LoadJobConfig, QueryJob, QueryJobConfig

from pipeline.errors import StorageError
from pipeline.google_cloud import REQUEST_SECONDS
from pipeline.warehouse.google.dataset import RETRY, Dataset, label
from pipeline.warehouse.google.failures import read_refusal

if TYPE_CHECKING:
    import datetime
    from collections.abc import Iterator, Sequence

    from google.cloud.bigquery.table import RowIterator

logger = logging.getLogger("luigi-interface.pipeline")

AnyJob = TypeVar("AnyJob", QueryJob, LoadJob)

# BigQuery ends a query, and a load, after six hours:
# cloud.google.com/bigquery/quotas#query_jobs, #load_jobs
_LIMIT_SECONDS = 6.5 * 3600
# That a job is there can be told a little before it can be read:
# github.com/googleapis/python-bigquery/issues/2134
_UNTIL_SEEN = Retry(if_exception_type(exceptions.NotFound), initial=0.2, maximum=5, timeout=60)


@dataclass(frozen=True)
class Answer:
    """A query that was run, and its rows, which are fetched when they are asked for."""

    job: QueryJob
    rows: "RowIterator"


@dataclass(frozen=True)
class Jobs:
    """Those of one dataset.

    Parameters
    ----------
    dataset : Dataset
    maximum_bytes_billed : int
        BigQuery refuses a query that would be billed more, before it costs anything.
    labels : name -> value
        Set on every job, beside what it does and for which date.
    """

    dataset: Dataset
    maximum_bytes_billed: int
    labels: Mapping[str, str]

    def name(self, does: str, date: "datetime.date | None", *told: object) -> str:
        """The id of the job that `does` something: whoever is told the same says the same."""
        digest = hashlib.sha256("\n".join(map(str, told)).encode()).hexdigest()[:24]
        day = f"_{date:%Y%m%d}" if date else ""
        return f"{label(self.labels).get('name', 'pipeline')}_{does}{day}_{digest}"

    def label(self, does: str, date: "datetime.date | None") -> dict[str, str]:
        return label({**self.labels, "task": does, **({"date": date} if date else {})})

    def plan(self, query: str, config: QueryJobConfig) -> QueryJob:
        """What a user's query would return and read, told without running it. Costs nothing."""
        config.dry_run, config.use_query_cache = True, False
        with self._naming(), self._refusing(query):
            return self._ask(query, config, None)

    def query(
        self,
        query: str,
        config: QueryJobConfig,
        name: str | None = None,
        *,
        by_user: bool = False,
    ) -> Answer:
        """Run `query` to its end, once under `name`.

        Raises `QueryError` when it is refused and was written `by_user`.
        """
        config.maximum_bytes_billed = self.maximum_bytes_billed
        with self._naming(), self._refusing(query) if by_user else nullcontext():
            job = self._start(name, lambda: self._ask(query, config, name))
            return Answer(job, _wait(job))

    def load(
        self, files: "Sequence[str]", destination: str, config: LoadJobConfig, name: str
    ) -> LoadJob:
        """Load `files` to the end, once under `name`. The job may have failed: see its errors."""
        client = self.dataset.client
        with self.dataset.naming_jobs(f"load into {destination}"):
            job = self._start(
                name,
                lambda: client.load_table_from_uri(
                    files,
                    destination,
                    job_id=name,
                    location=self.dataset.location,
                    job_config=config,
                    retry=RETRY,
                    timeout=REQUEST_SECONDS,
                ),
            )
            try:
                _wait(job)
            except exceptions.GoogleAPICallError:
                if not job.error_result:
                    raise
            return job

    def _ask(self, query: str, config: QueryJobConfig, name: str | None) -> QueryJob:
        return self.dataset.client.query(
            query,
            job_config=config,
            job_id=name,
            location=self.dataset.location,
            retry=RETRY,
            job_retry=None,
            timeout=REQUEST_SECONDS,
        )

    def _start(self, name: str | None, start: Callable[[], AnyJob]) -> AnyJob:
        try:
            return start()
        except exceptions.Conflict:
            if name is None:
                raise
            # It is ours: the reply was lost, or whoever asked before was killed.
            logger.info("%s is there already, so it is only waited for.", name)
            find = _UNTIL_SEEN(self.dataset.client.get_job)
            location = self.dataset.location
            found: Any = find(name, location=location, retry=RETRY, timeout=REQUEST_SECONDS)
            return found  # type: ignore[no-any-return]

    def _naming(self) -> AbstractContextManager[None]:
        return self.dataset.naming_jobs(f"run a query as {self.dataset.billing_project}")

    @contextmanager
    def _refusing(self, query: str) -> "Iterator[None]":
        """Tell what is wrong with a query apart from what is wrong with BigQuery."""
        try:
            yield
        except exceptions.GoogleAPICallError as error:
            refusal = read_refusal(error, query, self.maximum_bytes_billed)
            if refusal is None:
                raise
            raise refusal from error


def _wait(job: Any) -> Any:
    """The result of `job`, once it has ended."""
    limit = {} if isinstance(job, LoadJob) else {"job_retry": None}
    end = time.monotonic() + _LIMIT_SECONDS
    while True:
        try:
            return job.result(retry=RETRY, timeout=REQUEST_SECONDS, **limit)
        except StillRunningError:
            if time.monotonic() > end:
                raise StorageError(
                    f"The job {job.job_id} in {job.location} has not ended after"
                    f" {_LIMIT_SECONDS / 3600:g} hours. Look at it in BigQuery's console."
                ) from None


def cost(jobs: Iterable[QueryJob]) -> dict[str, int]:
    """What queries were billed together."""
    done = list(jobs)
    return {
        "bytes_billed": sum(job.total_bytes_billed or 0 for job in done),
        "slot_milliseconds": sum(job.slot_millis or 0 for job in done),
    }


def date_parameters(values: "Mapping[str, datetime.date]") -> list[bigquery.ScalarQueryParameter]:
    return [bigquery.ScalarQueryParameter(name, "DATE", value) for name, value in values.items()]
