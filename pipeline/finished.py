"""What finished runs left. It never changes, so a process reads it once."""

from functools import lru_cache

from pipeline import checksums, storage
from pipeline.errors import ObjectMissingError
from pipeline.layout import Run
from pipeline.records import Marker, Source

_KEPT = 1000


@lru_cache(_KEPT)
def read(url: str) -> bytes:
    """A marker, or a small file that a marker lists. Raises `ObjectMissingError`."""
    return storage.open(url).read(url)


def read_marker(url: str) -> Marker:
    """Raises `ObjectMissingError` when the run is not finished, `FormatError`."""
    return Marker.parse(read(url), url)


def is_finished(run: Run) -> bool:
    """Whether a run has its marker, which is read at once: who asks will want to know."""
    try:
        read(run.marker)
    except ObjectMissingError:
        return False
    return True


def seal(run: Run) -> Source:
    """The run as something that another is made from."""
    return Source(run.marker, checksums.of_bytes(read(run.marker)))
