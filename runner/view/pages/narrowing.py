"""The one figure that only the live page has."""

from html import escape

import pandas as pd
import plotly.graph_objects as go

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
        high, low = 100 * (rows["high"] - rows["effect"]).fillna(0), 100 * (rows["effect"] - rows["low"]).fillna(0)
        figure.add_scatter(
            x=rows["answers"],
            y=100 * rows["effect"],
            error_y={"type": "data", "symmetric": False, "array": high, "arrayminus": low, "thickness": 2},
            mode="lines+markers",
            marker={"symbol": symbol, "size": 9, "color": colour},
            name=escape(f"{model}, {title_of(str(benchmark))}"),
        )
    figure.update_layout(
        height=320,
        margin={"l": 10, "r": 10, "t": 10, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=True,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        xaxis={"title": "answers so far", "automargin": True, "rangemode": "tozero"},
        yaxis={"title": POINTS, "automargin": True, "zeroline": True, "zerolinewidth": 2},
    )
    return figure
