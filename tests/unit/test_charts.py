"""Charts as a reader of their source sees them; acceptance/test_drift.py opens a page of them."""

import datetime
import re
import sys

import pytest

from pipeline import charts

FIRST, LAST = datetime.date(2024, 3, 1), datetime.date(2024, 3, 9)
DAYS = [datetime.date(2024, 3, 4) + datetime.timedelta(days=n) for n in range(3)]


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]+)</text>", svg)


def test_a_limit_is_a_broken_line_with_a_name():
    svg = charts.over_dates({"age": {FIRST: 0.1, LAST: 0.4}}, {"drift_warn": 0.25})
    assert {"age", "drift_warn"} <= set(texts(svg))
    assert svg.count("stroke-dasharray:6,4") == 1
    assert "stroke-dasharray:6,4" not in charts.over_dates({"age": {FIRST: 0.1, LAST: 0.4}})


def test_a_date_without_a_value_leaves_a_gap():
    middle = datetime.date(2024, 3, 5)
    svg = charts.over_dates({"age": {FIRST: 0.1, middle: None, LAST: 0.4}})
    assert str(middle) in texts(svg)
    assert "None" not in svg


def test_dates_are_named_as_far_as_there_is_room_for_their_names():
    daily = [FIRST + datetime.timedelta(days=n) for n in range(30)]
    dates = [*daily, datetime.date(2024, 12, 31), datetime.date(2025, 1, 1)]
    named = sorted(
        {
            each
            for each in texts(charts.over_dates({"age": dict.fromkeys(dates, 0.1)}))
            if re.fullmatch(r"[-0-9]{10}", each)
        }
    )
    assert named == ["2024-03-01", "2025-01-01"]


def test_bars_may_have_labels_that_are_the_same():
    svg = charts.side_by_side(["up to 1", "up to 1"], {"then": [0.25, 0.75], "now": [0.5, 0.5]})
    assert texts(svg).count("up to 1") == 2
    assert svg.count('class="rect reactive') == 4


def test_what_a_page_is_made_of_is_quoted():
    svg = charts.side_by_side(["<b>"], {"a & b": [1.0]})
    page = charts.page("drift of <name>", {"age > 1": svg}, note="1 < 2")
    assert "<h1>drift of &lt;name&gt;</h1>" in page
    assert "<h2>age &gt; 1</h2>" in page
    assert "1 &lt; 2" in page
    assert "<b>" not in page
    assert not re.search(r"(src|href)=|url\(|@import", page)


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
    assert charts.over_dates({"metric": dict(zip(DAYS, values, strict=True))}).startswith("<svg")


def test_the_library_leaves_imports_as_they_were():
    charts.over_dates({"metric": {DAYS[0]: 1.0}})
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
