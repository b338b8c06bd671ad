"""Many files brought or taken at once: most of a transfer's time is spent waiting."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Tell = Callable[[str], None]

Item = TypeVar("Item")
Result = TypeVar("Result")

# Google's client keeps ten connections open: these, the heart's, and one to spare.
_THREADS = 8


def say_nothing(words: str) -> None:
    """A `Tell` for who does not want to know."""


def transfer(work: Callable[[Item], Result], items: Sequence[Item], tell: Tell) -> list[Result]:
    """Do `work` for all `items`, several at a time; the results are in the order of the items.

    After each, `tell` hears how many are through. Raises the first error as soon as it is known;
    what has not begun by then is left out.
    """
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="transfer")
    try:
        under_way = [pool.submit(work, item) for item in items]
        for number, ended in enumerate(as_completed(under_way), 1):
            ended.result()
            tell(f"{number} of {len(items)} files")
        return [each.result() for each in under_way]
    finally:
        # Who is told to end does not wait for the others.
        pool.shutdown(wait=False, cancel_futures=True)
