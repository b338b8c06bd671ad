"""Which models are there, and when it is looked again."""

import datetime

import luigi

from pipeline.inventory import find_newest
from pipeline.layout import Layout
from pipeline.storage import open as open_storage

FIRST = datetime.date(2024, 1, 1)
BEFORE = datetime.date(2024, 4, 1)


def train(layout: Layout, *dates: datetime.date) -> None:
    for date in dates:
        run = layout.run("training", date)
        open_storage(run.marker).write(run.marker, b"{}")


def newest(layout: Layout) -> datetime.date | None:
    found = find_newest(layout, FIRST, BEFORE)
    return found.date if found else None


def test_the_newest_model_of_a_range_is_found(tmp_path):
    layout = Layout(str(tmp_path), "toy", 1)
    train(layout, datetime.date(2023, 12, 1), datetime.date(2024, 2, 1), FIRST, BEFORE)
    assert newest(layout) == datetime.date(2024, 2, 1)


def test_models_are_listed_once_until_a_task_starts(tmp_path):
    layout = Layout(str(tmp_path), "toy", 1)
    assert newest(layout) is None
    train(layout, FIRST)
    assert newest(layout) is None
    luigi.Task().trigger_event(luigi.Event.START)
    assert newest(layout) == FIRST
