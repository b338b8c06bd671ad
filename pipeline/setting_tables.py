"""The section whose keys are the user's own: the tables of the local warehouse and their files."""

import re
from collections.abc import Mapping
from configparser import InterpolationError

from luigi.configuration import get_config

from pipeline.errors import SettingsError
from pipeline.setting_files import Origin, find_origin
from pipeline.setting_values import has_comment, locate, refused, unreadable

_NAME = re.compile(r"[\w-]+(\.[\w-]+){0,2}")
_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_FILES = "a file that ends in .csv, .csv.gz or .parquet, or a pattern of such files"


def read_tables(section: str) -> Mapping[str, str]:
    """Table name -> absolute path, in the order of the files that set them."""
    config = get_config()
    if not config.has_section(section):
        return {}
    try:
        # Not config.get: luigi's own takes a dash in a key for an underscore.
        places = dict(config.items(section))
    except InterpolationError as error:
        raise unreadable(find_origin(section, str(error.option)), error) from None
    return {
        name: _read_table(find_origin(section, name), place)
        for name, place in places.items()
        if name not in config.defaults()
    }


def _read_table(origin: Origin, place: str) -> str:
    if not _NAME.fullmatch(origin.key):
        raise SettingsError(
            f"{origin} names no table. The name must be one to three words with dots between them."
        )
    if has_comment(origin) or not place.endswith(_SUFFIXES):
        raise refused(origin, _FILES)
    try:
        return locate(place, origin.folder)
    except ValueError:
        raise refused(origin, _FILES) from None
