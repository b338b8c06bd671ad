"""Something that goes on beside a `with` block, in a thread of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def background(function: Callable[[threading.Event], None]) -> Iterator[None]:
    """Call `function` in a thread; when the block ends, set its event and wait for it."""
    ended = threading.Event()
    thread = threading.Thread(target=function, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
