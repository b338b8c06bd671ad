"""Charts of what happened on many dates, as pages of one file without outside assets."""

import datetime
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH, _HEIGHT = 900, 320
_COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")
_LIMIT_COLORS = ("#777777", "#222222")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{ title }}</title>
<style>
body { font-family: sans-serif; color: #222; max-width: 60rem; margin: 2rem auto; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; } svg { width: 100%; height: auto; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% if note %}<p>{{ note }}</p>{% endif %}
{% for name, chart in charts.items() %}
<h2>{{ name }}</h2>
{{ chart | safe }}
{% endfor %}
</body>
</html>
"""


def over_dates(
    series: Mapping[str, Mapping[datetime.date, float | None]],
    limits: Mapping[str, float] | None = None,
) -> str:
    """An SVG with a line for each of `series`, name -> date -> value; None leaves a gap.

    A limit, name -> value, is a broken line from the first date to the last.
    """
    pygal = _load()
    limits = limits or {}
    colors = [_COLORS[number % len(_COLORS)] for number in range(len(series))]
    chart = pygal.DateLine(
        **_look([*colors, *_LIMIT_COLORS[: len(limits)]]),
        x_labels=_marks(sorted({date for line in series.values() for date in line})),
        x_value_formatter=str,
        value_formatter=lambda value: f"{value:.3g}",
        dots_size=2,
        show_x_guides=False,
        range=_room([*limits.values(), *(v for line in series.values() for v in line.values())]),
    )
    for name, line in series.items():
        chart.add(name, sorted(line.items()))
    dates = sorted({date for line in series.values() for date in line})
    for name, limit in limits.items():
        ends = [(date, limit) for date in (dates[0], dates[-1])]
        chart.add(name, ends, show_dots=False, stroke_style={"width": 2, "dasharray": "6, 4"})
    svg: str = chart.render()
    return svg


def side_by_side(labels: Sequence[str], series: Mapping[str, Sequence[float]]) -> str:
    """An SVG with bars for each of `series`, name -> a value for each label, side by side."""
    pygal = _load()
    chart = pygal.Bar(
        **_look(_COLORS),
        x_labels=[_shorten(label) for label in labels],
        x_label_rotation=25,
        value_formatter=lambda value: f"{value:.3g}",
    )
    for name, bars in series.items():
        chart.add(name, list(bars))
    svg: str = chart.render()
    return svg


def page(title: str, charts: Mapping[str, str], note: str = "") -> str:
    """An HTML page with each of `charts`, heading -> SVG."""
    import jinja2

    environment = jinja2.Environment(autoescape=True)
    return environment.from_string(_PAGE).render(title=title, charts=charts, note=note)


def _load() -> Any:
    """The library, without the finder of its plug-ins: all later imports would pass through it.

    It has none of the methods that Python asks finders for since 3.4, and is warned of.
    """
    import pygal

    sys.meta_path[:] = [each for each in sys.meta_path if type(each).__module__ != "pygal"]
    return pygal


def _look(colors: Sequence[str]) -> dict[str, Any]:
    """What all charts have in common; the n-th series has the n-th colour."""
    from pygal.style import Style

    style = Style(
        background="transparent",
        plot_background="transparent",
        colors=tuple(colors),
        font_family="sans-serif",
        guide_stroke_color="#dddddd",
        guide_stroke_dasharray="1, 0",
        major_guide_stroke_color="#dddddd",
        major_guide_stroke_dasharray="1, 0",
    )
    return {
        "js": [],
        "disable_xml_declaration": True,
        "width": _WIDTH,
        "height": _HEIGHT,
        "style": style,
        "legend_at_bottom": True,
        "legend_at_bottom_columns": 4,
        "truncate_legend": -1,
        # Else the last line of the legend, or of turned labels, is cut.
        "margin_bottom": 30,
    }


def _shorten(label: str, most: int = 24) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _room(values: Sequence[float | None]) -> tuple[float, float] | None:
    """The ends of the axis for values that differ by a rounding only; else pygal finds them.

    Where a step of the axis is lost in the last digit of a value, pygal looks for marks for ever.
    """
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    size = max(abs(low), abs(high))
    if not 0 < high - low < 1e-6 * size:
        return None
    return low - 0.01 * size, high + 0.01 * size


def _marks(dates: Sequence[datetime.date], most: int = 8) -> list[datetime.date]:
    """Some of the dates, the first and the last among them, with room for a label between two."""
    marks = list(dates[:1])
    for date in dates:
        if date - marks[-1] >= (dates[-1] - dates[0]) / most and date != marks[-1]:
            marks.append(date)
    # The last one stands for one before it, which it may be too near to.
    return [*marks[:-1], *dates[-1:]]
