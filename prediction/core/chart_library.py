"""The library that draws charts, loaded when something is drawn."""

import sys
from typing import Any

from prediction.core import versions


def load() -> Any:
    """The library, without the finder of its plug-ins that stands in the way of later imports."""
    with versions.apart():
        import pygal

    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]
    return pygal
