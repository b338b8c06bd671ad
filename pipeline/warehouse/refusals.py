"""What every warehouse refuses, in the same words."""

import datetime
from collections.abc import Mapping, Sequence

from pipeline.errors import DataError, ObjectMissingError, QueryError, TableError, TableMissingError


def no_rows_returned(parameters: Mapping[str, datetime.date]) -> QueryError:
    values = ", ".join(f"@{name} = {value}" for name, value in parameters.items())
    return QueryError(
        f"The query returns no rows{' for ' if values else ''}{values}."
        " Choose a date for which the tables have data, or correct the query."
    )


def one_value(answer: Sequence[Sequence[object]]) -> object:
    """What a query of one value has returned, given its first rows. Raises `QueryError`."""
    if len(answer) != 1 or len(answer[0]) != 1:
        shape = f"{len(answer[0])} columns" if len(answer) == 1 else f"{len(answer) or 'no'} rows"
        more = " or more" if len(answer) > 1 else ""
        raise QueryError(
            f"The query returns {shape}{more}. It must return one row of one column: aggregate,"
            " without GROUP BY."
        )
    return answer[0][0]


def no_select() -> QueryError:
    return QueryError("A query must be one SELECT, which may begin with WITH.")


def no_key_column(name: str) -> QueryError:
    return QueryError(
        f"The query returns no column {name}, which is the key. Select it, or correct the key."
    )


def interval(name: str) -> QueryError:
    return QueryError(
        f"The query returns {name} as an INTERVAL, which Parquet has no type for. Return a number,"
        " with DATE_DIFF or EXTRACT."
    )


def bad_key(query: str, problem: str) -> QueryError:
    """`query` says which one, "The query"; `problem` is from `null_key` or `repeated_keys`."""
    return QueryError(
        f"{query} must return one row per key, but {problem}."
        " Group by the key, or leave such rows out."
    )


def null_key(name: str, rows: int) -> str:
    return f"{name} is null in {rows:,} row{'s' if rows > 1 else ''}"


def repeated_keys(count: int, keys: Sequence[Sequence[object]]) -> str:
    """`keys` are the first of the `count` that come more than once."""
    shown = ", ".join(" ".join(map(str, key)) for key in keys)
    more = ", ..." if count > len(keys) else ""
    return f"{count:,} key{'s come' if count > 1 else ' comes'} more than once ({shown}{more})"


def no_files(table: str, date: datetime.date) -> DataError:
    return DataError(
        f"There are no files for {table} of {date}, so the partition stays as it is."
        " Run the task that writes them."
    )


def missing_file(url: str) -> ObjectMissingError:
    return ObjectMissingError(
        f"{url} does not exist, so it can't be loaded. Run the task that writes it."
    )


def broken_file(url: str, reason: object) -> DataError:
    return DataError(
        f"{url} can't be read as Parquet: {reason}. Run the task that writes it again."
    )


def no_rows(table: str, date: datetime.date) -> DataError:
    return DataError(
        f"The files for {table} of {date} hold no rows, so the partition stays as it is."
        " Find out why nothing was predicted."
    )


def other_dates(table: str, date: datetime.date, others: str) -> DataError:
    return DataError(
        f"The files for {table} of {date} hold rows of {others}, so the partition stays as it is."
        " Load each date from files of its own."
    )


def no_date_column(table: str, date: datetime.date) -> TableError:
    return TableError(
        f"The files for {table} of {date} have no column date of type DATE. Write it to every row."
    )


def misfit(table: str, date: datetime.date, differences: Sequence[str]) -> TableError:
    return TableError(
        f"The files of {date} do not fit the table {table}: {'; '.join(differences)}. Raise"
        " `version` under [pipeline] in luigi.cfg: a new version has a table of its own."
    )


def missing_table(table: str) -> TableMissingError:
    return TableMissingError(f"There is no table {table}. Load a date into it first.")


def foreign(table: str, owner: str, ours: str, as_told: str, home: str) -> TableError:
    """`as_told` says where `owner` is known from, `home` what a model can have for itself."""
    return TableError(
        f"{table} holds what the model {owner} has made, as {as_told}. Give {ours} a {home} of its"
        " own: correct `warehouse` under [pipeline] in luigi.cfg."
    )


def is_view(name: str) -> TableError:
    return TableError(f"{name} is a view. Load into the table that it shows.")


def is_table(name: str) -> TableError:
    return TableError(f"{name} is a table. Rename it: a view is to have this name.")
