"""Connections to DuckDB: what each is set to, and its errors in one line."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from pipeline.errors import QueryError, StorageError

# Where DuckDB's message goes on with candidates, advice on its own options, or a copy of our text.
_REST = re.compile(r"\n\s*(\n|LINE \d|Candidate functions|Did you mean|The search space)")
_KIND = re.compile(r"^[\w ]+ Error: ")
_FUNCTION = re.compile(r"Function with name (\S+) does not exist")

# A day begins at 00:00 UTC wherever this machine stands. Half of the memory, so that two fit; what
# is larger goes to disk. Nothing is fetched from the network or read from Python's variables.
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "TimeZone": "UTC",
    "memory_limit": "50%",
    "autoinstall_known_extensions": False,
    "python_enable_replacements": False,
}


@contextmanager
def in_memory(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of its own, which goes to `folder` with what the memory does not hold."""
    with closing(connect(":memory:")) as connection:
        connection.execute("SET temp_directory = $folder", {"folder": str(folder)})
        yield connection


def connect(database: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(database, config=_SETTINGS)
    # What is printed may be a log.
    connection.execute("SET enable_progress_bar = false")
    return connection


@contextmanager
def running_query(
    describe_tables: Callable[[], str] = str, check_files: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Turn DuckDB's errors about a query into ours.

    `describe_tables` says what the tables hold, for a query that asks for something else.
    `check_files` raises `DataError` when the reason is a file, and not the query.
    """
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise QueryError(
            f"The query needs more than this machine has: {explain(error)}. Use a larger machine,"
            " or BigQuery."
        ) from error
    except duckdb.BinderException as error:
        raise _translate(error, describe_tables()) from error
    # DuckDB does not always manage to say which bytes it can't read.
    except (duckdb.Error, UnicodeDecodeError) as error:
        check_files()
        if isinstance(error, duckdb.IOException):
            raise StorageError(
                f"The query can't read or write a file: {explain(error)}. Free some space there,"
                " or set `work` under [pipeline] in luigi.cfg to a larger disk."
            ) from error
        raise _translate(error) from error


def explain(error: Exception) -> str:
    """The part of DuckDB's message that tells what happened, in one line without a full stop."""
    message = _KIND.sub("", _REST.split(str(error), maxsplit=1)[0])
    return re.sub(r"\s+", " ", message).strip().rstrip(".!")


def _translate(error: Exception, tables: str = "") -> QueryError:
    missing = _FUNCTION.search(str(error))
    if missing:
        return QueryError(
            f"The local warehouse has no function {missing[1].upper()}, which the query calls."
            " Write it another way, or use BigQuery."
        )
    if not tables:
        return QueryError(f"The query can't be run: {explain(error)}. Correct the query.")
    return QueryError(
        f"The query can't be run: {explain(error)}. It reads {tables}. Correct the query, or the"
        " files."
    )
