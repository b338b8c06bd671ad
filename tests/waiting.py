"""Waiting for what comes about by itself."""

import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.02


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Return when `condition` holds; that it does not within so long is a failure."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(_PAUSE_SECONDS)
