"""BigQuery on this machine: bqemulator's SQL and catalog, behind job semantics of ours.

    python -m tests.cloud.bigquery --port PORT --storage PORT_OF_STORAGE

bqemulator 1.4.0 translates BigQuery's SQL, runs it in DuckDB and keeps datasets. What it gets
wrong about jobs, tables and files in Cloud Storage is written anew here, one noun to a file; each
promise names the page of Google's documentation that makes it. Its own gRPC server, its uploads
and its routines are not served.
"""

import argparse
import asyncio
import re
from typing import Any

import uvicorn
from bqemulator.api.dependencies import AppContext
from bqemulator.api.errors import install_exception_handlers
from bqemulator.api.routes.datasets import router as datasets
from bqemulator.catalog.memory_repository import MemoryCatalogRepository
from bqemulator.config import LogLevel, Settings
from bqemulator.domain.clock import SystemClock
from bqemulator.domain.events import EventBus
from bqemulator.observability.logging_ import configure_logging
from bqemulator.observability.metrics import MetricsRegistry
from bqemulator.row_access.policy import RowAccessPolicyManager
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.udf.runtime import UDFRegistry
from bqemulator.versioning.snapshots import SnapshotManager
from duckdb import DuckDBPyConnection
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.cloud.bigquery.database import Database
from tests.cloud.bigquery.jobs import Jobs
from tests.cloud.bigquery.objects import Objects
from tests.cloud.bigquery.resources import Resources
from tests.cloud.bigquery.rows import Rows
from tests.cloud.bigquery.tables import Tables

_DECIMAL = re.compile(r"AS DECIMAL(\(18, 3\))?\)")
_PROJECT = "/bigquery/v2/projects/{project}"


class Engine(DuckDBEngine):
    """DuckDB with BigQuery's NUMERIC, and without geography, which would be downloaded."""

    def execute(self, sql: str, parameters: list[Any] | None = None) -> DuckDBPyConnection:
        # bqemulator writes NUMERIC as DuckDB's own DECIMAL, which keeps three decimals:
        # cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types
        return super().execute(_DECIMAL.sub("AS DECIMAL(38, 9))", sql), parameters)

    def _load_spatial(self) -> None:
        """Nothing."""


class OneAtATime:
    """Answers one request after the other: DuckDB's connection has room for one result."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._turn:
            await self._app(scope, receive, send)


def make_context(settings: Settings) -> AppContext:
    engine, clock, events = Engine(settings), SystemClock(), EventBus()
    catalog = MemoryCatalogRepository(engine)
    return AppContext(
        settings=settings,
        clock=clock,
        engine=engine,
        catalog=catalog,
        metrics=MetricsRegistry(),
        events=events,
        udf_registry=UDFRegistry(settings),
        snapshots=SnapshotManager(
            engine=engine,
            catalog=catalog,
            clock=clock,
            events=events,
            # No query of ours travels in time, so no table is copied when it changes.
            retention_days=0,
        ),
        row_access=RowAccessPolicyManager(catalog=catalog, clock=clock),
    )


def make_app(context: AppContext, objects: Objects) -> FastAPI:
    app = FastAPI(openapi_url=None)
    app.state.context = context
    install_exception_handlers(app)
    database = Database(context.engine)
    tables = Tables(context, database)
    rows = Rows(database, tables)
    jobs, resources = Jobs(context, tables, rows, objects), Resources(tables, rows)
    app.include_router(jobs.make_router(), prefix=_PROJECT)
    app.include_router(resources.make_router(), prefix=f"{_PROJECT}/datasets/{{dataset}}/tables")
    app.include_router(datasets)
    app.add_api_route("/healthz", is_healthy)
    return app


def is_healthy() -> dict[str, str]:
    return {}


async def serve(port: int, storage: int) -> None:
    settings = Settings(enable_format_extensions=False, log_level=LogLevel.ERROR)
    configure_logging(level=settings.log_level, fmt=settings.log_format)
    context = make_context(settings)
    await context.engine.start()
    app = OneAtATime(make_app(context, Objects(storage)))
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")
    await uvicorn.Server(config).serve()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--storage", type=int, required=True)
    given = options.parse_args()
    asyncio.run(serve(given.port, given.storage))


if __name__ == "__main__":
    main()
