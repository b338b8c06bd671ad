"""The files that stand for tables: found, and fetched when they lie elsewhere."""

import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from pipeline import storage
from pipeline.errors import DataError, QueryError
from pipeline.warehouse.local.columns import literal, quote
from pipeline.warehouse.local.session import explain

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
        try:
            self.connection.execute(
                "CREATE " + statement.format(quote(source), literal(pattern), option)
            )
        except duckdb.Error as error:
            raise DataError(
                f"The table {name} can't be read from {url}: {explain(error)}."
                " Correct the file, or its name under [local_warehouse] in luigi.cfg."
            ) from error

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


def as_pattern(path: str) -> str:
    """A pattern that matches `path` and nothing else."""
    return _WILD.sub(lambda wild: f"[{wild[0]}]", path)


def _ending(url: str) -> str:
    """Raise `DataError` when files of this kind can't be read."""
    for ending in _FORMATS:
        if url.endswith(ending):
            return ending
    raise DataError(f"{url} ends in none of {', '.join(_FORMATS)}. Give a file of those kinds.")
