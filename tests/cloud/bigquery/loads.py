"""Load jobs: Parquet files of Cloud Storage into a table or one partition of it.

bqemulator 1.4.0 goes by the columns' position, takes null for REQUIRED, knows no partition, no
new field and no schema of the job, and leaves a table empty when a file of WRITE_TRUNCATE is bad.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from bqemulator.domain.errors import NotFoundError, ValidationError

from tests.cloud.bigquery.errors import JobError
from tests.cloud.bigquery.names import Name
from tests.cloud.bigquery.objects import File, Objects
from tests.cloud.bigquery.resources import described
from tests.cloud.bigquery.rows import Rows
from tests.cloud.bigquery.schemas import (
    Field,
    absent,
    arrow_schema,
    changes,
    fields_in,
    fields_of_arrow,
    misfits,
)
from tests.cloud.bigquery.tables import Tables, fields_of

_READING = "Error while reading data, error message:"
_ADD = "ALLOW_FIELD_ADDITION"


@dataclass(frozen=True)
class Load:
    """What a load job was asked for; `settings` is the REST API's JobConfigurationLoad."""

    name: Name
    settings: Mapping[str, Any]
    tables: Tables
    rows: Rows
    objects: Objects

    @property
    def disposition(self) -> str:
        return str(self.settings.get("writeDisposition", "WRITE_APPEND"))

    @property
    def options(self) -> list[str]:
        return list(self.settings.get("schemaUpdateOptions") or [])

    @property
    def _lists(self) -> bool:
        return bool((self.settings.get("parquetOptions") or {}).get("enableListInference"))

    async def run(self) -> dict[str, Any]:
        """The job's statistics, after it has changed all or nothing."""
        self._check_settings()
        files = [each for uri in self.settings["sourceUris"] for each in self.objects.read(uri)]
        parts = [_parse(file) for file in files]
        fields = self._fields(parts[0].schema)
        self._check_files(files, parts, fields)
        new = self._prepare(fields)
        rows = pa.concat_tables([_fit(part, fields) for part in parts])
        await self.rows.write(self.name, rows, self.disposition, new)
        size = sum(len(file.content) for file in files)
        return {
            "inputFiles": str(len(files)),
            "inputFileBytes": str(size),
            "outputRows": str(rows.num_rows),
            "outputBytes": str(rows.nbytes),
            "badRecords": "0",
        }

    def _check_settings(self) -> None:
        """Source: cloud.google.com/bigquery/docs/reference/rest/v2/Job (schemaUpdateOptions)."""
        if self.settings.get("sourceFormat") != "PARQUET":
            raise ValidationError("Only Parquet files can be loaded here.")
        if set(self.options) - {_ADD}:
            raise ValidationError(f"No other schema update than {_ADD} is known here.")
        truncates = self.disposition == "WRITE_TRUNCATE" and self.name.partition
        if self.options and self.disposition != "WRITE_APPEND" and not truncates:
            raise ValidationError(
                "Schema update options should only be specified with WRITE_APPEND disposition, or"
                " with WRITE_TRUNCATE disposition on a table partition."
            )

    def _fields(self, found: pa.Schema) -> list[dict[str, Any]]:
        """The columns to load: those of the job, else of the table, else of the first file."""
        if given := fields_in(self.settings):
            return given
        if self.tables.exists(self.name.whole):
            return fields_of(self.tables.get(self.name))
        return fields_of_arrow(found, lists=self._lists)

    def _check_files(
        self, files: list[File], parts: list[pa.Table], fields: list[dict[str, Any]]
    ) -> None:
        """Raise `JobError` with a line for each file and column that does not fit."""
        found = [
            (f"{_READING} {why} File: {file.uri}", file.uri)
            for file, part in zip(files, parts, strict=True)
            for why in (
                *misfits(fields_of_arrow(part.schema, lists=self._lists), fields),
                *_nulls(part, fields),
            )
        ]
        if found:
            raise JobError("invalid", found)

    def _prepare(self, fields: list[dict[str, Any]]) -> list[Field]:
        """Make the table when it is not there; the fields that it is to have, if not as now."""
        name = self.name.whole
        if not self.tables.exists(name):
            if self.settings.get("createDisposition") == "CREATE_NEVER":
                raise NotFoundError(f"Not found: Table {name}")
            self.tables.create(name, fields, **described(self.settings))
            return []
        self._check_layout(name)
        old = fields_of(self.tables.get(name))
        needed = [each["name"] for each in absent(old, fields) if each["mode"] == "REQUIRED"]
        gone = [f"Field {column} is missing in new schema" for column in needed]
        for why in (*gone, *changes(old, fields, add=_ADD in self.options, relax=False)):
            raise ValidationError(f"Provided Schema does not match Table {self.name}. {why}")
        new = absent(fields, old)
        return [*old, *new] if new else []

    def _check_layout(self, name: Name) -> None:
        """Partitions and clusters that a job names are those of the table that is there."""
        given, table = described(self.settings), self.tables.get(name)
        for part in ("time_partitioning", "clustering"):
            asked, there = given.get(part), getattr(table, part)
            if part == "time_partitioning" and asked and there:
                there = there.model_copy(update={"expiration_ms": asked.expiration_ms})
            if asked is not None and asked != there:
                raise ValidationError(
                    "Incompatible table partitioning specification. Expects partitioning"
                    f" specification {there}, but input partitioning specification is {asked}"
                )


def _parse(file: File) -> pa.Table:
    try:
        return pq.read_table(io.BytesIO(file.content))
    except pa.ArrowException as error:
        why = f"{_READING} Input file is not in Parquet format: {error}. File: {file.uri}"
        raise JobError("invalid", [(why, file.uri)]) from error


def _fit(part: pa.Table, fields: list[dict[str, Any]]) -> pa.Table:
    """The rows with all of `fields`, in their order; a column that is missing is null."""
    names = {name.lower(): name for name in part.column_names}
    columns = []
    for field in arrow_schema(fields):
        name = names.get(field.name.lower())
        nulls = pa.nulls(part.num_rows, field.type)
        columns.append(nulls if name is None else part.column(name).cast(field.type))
    return pa.table(columns, schema=arrow_schema(fields))


def _nulls(part: pa.Table, fields: list[Field]) -> list[str]:
    """Columns that are REQUIRED and have nulls: a sentence each."""
    names = {name.lower(): name for name in part.column_names}
    required = [each["name"] for each in fields if each["mode"] == "REQUIRED"]
    return [
        f"Required field {name} cannot be null."
        for name in required
        if name.lower() in names and part.column(names[name.lower()]).null_count
    ]
