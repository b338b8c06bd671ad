"""The card's plots as SVG: no script, no outside asset, the same bytes for the same points."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prediction.core import chart_library

NEW, OLD, PLAIN = "#1f5fa8", "#d9822b", "#9aa3ad"
_WIDTH, _HEIGHT = 560, 400
_NAMES = {"model": ("this model", NEW), "previous": ("previous model", OLD)}
_DASHED = {"dasharray": "5, 5"}

Points = Sequence[Sequence[float]]


def draw(curves: Mapping[str, Any]) -> dict[str, str]:
    """Draw each of `curves` that can be drawn: heading -> SVG."""
    found = {}
    for name, (heading, chart) in _CHARTS.items():
        if name in curves:
            found[heading] = _render(name, chart(curves[name]))
    return found


def _roc(lines: Mapping[str, Points]) -> Any:
    chart = _xy("false positive rate", "true positive rate")
    return _lines(chart, lines, guess=[(0, 0), (1, 1)])


def _precision_recall(lines: Mapping[str, Any]) -> Any:
    share = lines["base"]
    chart = _xy("recall", "precision")
    curves = {name: points for name, points in lines.items() if name != "base"}
    return _lines(chart, curves, guess=[(0, share), (1, share)])


def _calibration(lines: Mapping[str, Sequence[Mapping[str, float]]]) -> Any:
    points = {
        name: [(each["predicted"], each["true"]) for each in groups]
        for name, groups in lines.items()
    }
    chart = _xy("mean predicted chance", "share that is true")
    return _lines(chart, points, guess=[(0, 0), (1, 1)], guess_name="ideal", dots=True)


def _scores(found: Mapping[str, Sequence[float]]) -> Any:
    chart = _bars(found["edges"], "score", "% of the rows of the class")
    chart.add("label true", _percent(found["true"]))
    chart.add("label false", _percent(found["false"]))
    return chart


def _residuals(found: Mapping[str, Sequence[float]]) -> Any:
    chart = _bars(found["edges"], "true value minus prediction", "rows")
    chart.add("rows", list(found["rows"]))
    chart.config.show_legend = False
    return chart


def _true_values(found: Mapping[str, Any]) -> Any:
    low, high = found["range"]
    chart = _xy("prediction", "true value", (low, high), (low, high))
    chart.config.legend_at_bottom_columns = 3
    chart.add("a row", found["rows"], stroke=False, dots_size=1.5)
    groups = [(each["predicted"], each["true"]) for each in found["groups"]]
    chart.add("means of tenths", groups, stroke=False, dots_size=5)
    chart.add("ideal", [(low, low), (high, high)], stroke_style=_DASHED, show_dots=False)
    return chart


def _xy(
    x: str, y: str, x_range: tuple[float, float] = (0, 1), y_range: tuple[float, float] = (0, 1)
) -> Any:
    return chart_library.load().XY(
        **_options(x, y),
        xrange=x_range,
        range=y_range,
        x_value_formatter=_short,
        x_labels_major_count=6,
        show_minor_x_labels=False,
        dots_size=3,
    )


def _bars(edges: Sequence[float], x: str, y: str) -> Any:
    chart = chart_library.load().Bar(**_options(x, y), margin_bottom=10)
    # One label for every fifth bar: more would lie on each other.
    names = [_short(edge) for edge in edges[:-1]]
    chart.x_labels = names
    chart.x_labels_major = names[::5]
    chart.show_minor_x_labels = False
    return chart


def _lines(
    chart: Any,
    lines: Mapping[str, Points],
    guess: Points,
    *,
    guess_name: str = "base rate",
    dots: bool = False,
) -> Any:
    # What is drawn last is on top.
    drawn = [name for name in ("previous", "model") if name in lines]
    chart.config.style.colors = (PLAIN, *(_NAMES[name][1] for name in drawn))
    chart.config.legend_at_bottom_columns = 1 + len(drawn)
    chart.add(guess_name, guess, stroke_style=_DASHED, show_dots=False)
    for name in drawn:
        chart.add(_NAMES[name][0], [tuple(point) for point in lines[name]], show_dots=dots)
    return chart


def _options(x: str, y: str) -> dict[str, Any]:
    from pygal.style import Style

    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="#333",
        foreground_strong="#222",
        foreground_subtle="#777",
        colors=(NEW, OLD, PLAIN),
        font_family="sans-serif",
        label_font_size=13,
        major_label_font_size=13,
        title_font_size=14,
        legend_font_size=14,
        no_data_font_size=16,
        guide_stroke_color="#e3e6ea",
        guide_stroke_dasharray="",
        major_guide_stroke_color="#e3e6ea",
        major_guide_stroke_dasharray="",
        stroke_width=2.2,
    )
    return {
        "style": style,
        "js": [],
        "disable_xml_declaration": True,
        "width": _WIDTH,
        "height": _HEIGHT,
        "x_title": x,
        "y_title": y,
        "legend_at_bottom": True,
        "legend_box_size": 12,
        "show_x_guides": False,
        "truncate_label": -1,
        "truncate_legend": -1,
        "value_formatter": _short,
        "pretty_print": False,
    }


def _render(name: str, chart: Any) -> str:
    # Otherwise a number by chance, which the styles of a page's charts are told apart by.
    chart.uuid = f"chart-{name}"
    chart.add_xml_filter(_without_scripts)
    svg: str = chart.render()
    return svg


def _without_scripts(root: Any) -> Any:
    """Take out scripts and comments, which hold the day of the drawing."""
    for parent in root.iter():
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.endswith("script"):
                parent.remove(child)
    return root


def _percent(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]


def _short(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


_CHARTS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "roc": ("ROC curve", _roc),
    "precision_recall": ("Precision and recall", _precision_recall),
    "calibration": ("Calibration", _calibration),
    "scores": ("Scores by class", _scores),
    "predicted_and_true": ("Predicted and true", _true_values),
    "residuals": ("Residuals", _residuals),
}
