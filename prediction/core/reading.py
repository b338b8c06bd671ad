"""Rows out of files: the whole for training, in batches for application."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from prediction.core import columns
from prediction.core.columns import Types
from prediction.core.errors import DataError
from prediction.core.formats import File, open_file


def find(paths: Sequence[Path]) -> list[File]:
    """Open what `data_path` names: files, or the files of a folder in the order of their names.

    In a folder, names that begin with a dot or an underscore are left out.
    Raises `DataError` when there is no file.
    """
    found = [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]
    if not found:
        raise DataError(f"{paths[0]} holds no file. Correct `data_path`, or make the data first.")
    files = [open_file(path) for path in found]
    for file in files:
        _check_names(file)
    return files


def count(files: Iterable[File]) -> int | None:
    """Rows in all files, or None when only reading them would tell."""
    rows = [file.rows for file in files]
    return None if None in rows else sum(row for row in rows if row is not None)


def whole(files: Sequence[File], types: Types, left_out: Collection[str] = ()) -> pa.RecordBatch:
    """Read all files into one batch, in order, with the columns of the first but `left_out`.

    `types` are those of columns in CSV files which are not to be guessed. Raises `DataError` when
    there are no rows, or when the files do not go together.
    """
    for one, other in pairwise(files):
        if set(one.names) != set(other.names):
            odd = sorted(set(one.names) ^ set(other.names))
            raise DataError(f"{one.path} and {other.path} differ in columns: {', '.join(odd)}.")
    tables = [file.table(types, left_out) for file in files]
    try:
        table = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"The files of {files[0].path.parent} differ in types: {error}") from error
    if not table.num_rows:
        raise DataError(
            f"{files[0].path} has no rows. Make the data again, or correct `data_path`."
        )
    return pa.concat_batches(table.to_batches())


def batches(files: Iterable[File], types: Types, rows: int) -> Iterator[pa.RecordBatch]:
    """Read the columns that `types` names in batches of `rows`, whatever the files' own pieces.

    A batch is shorter at the end, and before a file that keeps its columns in other types.
    """
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in (batch for file in files for batch in file.batches(types, rows)):
        batch = batch.select(list(types))
        if held and not batch.schema.equals(held[0].schema):
            yield pa.concat_batches(held)
            held, count = [], 0
        while batch.num_rows:
            part = batch.slice(0, rows - count)
            batch = batch.slice(part.num_rows)
            held.append(part)
            count += part.num_rows
            if count == rows:
                yield pa.concat_batches(held) if len(held) > 1 else part
                held, count = [], 0
    if held:
        yield pa.concat_batches(held)


def check_columns(files: Iterable[File], needed: Types, known: Iterable[str]) -> None:
    """See that every file has the columns `needed`, of types that fit, and none but `known` ones.

    Raises `DataError` for the first that is missing, new or of another kind.
    """
    allowed = {*needed, *known}
    for file in files:
        for name, type_ in needed.items():
            if name not in file.names:
                raise DataError(
                    f"{file.path}: column {name!r}, which the model was trained with, is missing. "
                    f"There are: {', '.join(file.names)}. Add it to the query."
                )
            given = file.types.get(name, type_)
            if not columns.fits(given, type_):
                raise DataError(
                    f"{file.path}: column {name!r} is {given}, and was {type_} at training. "
                    "Cast it in the query, or train the model anew."
                )
        if new := [name for name in file.names if name not in allowed]:
            raise DataError(
                f"{file.path}: column {new[0]!r} was not there at training. Take it out of the "
                "query, or train the model anew (there, `ignore` lists columns to leave out)."
            )


def _inside(folder: Path) -> list[Path]:
    files = (path for path in folder.iterdir() if path.is_file())
    return sorted(path for path in files if not path.name.startswith((".", "_")))


def _check_names(file: File) -> None:
    names = file.names
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{file.path} has column {twice[0]!r} twice. Rename one of them.")
