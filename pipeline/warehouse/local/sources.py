"""The files that stand for tables: found, and fetched when they lie elsewhere."""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

import fnmatch
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import duckdb

from pipeline import storage
from pipeline.errors import DataError, QueryError
from pipeline.warehouse.local.columns import describe, literal, name_type, quote
from pipeline.warehouse.local.session import connect, explain

_WILD = re.compile(r"[*?\[]")
# A CSV file is read once, however often the query reads the table. It is taken as BigQuery takes it
# (commas, a header, ISO dates): left to guess, DuckDB skips lines that do not fit the others. Types
# are chosen from all the rows, so that one which shows only far down is no error.
_CSV = (
    "TEMP TABLE {} AS SELECT * FROM read_csv({}, delim = ',', header = true, skip = 0,"
    " dateformat = '%Y-%m-%d', sample_size = -1, {})"
)
_PARQUET = "VIEW {} AS SELECT * FROM read_parquet({}, {})"
_FORMATS = {".parquet": _PARQUET, ".csv": _CSV, ".csv.gz": _CSV}
# A folder's name becomes a column, in place of the files' own, only when it is asked for.
_FOLDER_COLUMN = "=*/"
_NAMELESS = "column0"  # what DuckDB calls the column of an empty file
_OTHER_DELIMITERS = ";\t|"
_SHOWN_COLUMNS = 20


def has_files(url: str) -> bool:
    """Whether a table's URL leads to a file, or, when it is a pattern, to any."""
    if "://" in url:
        store, folder = storage.open(url), re.split(_WILD, url)[0].rpartition("/")[0]
        return any(fnmatch.fnmatchcase(entry.url, url) for entry in store.list(folder))
    path = Path(url)
    return path.exists() or any(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


class Sources:
    """Makes the tables that a query names of their files.

    A URL may be a pattern, and `name=*` for a folder in it makes a column `name`.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    tables : name -> URL
        Names of one to three parts; case is ignored.
    folder : Path
        Where files from other storage are copied to.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str], folder: Path
    ) -> None:
        self.connection = connection
        self.tables = {name.lower(): url for name, url in tables.items()}
        self.folder = folder
        self.made: dict[str, str] = {}
        self.views: dict[str, str] = {}

    def resolve(self, name: str) -> str:
        """What the table `name` is called in `connection`. Raises `QueryError`, `DataError`."""
        name = name.lower()
        if name not in self.tables:
            known = ", ".join(sorted(self.tables)) or "none"
            raise QueryError(
                f"The query reads the table {name}, of which the local warehouse has no file (it"
                f" has: {known}). Name its file under [local_warehouse] in luigi.cfg."
            )
        if name not in self.made:
            source = f"source_{len(self.made) + 1}"
            self._make(source, name, self.tables[name])
            self.made[name] = source
        return self.made[name]

    def _make(self, source: str, name: str, url: str) -> None:
        statement = _FORMATS[_ending(url)]
        pattern = self._fetch(source, url) if "://" in url else url
        if Path(pattern).is_file():
            pattern = as_pattern(pattern)
        option = f"hive_partitioning = {_FOLDER_COLUMN in url}"
        text = statement.format(quote(source), literal(pattern), option)
        try:
            self.connection.execute(f"CREATE {text}")
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise _unreadable(name, url, explain(error)) from error
        if statement is _CSV:
            self._check_csv(source, name, url)
        else:
            self.views[source] = text.partition(" AS ")[2]

    def _check_csv(self, source: str, name: str, url: str) -> None:
        """Refuse what DuckDB takes for a table with one column of no use."""
        columns = [column for column, _ in describe(self.connection, quote(source))]
        if columns == [_NAMELESS] and not self._count(source):
            raise _unreadable(name, url, "it is empty; the first line has the columns' names")
        for delimiter in _OTHER_DELIMITERS:
            if len(columns) == 1 and delimiter in columns[0]:
                reason = f"{columns[0]!r} seems to be separated by {delimiter!r}, not by commas"
                raise _unreadable(name, url, reason)

    def _count(self, source: str) -> int:
        rows = self.connection.execute(f"SELECT count(*) FROM {quote(source)}").fetchall()
        return int(rows[0][0])

    def describe(self) -> str:
        """What the tables made so far hold, in the words of BigQuery."""
        return "; ".join(
            f"{name} ({self._describe_columns(source)})" for name, source in self.made.items()
        )

    def _describe_columns(self, source: str) -> str:
        columns = [f"{name} {name_type(kind)}" for name, kind in describe(self.connection, source)]
        shown = columns[:_SHOWN_COLUMNS] + ["..."] * (len(columns) > _SHOWN_COLUMNS)
        return ", ".join(shown if self._count(source) else ["no rows", *shown])

    def check_files(self) -> None:
        """Read the Parquet files whole, apart from any query. Raise `DataError` for a broken one.

        Nothing but their ends was read when their tables were made.
        """
        for name, source in self.made.items():
            query = self.views.get(source)
            if query is None:
                continue
            try:
                with closing(connect(":memory:")) as connection:
                    connection.execute(f"SELECT max(hash(COLUMNS(*))) FROM ({query})").fetchall()
            except (duckdb.Error, UnicodeDecodeError) as error:
                raise _unreadable(name, self.tables[name], explain(error)) from error

    def _fetch(self, source: str, url: str) -> str:
        """Copy what matches `url` to this machine, and return a pattern that matches the copies."""
        store = storage.open(url)
        wild = _WILD.search(url)
        stem = url[: wild.start() if wild else None].rpartition("/")[0]
        urls = [entry.url for entry in store.list(stem)] if wild else [url]
        target = self.folder / source
        for each in fnmatch.filter(urls, url) if wild else urls:
            copy = target / each.removeprefix(f"{stem}/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            store.download(each, copy)
        return as_pattern(str(target)) + url.removeprefix(stem)


def _unreadable(name: str, url: str, reason: str) -> DataError:
    return DataError(
        f"The table {name} can't be read from {url}: {reason}. Correct the file, or its name under"
        " [local_warehouse] in luigi.cfg."
    )


def as_pattern(path: str) -> str:
    """A pattern that matches `path` and nothing else."""
    return _WILD.sub(lambda wild: f"[{wild[0]}]", path)


def _ending(url: str) -> str:
    """Raise `DataError` when files of this kind can't be read."""
    for ending in _FORMATS:
        if url.endswith(ending):
            return ending
    raise DataError(f"{url} ends in none of {', '.join(_FORMATS)}. Give a file of those kinds.")
