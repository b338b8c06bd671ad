"""What columns the results of a run have, for a model package that does not tell by itself."""

from pathlib import Path

from pipeline.errors import DataError


def describe_columns(results: Path) -> dict[str, str]:
    """Name -> Arrow type of the columns of `part-*.parquet`; none when there is no such file.

    Raises `DataError` naming a file that is no Parquet, or has other columns than the first.
    """
    described: dict[str, str] = {}
    for path in sorted(results.glob("part-*.parquet")):
        columns = _read(path)
        if described and columns != described:
            raise DataError(
                f"{path.name} has other columns or types than the files before it. Write all files"
                " of a date alike."
            )
        described = columns
    return described


def _read(path: Path) -> dict[str, str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path.name} can't be read as Parquet: {error}.") from None
    return {column.name: str(column.type) for column in schema}
