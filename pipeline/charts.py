"""Charts of what happened on many dates, as pages of one file without outside assets."""

import datetime
import sys
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT = 900, 320
_COLORS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")

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


def over_dates(series: Mapping[str, Mapping[datetime.date, float | None]]) -> str:
    """An SVG with a line for each of `series`, name -> date -> value; None leaves a gap."""
    import pygal
    from pygal.style import Style

    # It looks for maps, at each import of anything, in a way that Python has given up.
    sys.meta_path[:] = [f for f in sys.meta_path if not isinstance(f, pygal.PluginImportFixer)]
    chart = pygal.DateLine(
        js=[],
        disable_xml_declaration=True,
        width=_WIDTH,
        height=_HEIGHT,
        style=Style(
            background="transparent",
            plot_background="transparent",
            colors=_COLORS,
            guide_stroke_color="#cccccc",
            major_guide_stroke_color="#cccccc",
            font_family="sans-serif",
        ),
        x_labels=_marks(sorted({date for line in series.values() for date in line})),
        x_value_formatter=str,
        value_formatter=lambda value: f"{value:.3g}",
        legend_at_bottom=True,
        dots_size=2,
        show_x_guides=False,
        range=_room([value for line in series.values() for value in line.values()]),
    )
    for name, line in series.items():
        chart.add(name, sorted(line.items()))
    svg: str = chart.render()
    return svg


def page(title: str, charts: Mapping[str, str], note: str = "") -> str:
    """An HTML page with each of `charts`, heading -> SVG."""
    import jinja2

    environment = jinja2.Environment(autoescape=True)
    return environment.from_string(_PAGE).render(title=title, charts=charts, note=note)


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
    """At most so many of the dates, evenly, the first and the last among them."""
    if len(dates) <= most:
        return list(dates)
    return [dates[round(n * (len(dates) - 1) / (most - 1))] for n in range(most)]
