"""Charts of what happened on many dates."""

import datetime
import sys

import pytest

from pipeline.charts import over_dates

DAYS = [datetime.date(2024, 3, 4) + datetime.timedelta(days=n) for n in range(3)]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "values",
    [
        (0.5, 0.5 + 1e-16, 0.5),
        (0.0475, 0.04749999999999999, 0.0475),
        (-3.0, -3.0 + 1e-15, None),
        (0.0, 0.0, 0.0),
        (None, None, None),
        (0.1, 0.9, None),
    ],
)
def test_values_that_hardly_differ_are_drawn_like_any(values):
    assert over_dates({"metric": dict(zip(DAYS, values, strict=True))}).startswith("<svg")


def test_the_library_leaves_imports_as_they_were():
    over_dates({"metric": {DAYS[0]: 1.0}})
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
