"""The one figure that only the live page has."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

from scoring.report.drawing import error_bars, framed
from scoring.report.figures import POINTS
from scoring.report.findings import title_of

# Okabe & Ito, distinguished by symbol too
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x")


def narrowing(history: pd.DataFrame) -> go.Figure:
    """Δ after a part of the answers, with its 95 % interval for these items, per model and benchmark."""
    figure = go.Figure()
    for number, ((model, benchmark), rows) in enumerate(history.groupby(["model", "benchmark"], sort=False)):
        colour, symbol = _COLOURS[number % len(_COLOURS)], _SYMBOLS[number % len(_SYMBOLS)]
        figure.add_scatter(
            x=rows["answers"],
            y=100 * rows["effect"],
            error_y=error_bars(rows["effect"], rows["low"], rows["high"], thickness=2),
            mode="lines+markers",
            marker={"symbol": symbol, "size": 9, "color": colour},
            name=escape(f"{model}, {title_of(str(benchmark))}"),
        )
    return framed(
        figure,
        320,
        showlegend=True,
        xaxis={"title": "answers so far", "automargin": True, "rangemode": "tozero"},
        yaxis={"title": POINTS, "automargin": True, "zeroline": True, "zerolinewidth": 2},
    )
