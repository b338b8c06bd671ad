"""Sections whose keys are the user's own: tables, with their files or a column of each."""

import re
from collections.abc import Iterator, Mapping
from configparser import InterpolationError

from luigi.configuration import get_config

from pipeline.errors import SettingsError
from pipeline.setting_files import Origin, find_origin
from pipeline.setting_values import has_comment, locate, refused, unreadable

_NAME = re.compile(r"[\w-]+(\.[\w-]+){0,2}")
_COLUMN = re.compile(r"[^\W\d]\w*")
_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_FILES = "a file that ends in .csv, .csv.gz or .parquet, or a pattern of such files"


def read_tables(section: str) -> Mapping[str, str]:
    """Table name -> absolute path, in the order of the files that set them."""
    return {origin.key: _read_place(origin, place) for origin, place in _read(section)}


def read_columns(section: str) -> Mapping[str, str]:
    """Table name -> the name of one of its columns."""
    return {origin.key: _read_column(origin, column) for origin, column in _read(section)}


def _read(section: str) -> Iterator[tuple[Origin, str]]:
    """What a section says of each table. Raises `SettingsError` for a key that can't be one's."""
    config = get_config()
    if not config.has_section(section):
        return
    try:
        # Not config.get: luigi's own takes a dash in a key for an underscore.
        values = dict(config.items(section))
    except InterpolationError as error:
        raise unreadable(find_origin(section, str(error.option)), error) from None
    for name, value in values.items():
        if name not in config.defaults():
            origin = find_origin(section, name)
            if not _NAME.fullmatch(origin.key):
                raise SettingsError(
                    f"{origin} names no table. The name must be one to three words with dots"
                    " between them."
                )
            yield origin, value


def _read_column(origin: Origin, column: str) -> str:
    if not _COLUMN.fullmatch(column):
        raise refused(origin, "the name of a column")
    return column


def _read_place(origin: Origin, place: str) -> str:
    if has_comment(origin) or not place.endswith(_SUFFIXES):
        raise refused(origin, _FILES)
    try:
        return locate(place, origin.folder)
    except ValueError:
        raise refused(origin, _FILES) from None
