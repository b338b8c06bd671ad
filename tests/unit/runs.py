"""Finished runs, as a test needs them."""

import datetime
from pathlib import Path

from pipeline import checksums
from pipeline.records import File, Marker, Source

DATE = datetime.date(2024, 3, 1)


def finished(folder: Path, files: dict[str, str], job: str = "job-1", **about: object) -> Source:
    """A run in `folder`, made by `job`, with `files` (paths from the run's folder -> content)."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        listed.append(File(name, len(content), checksums.of_file(path)))
    marker = Marker("training", DATE, job, 1, listed, {}, None, "then", "now", about).dump()
    (folder / "_SUCCESS").write_bytes(marker)
    return Source(str(folder / "_SUCCESS"), checksums.of_bytes(marker))
