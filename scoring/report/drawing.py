"""What the report's figures share: colours, error bars and the frame around a plot."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#808080"  # Okabe & Ito's
CLEAR = "rgba(0,0,0,0)"
Drawn = tuple[str, str, str, go.Figure]  # id, title, description, figure


def error_bars(middle: pd.Series, low: pd.Series, high: pd.Series, **style: Any) -> dict[str, Any]:
    """Intervals as plotly's error bars have them, in percentage points; none where an end is not known."""
    above, below = (100 * (high - middle)).fillna(0), (100 * (middle - low)).fillna(0)
    return {"type": "data", "symmetric": False, "array": above.tolist(), "arrayminus": below.tolist(), **style}


def framed(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """The figure without a background, its legend above it."""
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 10, "b": 40},
        paper_bgcolor=CLEAR,
        plot_bgcolor=CLEAR,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        **layout,
    )
