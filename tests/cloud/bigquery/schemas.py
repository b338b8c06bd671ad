"""Columns: of tables as BigQuery tells them, of Parquet, and whether the two go together."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

# As the REST API writes them: cloud.google.com/bigquery/docs/reference/rest/v2/tables
_OLD_NAMES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "STRUCT": "RECORD"}

# cloud.google.com/bigquery/docs/exporting-data#parquet_export_details
_ARROW = {
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "DATETIME": pa.timestamp("us"),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "NUMERIC": pa.decimal128(38, 9),
    "BIGNUMERIC": pa.decimal256(76, 38),
    "JSON": pa.string(),
}

_NULLABLE = "NULLABLE"

Field = Mapping[str, Any]


def normal(fields: Sequence[Field]) -> list[dict[str, Any]]:
    """Fields with the types' old names and their modes in full."""
    return [{**each, "type": _type(each), "mode": _mode(each)} for each in fields]


def arrow_schema(fields: Sequence[Field]) -> pa.Schema:
    return pa.schema([(each["name"], _arrow(each)) for each in normal(fields)])


def fields_in(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of the `schema` of a request's part; none without one."""
    return normal((body.get("schema") or {}).get("fields") or [])


def fields_of_arrow(schema: pa.Schema, *, lists: bool = False) -> list[dict[str, Any]]:
    """What BigQuery makes of a Parquet file's columns; with `lists` of lists too.

    Sources: cloud.google.com/bigquery/docs/loading-data-cloud-storage-parquet, "Parquet
    conversions" and "List logical type"
    """
    fields = []
    for column in schema:
        repeated = lists and pa.types.is_list(column.type)
        kind = column.type.value_type if repeated else column.type
        mode = "REPEATED" if repeated else _NULLABLE
        fields.append({"name": column.name, "type": _of_arrow(kind), "mode": mode})
    return fields


def misfits(found: Sequence[Field], wanted: Sequence[Field]) -> Iterator[str]:
    """Why a file with the fields `found` can't be loaded as `wanted`: a sentence each.

    Columns go by name; one that is missing is null.
    """
    types = {each["name"].lower(): _shape(each) for each in normal(found)}
    names = {each["name"].lower() for each in wanted}
    for field in normal(wanted):
        name, kind = field["name"], types.get(field["name"].lower())
        if kind is None and field["mode"] == "REQUIRED":
            yield f"Required field {name} is missing."
        elif kind not in (None, _shape(field)):
            yield f"Parquet column '{name}' has type {kind}, which does not match {_shape(field)}."
    for name in types.keys() - names:
        yield f"Parquet column '{name}' is not in the schema."


def changes(old: Sequence[Field], new: Sequence[Field], *, add: bool, relax: bool) -> Iterator[str]:
    """What of going from `old` to `new` is not allowed: the words that BigQuery has for it.

    Columns may be added, nullable, and made nullable, each only when it was asked for. Source:
    cloud.google.com/bigquery/docs/managing-table-schemas
    """
    known = {each["name"].lower(): each for each in normal(old)}
    for field in normal(new):
        name, before = field["name"], known.pop(field["name"].lower(), None)
        if before is None:
            if not add:
                yield f"Cannot add fields (field: {name})"
            elif field["mode"] == "REQUIRED":
                yield f"Cannot add required fields to an existing schema. (field: {name})"
        elif before["type"] != field["type"]:
            yield f"Field {name} has changed type from {before['type']} to {field['type']}"
        elif before["mode"] != field["mode"] and not (relax and field["mode"] == _NULLABLE):
            yield f"Field {name} has changed mode from {before['mode']} to {field['mode']}"


def absent(old: Sequence[Field], new: Sequence[Field]) -> list[Field]:
    """Fields of `old` that `new` lacks."""
    names = {each["name"].lower() for each in new}
    return [each for each in old if each["name"].lower() not in names]


def _type(field: Field) -> str:
    kind = str(field["type"]).upper()
    return _OLD_NAMES.get(kind, kind)


def _shape(field: Field) -> str:
    return f"REPEATED {field['type']}" if field["mode"] == "REPEATED" else str(field["type"])


def _arrow(field: Field) -> pa.DataType:
    kind = _ARROW[field["type"]]
    return pa.list_(kind) if field["mode"] == "REPEATED" else kind


def _mode(field: Field) -> str:
    return str(field.get("mode") or _NULLABLE).upper()


def _of_arrow(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _of_arrow(kind.value_type)
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz else "DATETIME"
    if pa.types.is_decimal(kind):
        return "NUMERIC" if kind.scale <= 9 and kind.precision - kind.scale <= 29 else "BIGNUMERIC"
    for test, name in _KINDS.items():
        if test(kind):
            return name
    return str(kind)


_KINDS = {
    pa.types.is_integer: "INTEGER",
    pa.types.is_floating: "FLOAT",
    pa.types.is_boolean: "BOOLEAN",
    pa.types.is_string: "STRING",
    pa.types.is_large_string: "STRING",
    pa.types.is_binary: "BYTES",
    pa.types.is_date: "DATE",
    pa.types.is_time: "TIME",
}
