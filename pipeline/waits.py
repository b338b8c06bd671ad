"""That a date's sources were not complete when ready.sql was last asked, for who asks later.

Whether they are by now only a query can tell: `status` runs none.
"""

import datetime
import json

from pipeline import storage
from pipeline.layout import Layout
from pipeline.times import now


def note(layout: Layout, date: datetime.date) -> None:
    """Leave a word that the data before `date` are not complete yet."""
    url = layout.waiting(date)
    storage.open(url).write(url, json.dumps({"asked_at": now()}).encode())


def take_back(layout: Layout, date: datetime.date) -> None:
    """They are. No-op when nothing was said before."""
    url = layout.waiting(date)
    storage.open(url).delete(url)


def read(layout: Layout) -> dict[datetime.date, str]:
    """Date -> when it was last asked, UTC, of the dates whose sources were not complete then."""
    store = storage.open(layout.waits)
    found = {}
    for entry in store.list(layout.waits):
        date = datetime.date.fromisoformat(entry.url.rpartition("=")[2].removesuffix(".json"))
        found[date] = str(json.loads(store.read(entry.url))["asked_at"])
    return found
