"""Columns as BigQuery's API describes them, told as the port tells them, and back."""

from collections.abc import Iterable, Mapping

from google.cloud.bigquery import SchemaField

from pipeline.errors import QueryError
from pipeline.warehouse import refusals

# The API still says what the types were called in legacy SQL.
_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}

# Source: cloud.google.com/bigquery/docs/exporting-data#parquet_export_details
_ARROW = {
    "INT64": "int64",
    "FLOAT64": "double",
    "NUMERIC": "decimal128(38, 9)",
    "BIGNUMERIC": "decimal256(76, 38)",
    "BOOL": "bool",
    "STRING": "string",
    "BYTES": "binary",
    "DATE": "date32[day]",
    "DATETIME": "timestamp[us]",
    "TIME": "time64[us]",
    "TIMESTAMP": "timestamp[us, tz=UTC]",
    "GEOGRAPHY": "string",
    "JSON": "string",
}

# Source: cloud.google.com/bigquery/docs/clustered-tables#clustered_column_types_and_ordering
_CLUSTERABLE = {"INT64", "NUMERIC", "STRING", "BOOL", "DATE", "DATETIME", "TIMESTAMP"}
_CLUSTER_COLUMNS = 4


def describe(schema: Iterable[SchemaField]) -> dict[str, str]:
    """Name -> type of a table's columns; a repeated one is ARRAY<...>."""
    return {field.name: _describe(field) for field in schema}


def to_schema(columns: Mapping[str, str]) -> list[SchemaField]:
    """The reverse of `describe`. All columns are nullable."""
    return [_field(name, kind) for name, kind in columns.items()]


def as_exported(schema: Iterable[SchemaField]) -> dict[str, str]:
    """Name -> Arrow type of a query's columns, as they are in the Parquet that BigQuery exports.

    Raises `QueryError` for a type that Parquet has no place for.
    """
    return {field.name: _exported(field) for field in schema}


def choose_clusters(columns: Mapping[str, str], key: Iterable[str]) -> list[str]:
    """The columns of `key` that a table can be clustered by."""
    able = [name for name in key if columns.get(name) in _CLUSTERABLE]
    return able[:_CLUSTER_COLUMNS]


def _describe(field: SchemaField) -> str:
    kind = _kind(field)
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind


def _kind(field: SchemaField) -> str:
    kind = str(field.field_type).upper()
    return _NAMES.get(kind, kind)


def _field(name: str, kind: str) -> SchemaField:
    if kind.startswith("ARRAY<"):
        return SchemaField(name, kind.removeprefix("ARRAY<").removesuffix(">"), mode="REPEATED")
    return SchemaField(name, kind, mode="NULLABLE")


def _exported(field: SchemaField) -> str:
    kind = _kind(field)
    if kind == "INTERVAL":
        raise refusals.interval(field.name)
    if kind == "STRUCT":
        inner = ", ".join(f"{each.name}: {_exported(each)}" for each in field.fields)
        words = f"struct<{inner}>"
    elif kind in _ARROW:
        words = _ARROW[kind]
    else:
        raise QueryError(
            f"The query returns {field.name} as {kind}, which Parquet has no type for. Return a"
            " number, a text, a date or a time."
        )
    return f"list<element: {words}>" if field.mode == "REPEATED" else words
