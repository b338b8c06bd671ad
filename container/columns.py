"""What columns the results of a run have, for a model package that does not tell by itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import DataError
from pipeline.layout import DRIFT_TABLE, PREDICTIONS


def describe_columns(results: Path) -> dict[str, str]:
    """Name -> Arrow type of the columns of `part-*.parquet`; none when there is no such file.

    Raises `DataError` naming a file that is no Parquet, or has other columns than the first.
    """
    described: dict[str, str] = {}
    for path in sorted(results.glob(PREDICTIONS)):
        columns, _ = _read(path)
        if described and columns != described:
            raise DataError(
                f"{path.name} has other columns or types than the files before it. Write all files"
                " of a date alike."
            )
        described = columns
    return described


def describe_drift(results: Path) -> Mapping[str, Any]:
    """`columns` as above, and `rows`, of `drift.parquet`; nothing when there is no such file.

    Raises `DataError` when it is no Parquet.
    """
    path = results / DRIFT_TABLE
    if not path.exists():
        return {}
    columns, rows = _read(path)
    return {"columns": columns, "rows": rows}


def _read(path: Path) -> tuple[dict[str, str], int]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        found = pq.read_metadata(path)
        schema = found.schema.to_arrow_schema()
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path.name} can't be read as Parquet: {error}.") from None
    return {column.name: str(column.type) for column in schema}, found.num_rows
