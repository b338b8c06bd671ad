"""The files of a finished run brought to this machine, each compared with its checksum."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipeline import checksums, cleaned, finished, storage
from pipeline.errors import ChecksumError, ObjectMissingError
from pipeline.layout import base_name, file_url
from pipeline.records import File, Marker, Source
from pipeline.transfers import Tell, say_nothing, transfer


class Fetched(NamedTuple):
    """A finished run whose files were brought to `folder`; `paths` are in the marker's order.

    `source` is the URL of the folder that its own files come from.
    """

    folder: Path
    marker: Marker
    paths: Sequence[Path]
    source: str

    def origins(self) -> dict[str, str]:
        """What each of `paths`, and at last the folder, is a copy of."""
        run_folder = self.source.rpartition("/")[0]
        urls = [file_url(run_folder, each.path) for each in self.marker.files]
        paths = [str(path) for path in self.paths]
        return {**dict(zip(paths, urls, strict=True)), str(self.folder): self.source}


def fetch(
    source: Source,
    folder: Path,
    tell: Tell = say_nothing,
    names: Sequence[str] | None = None,
) -> Fetched:
    """Bring the files of a finished run into `folder` and compare each with its checksum.

    An attempt's own files lie in `folder` as they did when it made them, files from elsewhere
    each in a numbered folder, as their names may be the same. With `names` only the files of
    these names are brought.
    Raises `ChecksumError` naming the file that is not the one that the marker lists.
    """
    marker = _read_marker(source)
    if names is not None:
        wanted = [each for each in marker.files if base_name(each.path) in names]
        marker = replace(marker, files=wanted)
    run_folder = source.marker.rpartition("/")[0]

    def bring(numbered: tuple[int, File]) -> Path:
        number, each = numbered
        url = file_url(run_folder, each.path)
        own = each.path.removeprefix(f"{marker.job}/")
        path = folder / (own if own != each.path else f"{number}/{base_name(url)}")
        _bring(url, each, source.marker, path)
        return path

    paths = transfer(bring, list(enumerate(marker.files)), tell)
    return Fetched(folder, marker, paths, f"{run_folder}/{marker.job}")


def _read_marker(source: Source) -> Marker:
    content = storage.open(source.marker).read(source.marker)
    if checksums.of_bytes(content) != source.checksum:
        raise ChecksumError(
            f"{source.marker} was replaced since this job was asked for. Run the task again."
        )
    return Marker.parse(content, source.marker)


def _bring(url: str, listed: File, marker: str, path: Path) -> None:
    try:
        storage.open(url).download(url, path)
    except ObjectMissingError:
        cleaned.refuse(marker)
        raise
    if not checksums.matches(path, listed.checksum):
        raise finished.changed(url, marker)
