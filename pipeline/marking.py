"""The marker of a run that the orchestrator itself has done, in no container."""

from collections.abc import Mapping, Sequence

from pipeline.layout import base_name
from pipeline.records import File, Marker, RunRequest
from pipeline.storage import Stat
from pipeline.times import now


def mark(
    family: str,
    request: RunRequest,
    results: str,
    began: str,
    *,
    rows: int | None,
    files: Sequence[File] = (),
    about: Mapping[str, object],
) -> Marker:
    """What is to be written when a run of `family` that `began` then is done by now.

    `results` is the folder of the attempt.
    """
    return Marker(
        family=family,
        date=request.date,
        job=base_name(results),
        rows=rows,
        files=files,
        made_from=dict(request.inputs),
        image=None,
        started_at=began,
        ended_at=now(),
        about=about,
    )


def describe(url: str, stat: Stat, run_folder: str) -> File:
    """What a marker says of the file at `url`."""
    return File(url.removeprefix(f"{run_folder}/"), stat.size_bytes, stat.checksum)
