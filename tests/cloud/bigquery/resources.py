"""The REST API of tables and their rows: cloud.google.com/bigquery/docs/reference/rest/v2/tables.

bqemulator 1.4.0 notes a new schema without adding the column, forgets expiration and views'
queries, and takes an old etag.
"""

import datetime
from collections.abc import Mapping
from typing import Any

from bqemulator.catalog.models import Clustering, TableMeta, TimePartitioning
from bqemulator.domain.errors import DomainError, ValidationError
from bqemulator.storage.arrow_bridge import arrow_table_to_bq_rows
from fastapi import APIRouter, Request, Response

from tests.cloud.bigquery.names import Name
from tests.cloud.bigquery.rows import Rows
from tests.cloud.bigquery.schemas import absent, changes, fields_in
from tests.cloud.bigquery.tables import Tables, fields_of

_ROWS_OF_A_PAGE = 10_000


class PreconditionFailedError(DomainError):
    http_status = 412
    bq_reason = "conditionNotMet"
    grpc_status_name = "FAILED_PRECONDITION"


class Resources:
    """What the API answers about the tables of /projects/{project}/datasets/{dataset}/tables."""

    def __init__(self, tables: Tables, rows: Rows) -> None:
        self._tables = tables
        self._rows = rows

    def make_router(self) -> APIRouter:
        router = APIRouter()
        router.add_api_route("", self.list_all, methods=["GET"])
        router.add_api_route("", self.insert, methods=["POST"])
        router.add_api_route("/{table}", self.get, methods=["GET"])
        router.add_api_route("/{table}", self.patch, methods=["PATCH", "PUT"])
        router.add_api_route("/{table}", self.delete, methods=["DELETE"])
        router.add_api_route("/{table}/data", self.list_rows, methods=["GET"])
        return router

    def list_all(self, project: str, dataset: str) -> dict[str, Any]:
        found = [self._told(name) for name in self._tables.names(project, dataset)]
        return {"kind": "bigquery#tableList", "tables": found, "totalItems": len(found)}

    async def insert(self, project: str, dataset: str, request: Request) -> dict[str, Any]:
        body = await request.json()
        name = Name.parse(project, dataset, body["tableReference"]["tableId"])
        if "view" in body:
            self._tables.refuse_existing(name)
            await self._tables.create_view(name, body["view"]["query"])
            self._tables.change(name, **described(body))
        else:
            self._tables.create(name, fields_in(body), **described(body))
        return self._told(name)

    def get(self, project: str, dataset: str, table: str) -> dict[str, Any]:
        return self._told(Name.parse(project, dataset, table))

    async def patch(
        self, project: str, dataset: str, table: str, request: Request
    ) -> dict[str, Any]:
        """tables.patch, and tables.update, which is never sent with less than there is.

        An etag that is old is refused: RFC 9110, section 13.1.1.
        """
        name, body = Name.parse(project, dataset, table), await request.json()
        meta = self._tables.get(name)
        if request.headers.get("if-match", meta.etag) not in (meta.etag, "*"):
            raise PreconditionFailedError("Precondition check failed.")
        if body.get("view"):
            await self._tables.create_view(name, body["view"]["query"])
        elif body.get("schema"):
            refuse_change(name, meta, body)
            await self._tables.set_fields(name, fields_in(body))
        self._tables.change(name, **described(body, meta.labels))
        return self._told(name)

    def delete(self, project: str, dataset: str, table: str) -> Response:
        name = Name.parse(project, dataset, table)
        if name.partition:
            self._rows.empty(name)
        else:
            self._tables.drop(name)
        return Response(status_code=204)

    def list_rows(self, project: str, dataset: str, table: str, request: Request) -> dict[str, Any]:
        """tabledata.list."""
        name, asked = Name.parse(project, dataset, table), request.query_params
        if self._tables.get(name).table_type == "VIEW":
            raise ValidationError(f"Cannot list a table of type VIEW: {name}")
        start, limit = page_of(asked)
        chosen = list(filter(None, asked.get("selectedFields", "").split(",")))
        page, total = self._rows.read(name, chosen, start, limit), self._rows.count(name)
        told = {"totalRows": str(total), "rows": arrow_table_to_bq_rows(page)}
        if (following := start + page.num_rows) < total:
            told["pageToken"] = str(following)
        return {"kind": "bigquery#tableDataList", **told}

    def _told(self, name: Name) -> dict[str, Any]:
        meta = self._tables.get(name)
        told = resource(name, meta)
        told["location"] = self._tables.location(name.project, name.dataset)
        if meta.table_type != "VIEW":
            told["numRows"] = str(self._rows.count(name))
            told["numBytes"] = str(self._rows.bytes(name))
        return told


def page_of(asked: Mapping[str, str]) -> tuple[int, int]:
    """The first row and the number of rows that a request for a page of rows asks for."""
    start = int(asked.get("pageToken") or asked.get("startIndex") or 0)
    return start, min(int(asked.get("maxResults") or _ROWS_OF_A_PAGE), _ROWS_OF_A_PAGE)


def refuse_change(name: Name, meta: TableMeta, body: Mapping[str, Any]) -> None:
    """Raise `ValidationError` unless columns are only added, or made nullable."""
    old, new = fields_of(meta), fields_in(body)
    gone = [f"Field {each['name']} is missing in new schema" for each in absent(old, new)]
    for why in (*gone, *changes(old, new, add=True, relax=True)):
        raise ValidationError(f"Provided Schema does not match Table {name}. {why}.")


def described(body: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What a request says of a table beside its columns, as values of `TableMeta`.

    A label that is null is taken away: cloud.google.com/bigquery/docs/deleting-labels
    """
    values: dict[str, Any] = {}
    if "labels" in body:
        merged = {**(labels or {}), **(body["labels"] or {})}
        values["labels"] = {key: value for key, value in merged.items() if value is not None}
    for theirs, ours in (("description", "description"), ("friendlyName", "friendly_name")):
        if theirs in body:
            values[ours] = body[theirs]
    if "expirationTime" in body:
        values["expiration_time"] = _time(body["expirationTime"])
    if body.get("timePartitioning"):
        asked = body["timePartitioning"]
        values["time_partitioning"] = TimePartitioning(
            type=asked.get("type", "DAY"),
            field=asked.get("field"),
            expiration_ms=asked.get("expirationMs"),
            require_partition_filter=asked.get("requirePartitionFilter", False),
        )
    if body.get("clustering"):
        values["clustering"] = Clustering(fields=tuple(body["clustering"]["fields"]))
    return values


def resource(name: Name, meta: TableMeta) -> dict[str, Any]:
    """A table, or with a decorator a partition of it, as the API writes it; without its rows."""
    view = meta.table_type == "VIEW"
    told = {
        "kind": "bigquery#table",
        "etag": meta.etag,
        "id": str(name),
        "tableReference": name.reference,
        "type": meta.table_type,
        "creationTime": _milliseconds(meta.creation_time),
        "lastModifiedTime": _milliseconds(meta.last_modified_time),
        "expirationTime": meta.expiration_time and _milliseconds(meta.expiration_time),
        "schema": {"fields": fields_of(meta)},
        "description": meta.description,
        "friendlyName": meta.friendly_name,
        "labels": meta.labels or None,
        "view": {"query": meta.view_query, "useLegacySql": False} if view else None,
    }
    if meta.clustering:
        told["clustering"] = {"fields": list(meta.clustering.fields)}
    if partitioning := meta.time_partitioning:
        told["timePartitioning"] = {
            "type": partitioning.type,
            "field": partitioning.field,
            "requirePartitionFilter": partitioning.require_partition_filter,
        }
        if partitioning.expiration_ms:
            told["timePartitioning"]["expirationMs"] = str(partitioning.expiration_ms)
    return {key: value for key, value in told.items() if value is not None}


def _milliseconds(time: datetime.datetime) -> str:
    return str(int(time.timestamp() * 1000))


def _time(milliseconds: str | None) -> datetime.datetime | None:
    if milliseconds is None:
        return None
    return datetime.datetime.fromtimestamp(int(milliseconds) / 1000, datetime.UTC)
