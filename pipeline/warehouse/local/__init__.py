"""A warehouse on this machine: queries run in memory over files, predictions go to a DuckDB file.

The file is open only while one transaction lasts (see `database`), so that any number of
processes, and a person who looks at it, can use it in turn.
"""
# ruff: noqa: S608 - names can't be parameters of a statement; each is quoted

import datetime
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from pipeline import storage
from pipeline.errors import DataError
from pipeline.storage import Stat
from pipeline.warehouse import Batch, Extraction, Loaded, refusals
from pipeline.warehouse.local.columns import find_kind, quote, table_types
from pipeline.warehouse.local.database import transaction
from pipeline.warehouse.local.partition import Partition
from pipeline.warehouse.local.result import Result
from pipeline.warehouse.local.session import in_memory, running_query
from pipeline.warehouse.local.sources import Sources, has_files
from pipeline.warehouse.local.translation import to_duckdb, translate
from pipeline.warehouse.parsing import find_origins, parse
from pipeline.warehouse.types import find_differences


class LocalWarehouse:
    """`Warehouse` in a DuckDB file.

    What does not fit into memory goes to the folder for temporary files (`tempfile`), which a task
    has in `work`.

    Parameters
    ----------
    url : str
        Path of the file. The first load makes it.
    tables : name -> URL
        The files that queries read as tables: CSV or Parquet, a URL may be a pattern.
    owner : str
        The model that makes tables here; empty: any.
    wait_seconds : float
        How long to wait for the file while another process holds it.
    """

    def __init__(
        self, url: str, tables: Mapping[str, str], owner: str = "", *, wait_seconds: float = 60
    ) -> None:
        self.path = Path(url)
        self.tables = tables
        self.owner = owner
        self.wait_seconds = wait_seconds

    def extract(
        self,
        query: str,
        parameters: Mapping[str, datetime.date],
        key: Sequence[str],
        folder: str,
    ) -> Extraction:
        tree = parse(query)
        with tempfile.TemporaryDirectory() as scratch, in_memory(Path(scratch)) as connection:
            sources = Sources(connection, self.tables, Path(scratch))
            tree = translate(tree, parameters, sources.resolve)
            with running_query(sources.describe, sources.check_files):
                result = Result(connection, to_duckdb(tree))
                rows = result.count()
                if not rows:
                    raise refusals.no_rows_returned(parameters)
                origins = [(name, to_duckdb(each)) for name, each in find_origins(tree)]
                result.check_key(key, origins)
                files = dict(_deliver(path, folder) for path in result.write(key, Path(scratch)))
                return Extraction(files, rows, result.types())

    def ask(self, query: str, parameters: Mapping[str, datetime.date]) -> object:
        tree = parse(query)
        with tempfile.TemporaryDirectory() as scratch, in_memory(Path(scratch)) as connection:
            sources = Sources(connection, self.tables, Path(scratch))
            text = to_duckdb(translate(tree, parameters, sources.resolve))
            with running_query(sources.describe, sources.check_files):
                return refusals.one_value(connection.execute(text).fetchmany(2))

    def estimate(self, query: str, parameters: Mapping[str, datetime.date]) -> int | None:
        return None

    def load(self, batch: Batch, table: str) -> Loaded:
        if not batch.files:
            raise refusals.no_files(table, batch.date)
        with tempfile.TemporaryDirectory() as scratch:
            paths = {
                url: _fetch(url, Path(scratch, f"{number}.parquet"))
                for number, url in enumerate(batch.files)
            }
            with transaction(self.path, self.wait_seconds) as connection:
                partition = Partition(connection, table, batch.date)
                return Loaded(partition.replace(batch, paths, self.owner))

    def clear(self, table: str, date: datetime.date) -> None:
        if self.path.exists():
            with transaction(self.path, self.wait_seconds) as connection:
                Partition(connection, table, date).clear(self.owner)

    def differences(self, table: str, columns: Mapping[str, str]) -> list[str]:
        if not self.path.exists():
            return find_differences({}, columns)
        with transaction(self.path, self.wait_seconds) as connection:
            return find_differences(table_types(connection, table), columns)

    def read(
        self,
        table: str,
        date: datetime.date,
        *,
        order: Sequence[str] = (),
        rows: int | None = None,
    ) -> pa.Table:
        self._check_file(table)
        with transaction(self.path, self.wait_seconds) as connection:
            if find_kind(connection, table) is None:
                raise refusals.missing_table(table)
            return Partition(connection, table, date).head(order, rows)

    def check_view(self, view: str) -> None:
        if not self.path.exists():
            return
        with transaction(self.path, self.wait_seconds) as connection:
            if find_kind(connection, view) == "BASE TABLE":
                raise refusals.is_table(view)

    def publish(self, view: str, table: str, *, replace: bool = False) -> None:
        self._check_file(table)
        with transaction(self.path, self.wait_seconds) as connection:
            kind = find_kind(connection, view)
            if kind == "BASE TABLE":
                raise refusals.is_table(view)
            if find_kind(connection, table) is None:
                raise refusals.missing_table(table)
            if kind is None or replace:
                connection.execute(
                    f"CREATE OR REPLACE VIEW {quote(view)} AS SELECT * FROM {quote(table)}"
                )

    def examine(self) -> str:
        missing = sorted(name for name, url in self.tables.items() if not has_files(url))
        if missing:
            raise DataError(
                f"There is no file for the table {missing[0]}: {self.tables[missing[0]]}. Put it"
                " there, or correct [local_warehouse] in luigi.cfg."
            )
        return f"{self.path}; tables to query: {', '.join(sorted(self.tables)) or 'none'}"

    def _check_file(self, table: str) -> None:
        """To look for a table must not make the file."""
        if not self.path.exists():
            raise refusals.missing_table(table)


def _deliver(path: Path, folder: str) -> tuple[str, Stat]:
    url = f"{folder}/{path.name}"
    stat = storage.open(url).upload(path, url)
    path.unlink()
    return url, stat


def _fetch(url: str, copy: Path) -> Path:
    """A path with the content of `url`: itself, when it is on this machine."""
    if "://" not in url:
        return Path(url)
    storage.open(url).download(url, copy)
    return copy
