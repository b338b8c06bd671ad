"""Whether predictions can be taken at their word: what was predicted beside what came."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from prediction.core import chart_library

GROUPS = 10
_SIZE = 420
_COLORS = ("#999999", "#1f77b4")

Groups = Sequence[Mapping[str, float]]


def group(label: pd.Series, score: pd.Series) -> Groups:
    """Tenths of the rows by `score`: of each `rows`, and the means `predicted` and `actual`.

    Rows with one score are never parted, so that there are fewer groups where scores are few.
    """
    values, truth = score.to_numpy(dtype=float), label.to_numpy(dtype=float)
    edges = np.unique(np.quantile(values, np.arange(1, GROUPS) / GROUPS))
    tenths = np.searchsorted(edges, values, side="left")
    rows = np.bincount(tenths)
    predicted = np.bincount(tenths, weights=values)
    actual = np.bincount(tenths, weights=truth)
    return [
        {
            "rows": int(rows[n]),
            "predicted": float(predicted[n] / rows[n]),
            "actual": float(actual[n] / rows[n]),
        }
        for n in range(len(rows))
        if rows[n]
    ]


def draw(groups: Groups) -> str:
    """An SVG: each group a dot, and the line on which all of them would lie at best."""
    pygal = chart_library.load()
    from pygal.style import Style

    every = [each[name] for each in groups for name in ("predicted", "actual")]
    low, high = min(0.0, *every), max(0.0, *every)
    high = high if high > low else 1.0
    chart = pygal.XY(
        js=[],
        disable_xml_declaration=True,
        width=_SIZE,
        height=_SIZE,
        style=Style(
            background="transparent",
            plot_background="transparent",
            colors=_COLORS,
            guide_stroke_color="#cccccc",
            major_guide_stroke_color="#cccccc",
            font_family="sans-serif",
        ),
        x_title="predicted",
        y_title="actual",
        xrange=(low, high),
        range=(low, high),
        value_formatter=lambda value: f"{value:.3g}",
        x_value_formatter=lambda value: f"{value:.3g}",
        legend_at_bottom=True,
        truncate_legend=-1,
        dots_size=4,
    )
    chart.add("as predicted", [(low, low), (high, high)], show_dots=False)
    chart.add("tenths of the rows", [(each["predicted"], each["actual"]) for each in groups])
    svg: str = chart.render()
    return svg
