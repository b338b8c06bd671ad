"""The two kinds of files that are read: CSV and Parquet. A file's name says which it is."""

import csv
import gzip
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from prediction.core import texts
from prediction.core.columns import Types
from prediction.core.errors import DataError

# Values that are null in a CSV file. An empty text between quotes is a text, and so is NA.
NULLS = ["", "NULL", "null", "NaN", "nan"]
CSV_BLOCK_BYTES = 4 << 20
PARQUET_BUFFER_BYTES = 1 << 20


class File(Protocol):
    """One file of rows."""

    path: Path
    rows: int | None  # None when only reading the whole would tell

    @property
    def names(self) -> list[str]:
        """Names of the columns, in the file's order."""

    @property
    def types(self) -> Types:
        """Types of the columns, where the file itself knows them."""

    def table(self, types: Types, left_out: Collection[str] = ()) -> pa.Table:
        """The whole file but the columns `left_out`. `types` holds where the file knows no type."""

    def batches(self, types: Types, batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The columns that `types` names, in pieces of at most some `batch_rows`."""


def open_file(path: Path) -> File:
    """Open `path` by its suffix. Raises `DataError` when it is of neither kind, or broken."""
    if path.name.endswith(".parquet"):
        return ParquetFile(path)
    if path.name.endswith((".csv", ".csv.gz")):
        return CsvFile(path)
    raise DataError(f"{path} is neither .parquet, .csv nor .csv.gz. Name it for what it holds.")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the libraries say about a file that cannot be read into a `DataError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. Correct `data_path`.") from error
    except (OSError, EOFError, pa.ArrowException, ValueError) as error:
        if isinstance(error, DataError):
            raise
        words = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"{path} cannot be read: {words}. Make the file again.") from error


class ParquetFile:
    """A Parquet file. Its types are its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with reading(path), pq.ParquetFile(path) as file:
            self.rows: int | None = file.metadata.num_rows
            self._schema = file.schema_arrow

    @property
    def names(self) -> list[str]:
        return list(self._schema.names)

    @property
    def types(self) -> Types:
        return dict(zip(self._schema.names, self._schema.types, strict=True))

    def table(self, types: Types, left_out: Collection[str] = ()) -> pa.Table:
        with reading(self.path), pq.ParquetFile(self.path) as file:
            table = file.read()
        return table.drop_columns([name for name in table.column_names if name in left_out])

    def batches(self, types: Types, batch_rows: int) -> Iterator[pa.RecordBatch]:
        # Else all that was read of the file, or whole row groups, would stay in memory.
        with (
            reading(self.path),
            pq.ParquetFile(self.path, pre_buffer=False, buffer_size=PARQUET_BUFFER_BYTES) as file,
        ):
            yield from file.iter_batches(batch_rows, columns=list(types), use_threads=False)


class CsvFile:
    """A CSV file, perhaps compressed: commas, a header, UTF-8, dates and moments as in ISO 8601."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: int | None = None
        self.types: Types = {}

    @cached_property
    def names(self) -> list[str]:
        with reading(self.path), self._open() as file:
            header = next(csv.reader(file), [])
        if not header:
            raise DataError(f"{self.path} is empty. A CSV file begins with the names of columns.")
        for delimiter in ";\t|":
            if len(header) == 1 and delimiter in header[0]:
                raise DataError(
                    f"{self.path} has one column, {header[0]!r}: it seems to be separated by "
                    f"{delimiter!r}. Write it with commas."
                )
        return header

    def table(self, types: Types, left_out: Collection[str] = ()) -> pa.Table:
        names = [name for name in self.names if name not in left_out]
        with self._naming_columns("is not what `types` says"), reading(self.path):
            table = pa.csv.read_csv(self.path, **self._options(types, names))
        texts.check_rounding(self.path, table, set(), self._texts)
        guessed = [name for name in names if name not in types]
        texts.check_mixed(self.path, table.select(guessed))
        return table

    def batches(self, types: Types, batch_rows: int) -> Iterator[pa.RecordBatch]:
        exact: set[str] = set()
        with self._naming_columns("is not what it was at training"), reading(self.path):
            options = self._options(types, list(types))
            with pa.csv.open_csv(self.path, **options) as file:
                for batch in file:
                    texts.check_rounding(self.path, batch, exact, self._texts)
                    yield batch

    def _open(self) -> IO[str]:
        if self.path.suffix == ".gz":
            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return self.path.open(encoding="utf-8-sig", newline="")

    def _options(self, types: Types, include: list[str] | None) -> dict[str, object]:
        return {
            "read_options": pa.csv.ReadOptions(block_size=CSV_BLOCK_BYTES),
            "parse_options": pa.csv.ParseOptions(newlines_in_values=True),
            "convert_options": pa.csv.ConvertOptions(
                column_types={name: type_ for name, type_ in types.items() if name in self.names},
                include_columns=include,
                null_values=NULLS,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        }

    def _texts(self, name: str) -> Iterator[str]:
        """What the file says in column `name`, word for word, without nulls."""
        with pa.csv.open_csv(self.path, **self._options({name: pa.string()}, [name])) as file:
            for batch in file:
                yield from filter(None, batch.column(0).to_pylist())

    @contextmanager
    def _naming_columns(self, problem: str) -> Iterator[None]:
        """Name the column and the type where pyarrow tells the column's number only."""
        try:
            yield
        except DataError as error:
            told = re.search(r"In CSV column #(\d+): (.*)", str(error))
            if not told:
                raise
            raise DataError(
                f"{self.path}: column {self.names[int(told[1])]!r} {problem}: {told[2]}"
            ) from error
