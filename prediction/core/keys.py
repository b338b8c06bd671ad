"""Whether every row has a key of its own, over a stream of batches that is too long to keep.

Keys in ascending order, as the pipeline writes them, are compared with their neighbours and cost no
memory. From the first batch that breaks the order, 8 bytes per row are kept: a whole number or a
moment as it is, anything else as a 64-bit hash, and rows whose hashes agree are read again and
compared themselves.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from prediction.core import columns
from prediction.core.errors import DataError

Hashes = npt.NDArray[np.uint64]

NAMED = 5  # as many keys as a message names
PLACES = 1 << 10  # bytes of a text further on share their numbers with earlier ones
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # splitmix64, by Steele, Lea and Flood (2014)
MIXERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


class KeyCheck:
    """Refuses null and repeated keys.

    Parameters
    ----------
    reread : a function that yields the key columns of the same rows again, from the first, in
        batches of any size.
    """

    def __init__(self, reread: Callable[[], Iterable[pa.RecordBatch]]) -> None:
        self._reread = reread
        self._last: pa.RecordBatch | None = None  # the newest row, while the order holds
        self._hashes: list[Hashes] | None = None  # set once the order is broken
        self._rows = 0

    def see(self, keys: pa.RecordBatch) -> None:
        """Take the next batch of key columns (n_rows, n_keys). Raises `DataError` for a null."""
        check_nulls(keys, self._rows)
        if self._hashes is None and not self._ascends(keys):
            self._hashes = [hashes(batch) for batch in _first(self._reread(), self._rows)]
        if self._hashes is not None:
            self._hashes.append(hashes(keys))
        else:
            self._last = keys.slice(keys.num_rows - 1)
        self._rows += keys.num_rows

    def finish(self) -> None:
        """Raise `DataError` if any key was there twice."""
        if self._hashes is None:
            return
        twice = _repeated(self._hashes, self._rows)
        if twice.size and (found := self._confirm(twice)):
            refuse_duplicates(found)

    def _ascends(self, keys: pa.RecordBatch) -> bool:
        if self._last is not None and not ascends(self._last, keys.slice(0, 1)):
            return False
        return ascends(keys.slice(0, keys.num_rows - 1), keys.slice(1))

    def _confirm(self, twice: Hashes) -> list[object]:
        seen: set[object] = set()
        for keys in self._reread():
            rows = np.isin(hashes(keys), twice)
            found = []
            for row in _tuples(keys.filter(pa.array(rows))):
                if row in seen:
                    found.append(row)
                seen.add(row)
            if found:
                return found
        return []


def check_nulls(keys: pa.RecordBatch, before: int = 0) -> None:
    """Raise `DataError` when a key is null; `before` rows came before this batch."""
    for name, column in zip(keys.schema.names, keys.columns, strict=True):
        if column.null_count:
            row = before + pc.index(column.is_null(), True).as_py() + 1
            raise DataError(
                f"key {name!r} is null in {column.null_count:,} rows, the first is row {row:,}. "
                "Leave such rows out in the query."
            )


def refuse_duplicates(keys: Iterable[object]) -> None:
    """Raise `DataError` that names some of `keys`, which have several rows. No-op without any."""
    named = list(dict.fromkeys(keys))
    if not named:
        return
    some = ", ".join(str(key) for key in named[:NAMED])
    more = " and others" if len(named) > NAMED else ""
    raise DataError(f"some keys have several rows: {some}{more}. Make it one row per key.")


def ascends(before: pa.RecordBatch, after: pa.RecordBatch) -> bool:
    """Whether each row of `before` is smaller than the same row of `after`, column by column."""
    smaller: pa.Array | None = None
    for one, other in reversed(list(zip(before.columns, after.columns, strict=True))):
        less = pc.less(one, other)
        smaller = less if smaller is None else pc.or_(less, pc.and_(pc.equal(one, other), smaller))
    return bool(pc.all(smaller, min_count=0).as_py())


def hashes(keys: pa.RecordBatch) -> Hashes:
    """Make 64 bits of each row. Whole numbers and moments stay as they are when alone."""
    first, *others = (_bits(column) for column in keys.columns)
    for bits in others:
        first = mixed(first) * GOLDEN + bits
    return first


def _first(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The first `rows` of `batches`, wherever these are cut."""
    for batch in batches:
        if not rows:
            return
        part = batch.slice(0, rows)
        yield part
        rows -= part.num_rows


def _bits(column: pa.Array) -> Hashes:
    if columns.kind(column.type) == "text":
        return _text_hashes(column.cast(pa.string()))
    if pt.is_date32(column.type):
        column = column.cast(pa.int32())
    # Of 64 bits each: narrower numbers would share them.
    column = column.cast(pa.uint64() if pt.is_unsigned_integer(column.type) else pa.int64())
    bits: Hashes = column.to_numpy(zero_copy_only=False).view(np.uint64)
    return bits


def mixed(bits: Hashes) -> Hashes:
    """Spread 64 bits so that each one tells on all others (splitmix64)."""
    bits = bits + GOLDEN
    for shift, mixer in zip((np.uint64(30), np.uint64(27)), MIXERS, strict=True):
        bits = (bits ^ (bits >> shift)) * mixer
    return bits ^ (bits >> np.uint64(31))


def _text_hashes(texts: pa.Array) -> Hashes:
    """Sum one random number per place and byte (tabulation hashing, by Carter and Wegman, 1979)."""
    _, offsets, content = texts.buffers()
    at = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(content or b"", np.uint8)[at[0] : at[-1]]
    at = at - at[0]
    place = np.arange(data.size, dtype=np.int32) - np.repeat(at[:-1], np.diff(at))
    sums = np.zeros(data.size + 1, np.uint64)
    np.cumsum(_table().take(((place & PLACES - 1) << 8) | data), out=sums[1:])
    found: Hashes = sums[at[1:]] - sums[at[:-1]]
    return found


@cache
def _table() -> Hashes:
    """One random number for each of 256 bytes at each of `PLACES` places."""
    return mixed(np.arange(PLACES << 8, dtype=np.uint64))


def _repeated(parts: list[Hashes], rows: int) -> Hashes:
    """Find what is there twice. Empties `parts` on the way, so that memory is needed once."""
    every = np.empty(rows, np.uint64)
    end = rows
    while parts:
        part = parts.pop()
        every[end - part.size : end] = part
        end -= part.size
    every.sort()
    return np.unique(every[1:][every[1:] == every[:-1]])


def _tuples(keys: pa.RecordBatch) -> Iterator[object]:
    columns_ = [column.to_pylist() for column in keys.columns]
    return iter(columns_[0]) if len(columns_) == 1 else zip(*columns_, strict=True)
