"""Where queries run and predictions go: the interface, and the side that a URL chooses."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.errors import SettingsError
from pipeline.storage import Stat

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Extraction:
    """What a query left in storage: `files` of Parquet by URL, `rows`, columns as name -> type.

    Types are Arrow's, in the words of `str(pyarrow.DataType)`. `about` holds what the marker is to
    say of how it was done: names of jobs, bytes billed.
    """

    files: Mapping[str, Stat]
    rows: int
    columns: Mapping[str, str]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Rows of one date, most often predictions, in the files of one attempt.

    Parameters
    ----------
    date : datetime.date
    files : URLs of Parquet
    columns : name -> Arrow type
        In the words of `str(pyarrow.DataType)`; the same in all files.
    key : names of columns
        What tells one row of a date from another.
    attempt : URL of a folder
        That of the attempt that loads. Asked again with the same one, it is loaded once.
    rows : int or None
        How many there are in the files; None where that is not known.
    holds : str
        What the rows are, for who looks at the table.
    """

    date: datetime.date
    files: Sequence[str]
    columns: Mapping[str, str]
    key: Sequence[str]
    attempt: str
    rows: int | None = None
    holds: str = "Predictions: one row for each key and date."


@dataclass(frozen=True)
class Loaded:
    """The `rows` of a partition after a load; `about` is for the marker, as in `Extraction`."""

    rows: int
    about: Mapping[str, Any] = field(default_factory=dict)


class Warehouse(Protocol):
    """Tables. Every method can be asked again after a lost reply, and ends the same.

    Every method raises `StorageError` when the warehouse itself can't be used: no network, no
    permission, no space.
    """

    def extract(
        self,
        query: str,
        parameters: Mapping[str, datetime.date],
        key: Sequence[str],
        folder: str,
    ) -> Extraction:
        """Run `query` (BigQuery's dialect) and leave its rows as `part-*.parquet` in `folder`.

        `folder` belongs to one attempt. Rows are ordered by `key`, whose columns hold no null and
        no combination twice; to Parquet every column may hold nulls.

        Raises `QueryError` when the query is refused, when a key comes twice or is null (naming
        the keys), and when there are no rows; `DataError` when a table's files can't be read.
        """

    def ask(self, query: str, parameters: Mapping[str, datetime.date]) -> object:
        """The one value of the one row that `query` returns. Leaves nothing anywhere.

        Raises `QueryError` when the query is refused, and when it returns more or less than that.
        """

    def estimate(self, query: str, parameters: Mapping[str, datetime.date]) -> int | None:
        """Bytes that `extract` would read, told without running `query`; None: reading is free.

        Raises `QueryError` when it is known by then that `extract` would refuse the query.
        """

    def load(self, batch: Batch, table: str) -> Loaded:
        """Replace one date of `table` by the rows of `batch`, and nothing else.

        Makes the table when it is not there, and its columns that are new in the files. Raises
        `TableError` when the files' columns do not fit the table's, or when that is another
        model's, and `DataError` when the files hold no row, or rows of another date.
        """

    def clear(self, table: str, date: datetime.date) -> None:
        """Take the rows of one date out of `table`. No-op without any, and without a table."""

    def differences(self, table: str, columns: Mapping[str, str]) -> list[str]:
        """Why `load` would refuse files with `columns`, a sentence each.

        None when they fit, and when `table` is not there. Types are Arrow's, as in `Batch`.
        """

    def read(
        self,
        table: str,
        date: datetime.date,
        *,
        order: Sequence[str] = (),
        rows: int | None = None,
    ) -> "pa.Table":
        """The first `rows` (or all) of the partition `date`, ordered by the columns `order`.

        `table` may be a view. Raises `TableError` when it is not there.
        """

    def check_view(self, view: str) -> None:
        """Raise `TableError` when `view` is a table, so that it can't be published."""

    def publish(self, view: str, table: str, *, replace: bool = False) -> None:
        """Make the view `view`, which shows all of `table`.

        No-op when the view is there already, unless `replace`: then it shows `table` from now on.
        Raises `TableError` when `view` is a table, and else `TableMissingError` without `table`.
        """

    def examine(self) -> str:
        """Whether all that it needs is there, in words for a person.

        Raises `DataError` when the files of a table are not. Reads no rows.
        """


def open(  # noqa: A001 - the port's own word: warehouse.open(url)
    url: str, tables: Mapping[str, str] | None = None, owner: str = ""
) -> Warehouse:
    """The warehouse at `url`.

    `tables` are for a local warehouse, whose queries read files: table name -> URL of a CSV or
    Parquet file, which may be a pattern. `owner` is the model whose tables it makes: another's are
    refused.
    """
    if url.startswith("/") and url.endswith(".duckdb"):
        from pipeline.warehouse.local import LocalWarehouse

        return LocalWarehouse(url, tables or {}, owner)
    raise SettingsError(
        f"There is no warehouse {url}. Set `warehouse` under [pipeline] to a file that ends in"
        " .duckdb."
    )
