"""Jobs: their ids, where they run, how they end: cloud.google.com/bigquery/docs/reference/rest/v2.

bqemulator 1.4.0 takes a job id twice, knows no location but US, and answers 404 for a failed
query's results.
"""

import time
import traceback
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import duckdb
from bqemulator.api.dependencies import AppContext
from bqemulator.domain.errors import AlreadyExistsError, DomainError, NotFoundError, ValidationError
from bqemulator.jobs.executor import JOB_RESULTS, JOB_SCHEMAS
from bqemulator.storage.arrow_bridge import arrow_table_to_bq_rows
from fastapi import APIRouter, Request

from tests.cloud.bigquery.errors import FailedJobError, told
from tests.cloud.bigquery.loads import Load
from tests.cloud.bigquery.names import Name
from tests.cloud.bigquery.objects import Objects
from tests.cloud.bigquery.queries import Query
from tests.cloud.bigquery.resources import page_of
from tests.cloud.bigquery.rows import Rows
from tests.cloud.bigquery.tables import Tables

# A job elsewhere is found only by who says where: cloud.google.com/bigquery/docs/locations
_FOUND_ANYWHERE = ("US", "EU")

Statistics = dict[str, Any]


def _now() -> str:
    return str(int(time.time() * 1000))


@dataclass
class Job:
    project: str
    id: str
    location: str
    configuration: dict[str, Any]
    statistics: Statistics = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    created: str = field(default_factory=_now)
    ended: str = ""

    def resource(self, state: str = "DONE") -> dict[str, Any]:
        status: dict[str, Any] = {"state": state}
        if self.errors and state == "DONE":
            status |= {"errorResult": self.errors[0], "errors": self.errors}
        times = {"creationTime": self.created, "startTime": self.created}
        done = {**times, **self.statistics, "endTime": self.ended or self.created}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{self.location}.{self.id}",
            "jobReference": self.reference,
            "configuration": self.configuration,
            "status": status,
            "statistics": done if state == "DONE" else times,
        }

    @property
    def reference(self) -> dict[str, str]:
        return {"projectId": self.project, "jobId": self.id, "location": self.location}


class Jobs:
    def __init__(self, context: AppContext, tables: Tables, rows: Rows, objects: Objects) -> None:
        self._context = context
        self._tables = tables
        self._rows = rows
        self._objects = objects
        self._jobs: dict[tuple[str, str], Job] = {}
        self._answered: dict[str, dict[str, Any]] = {}

    def make_router(self) -> APIRouter:
        """Routes below /projects/{project}."""
        router = APIRouter()
        router.add_api_route("/jobs", self.insert, methods=["POST"])
        router.add_api_route("/jobs/{job}", self.get, methods=["GET"])
        router.add_api_route("/jobs/{job}/cancel", self.cancel, methods=["POST"])
        router.add_api_route("/queries", self.query, methods=["POST"])
        router.add_api_route("/queries/{job}", self.results, methods=["GET"])
        return router

    async def insert(self, project: str, request: Request) -> dict[str, Any]:
        """jobs.insert. The job is done when the client asks for it the next time."""
        body = await request.json()
        reference = body.get("jobReference") or {}
        job = self._make(project, reference, body["configuration"])
        if job.configuration.get("dryRun"):
            job.statistics = await self._query(job).dry_run()
            return job.resource()
        self._keep(job)
        await self._run(job)
        return job.resource("RUNNING")

    def get(self, project: str, job: str, location: str = "") -> dict[str, Any]:
        return self._find(project, job, location).resource()

    def cancel(self, project: str, job: str, location: str = "") -> dict[str, Any]:
        """jobs.cancel: it comes too late."""
        return {"job": self._find(project, job, location).resource()}

    async def query(self, project: str, request: Request) -> dict[str, Any]:
        """jobs.query; asked twice with one `requestId`, it runs once."""
        body = await request.json()
        asked = body.get("requestId", "")
        if asked in self._answered:
            return self._answered[asked]
        job = self._make(project, {"location": body.get("location")}, {"query": body})
        if body.get("dryRun"):
            job.statistics = await self._query(job).dry_run()
            return {"jobComplete": True, **job.statistics["query"]}
        self._keep(job)
        await self._run(job)
        answer = self._results(job, *page_of(body))
        if asked:
            self._answered[asked] = answer
        return answer

    def results(self, project: str, job: str, request: Request) -> dict[str, Any]:
        """jobs.getQueryResults."""
        asked = request.query_params
        found = self._find(project, job, asked.get("location", ""))
        return self._results(found, *page_of(asked))

    def _make(self, project: str, reference: dict[str, Any], configuration: Any) -> Job:
        """A job in the place of its datasets; raises `NotFoundError` when they are elsewhere.

        Source: cloud.google.com/bigquery/docs/locations#specify_locations
        """
        job = Job(project, reference.get("jobId") or str(uuid4()), "", configuration)
        asked = reference.get("location") or ""
        for owner, dataset in self._datasets(job):
            location = self._tables.location(owner, dataset)
            if asked and asked.lower() != location.lower():
                raise NotFoundError(
                    f"Not found: Dataset {owner}:{dataset} was not found in location {asked}"
                )
            job.location = location
        job.location = job.location or asked or "US"
        return job

    def _datasets(self, job: Job) -> list[tuple[str, str]]:
        configuration = job.configuration
        if "query" in configuration:
            return self._query(job).datasets()
        found = configuration.get("load", {}).get("destinationTable")
        found = found or configuration.get("extract", {}).get("sourceTable")
        return [(found["projectId"], found["datasetId"])] if found else []

    def _keep(self, job: Job) -> None:
        """A job's id is taken for good: cloud.google.com/bigquery/docs/running-jobs#generate-jobid.

        Raises `AlreadyExistsError`.
        """
        if (job.project, job.id) in self._jobs:
            raise AlreadyExistsError(f"Already Exists: Job {job.project}:{job.location}.{job.id}")
        self._jobs[job.project, job.id] = job

    async def _run(self, job: Job) -> None:
        try:
            job.statistics = await self._work(job)
        except DomainError as error:
            job.errors = told(error)
        except duckdb.Error as error:
            job.errors = [{"reason": "invalidQuery", "message": str(error), "location": "query"}]
        except Exception:  # noqa: BLE001 - a client would ask again for ten minutes
            job.errors = [{"reason": "notImplemented", "message": traceback.format_exc()}]
        job.ended = _now()

    async def _work(self, job: Job) -> Statistics:
        configuration = job.configuration
        if "query" in configuration:
            return await self._query(job).run()
        if "load" in configuration:
            settings = configuration["load"]
            name = Name.of(settings["destinationTable"])
            load = Load(name, settings, self._tables, self._rows, self._objects)
            return {"load": await load.run()}
        if "extract" in configuration:
            return {"extract": self._extract(configuration["extract"])}
        raise ValidationError("Only query, load and extract jobs run here.")

    def _extract(self, settings: dict[str, Any]) -> Statistics:
        """Source: cloud.google.com/bigquery/docs/exporting-data."""
        if settings.get("destinationFormat") != "PARQUET":
            raise ValidationError("Tables are extracted only as Parquet here.")
        name = Name.of(settings["sourceTable"])
        rows = self._rows.read(name, [], 0, self._rows.count(name))
        uris = settings["destinationUris"]
        counts = [str(self._objects.write(uri, rows, overwrite=True)) for uri in uris]
        return {"destinationUriFileCounts": counts}

    def _query(self, job: Job) -> Query:
        settings = job.configuration["query"]
        return Query(
            job.project, job.id, settings, self._context, self._tables, self._rows, self._objects
        )

    def _find(self, project: str, job: str, location: str) -> Job:
        found = self._jobs.get((project, job))
        if found is None or not self._is_at(found, location):
            raise NotFoundError(f"Not found: Job {project}:{location or 'US'}.{job}")
        return found

    def _is_at(self, job: Job, location: str) -> bool:
        if not location:
            return job.location in _FOUND_ANYWHERE
        return job.location.lower() == location.lower()

    def _results(self, job: Job, start: int, limit: int) -> dict[str, Any]:
        """A page of rows; raises `FailedJobError` when the job failed."""
        if job.errors:
            raise FailedJobError(job.errors)
        rows, fields = JOB_RESULTS[job.id], JOB_SCHEMAS.get(job.id, [])
        page = arrow_table_to_bq_rows(rows, start, limit)
        answer: dict[str, Any] = {
            "jobReference": job.reference,
            "jobComplete": True,
            "schema": {"fields": fields},
            "rows": page,
            "totalRows": str(rows.num_rows),
            "totalBytesProcessed": job.statistics["totalBytesProcessed"],
            "cacheHit": False,
        }
        if start + len(page) < rows.num_rows:
            answer["pageToken"] = str(start + len(page))
        affected = job.statistics["query"].get("numDmlAffectedRows")
        return answer if affected is None else {**answer, "numDmlAffectedRows": affected}
