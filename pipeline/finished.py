"""What finished runs left. It never changes, so a process reads it once."""

import datetime
from functools import lru_cache

from pipeline import checksums, storage
from pipeline.errors import ChecksumError, ObjectMissingError
from pipeline.layout import Run, base_name, file_url, marker_date
from pipeline.records import File, Marker, Source
from pipeline.remaking import how_to_remake

_KEPT = 1000

# Markers that this process wrote, by URL: nobody has to read them back.
_written: dict[str, bytes] = {}


def read(url: str) -> bytes:
    """A marker, or a small file that a marker lists. Raises `ObjectMissingError`.

    What was read once may have been forgotten since (`python -m pipeline forget`). Who finishes a
    run from what was read compares its source once more at the end: a job when it brings its
    inputs, a load by `refuse_forgotten`. Verbs, which end at once, can rely on it.
    """
    return _written.get(url) or _read(url)


@lru_cache(_KEPT)
def _read(url: str) -> bytes:
    return storage.open(url).read(url)


def finish(run: Run, marker: Marker) -> bool:
    """Write the marker of a run. False when another attempt has done so already."""
    content = marker.dump()
    if not storage.write_once(run.marker, content):
        return False
    _written[run.marker] = content
    return True


def read_marker(url: str) -> Marker:
    """Raises `ObjectMissingError` when the run is not finished, `FormatError`."""
    return Marker.parse(read(url), url)


def find_file(url: str, name: str) -> tuple[str, File] | None:
    """URL and entry of the file `name` that the marker at `url` lists; None when it lists none."""
    for each in read_marker(url).files:
        if base_name(each.path) == name:
            return file_url(url.rpartition("/")[0], each.path), each
    return None


def find_markers(family: str) -> dict[datetime.date, str]:
    """The markers of all runs of a family, whose folder is given, by date: in one listing."""
    listed = [entry.url for entry in storage.open(family).list(family)]
    dates = {url: marker_date(url) for url in listed}
    return {date: url for url, date in dates.items() if date is not None}


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


def refuse_forgotten(source: Source) -> None:
    """Raise `ChecksumError` when a source is no longer in storage as it was sealed.

    Always a read: that of a moment ago proves nothing. This process forgets it then, too.
    """
    try:
        content = storage.open(source.marker).read(source.marker)
    except ObjectMissingError:
        what = "taken away"
    else:
        if checksums.of_bytes(content) == source.checksum:
            return
        what = "replaced"
    _written.pop(source.marker, None)
    _read.cache_clear()
    raise ChecksumError(
        f"{source.marker} was {what} while this was made from it. Run your command once more: it"
        " makes anew what is missing."
    )


def changed(url: str, marker: str) -> ChecksumError:
    """What is to be raised when the file at `url` is not the one that the marker lists."""
    return ChecksumError(
        f"{url} is not the file that {marker} lists (its checksum differs). {how_to_remake(marker)}"
    )


def gone(url: str, marker: str) -> ObjectMissingError:
    """What is to be raised when the file at `url`, which the marker lists, is not there."""
    return ObjectMissingError(
        f"{url} does not exist, and {marker} lists it. {how_to_remake(marker)}"
    )
