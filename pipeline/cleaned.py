"""That files of a finished run were deleted for their age, told to whoever needs them."""

import json

from pipeline import storage
from pipeline.errors import ObjectMissingError
from pipeline.layout import cleaned_beside
from pipeline.remaking import how_to_remake
from pipeline.times import now


def note(marker: str, days: int) -> None:
    """Leave a word beside a marker that files which it lists go, for being `days` old."""
    content = {"cleaned_at": now(), "older_than_days": days}
    storage.write_once(cleaned_beside(marker), json.dumps(content).encode())


def take_back(marker: str) -> None:
    """The files are to be made again. No-op when none were deleted."""
    storage.open(marker).delete(cleaned_beside(marker))


def refuse(marker: str) -> None:
    """Raise `ObjectMissingError` when files were deleted that the marker lists."""
    url = cleaned_beside(marker)
    try:
        when = json.loads(storage.open(url).read(url))["cleaned_at"]
    except ObjectMissingError:
        return
    raise ObjectMissingError(
        f"The files of {marker.rpartition('/')[0]} were cleaned on {when[:10]}, for their age."
        f" {how_to_remake(marker)}"
    )
