"""The specification curve: Δ of every way of asking, sorted, and below it which way each one is."""

from collections.abc import Iterator, Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from scoring.report.drawing import BLUE, GREY, ORANGE, Drawn, error_bars, framed

FEW = 12  # specifications that each have a tick of their own
_NUMBERS = ("model", "benchmark", "measure", "metric", "personas", "items", "effect", "items_low", "items_high")


def curve_figures(tables: Mapping[str, pd.DataFrame], titled: Mapping[str, str]) -> Iterator[Drawn]:
    """A figure for each model and benchmark of two specifications or more, by the measure that resolves most.

    `titled` are the benchmarks' titles.
    """
    table = tables.get("specifications", pd.DataFrame())
    for number, ((model, benchmark), rows) in enumerate(
        table.groupby(["model", "benchmark"], sort=False, observed=True) if len(table) else ()
    ):
        rows = rows[rows["measure"] == rows["measure"].iloc[-1]]
        if len(rows) > 1:
            name = f"{model} on {titled.get(str(benchmark), str(benchmark))}"
            text = (
                f"Δ of {name} under each of {len(rows)} specifications, sorted, with 95% intervals for items like "
                "these; the marks below say how each was written and asked."
            )
            yield f"curve-{number}", f"Δ of every specification: {name}", text, curve(rows)


def curve(rows: pd.DataFrame) -> go.Figure:
    """The curve above, the dashboard below, on one axis."""
    rows = rows.sort_values("effect", kind="stable").reset_index(drop=True)
    axes = [name for name in rows if name not in _NUMBERS and rows[name].nunique() > 1]
    names = [(axis, str(level)) for axis in axes for level in sorted(rows[axis].astype(str).unique())]
    share = 0.28 + 0.6 * len(names) / (len(names) + 14)
    figure = go.Figure()
    effect = 100 * rows["effect"]
    bars = error_bars(rows["effect"], rows["items_low"], rows["items_high"], thickness=1, width=0, color=GREY)
    off = (rows["items_low"] > 0) | (rows["items_high"] < 0)
    marker = {"size": 7, "color": [BLUE if each else ORANGE for each in off]}
    marker["symbol"] = ["circle" if each else "circle-open" for each in off]
    figure.add_scatter(x=rows.index + 1, y=effect, mode="markers", marker=marker, error_y=bars, showlegend=False)
    for place, (axis, level) in enumerate(names):
        there = rows.index[rows[axis].astype(str) == level] + 1
        mark = {"symbol": "square", "size": 6, "color": BLUE if axes.index(axis) % 2 == 0 else ORANGE}
        figure.add_scatter(x=there, y=[-place] * len(there), mode="markers", marker=mark, showlegend=False, yaxis="y2")
    ticks = [escape(f"{axis.replace('_', ' ')}: {level}") for axis, level in names]
    return framed(
        figure,
        300 + 20 * len(names),
        xaxis={
            "title": "specification, by Δ",
            **({"dtick": 1} if len(rows) <= FEW else {}),
            "automargin": True,
            "showgrid": False,
            "zeroline": False,
            "anchor": "y2",
        },
        yaxis={"title": "Δ in points", "domain": [share + 0.04, 1], "zeroline": True, "automargin": True},
        yaxis2={
            "domain": [0, share],
            "tickvals": [-place for place in range(len(names))],
            "ticktext": ticks,
            "range": [-len(names) + 0.4, 0.6],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
        },
    )
