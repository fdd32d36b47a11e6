"""The figures of fidelity: the reliability curve, and fidelity against Δ over groups."""

from collections.abc import Iterator, Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from scoring.report.drawing import BLUE, GREY, Drawn, framed
from scoring.report.names import attribute_name, level_name
from scoring.statistics.levels import ALL

HALVES = ["model", "of", "shown", "metric", "x"]
LEAST_LEVELS = 3  # two points are no picture of how two quantities go together


def fidelity_figures(tables: Mapping[str, pd.DataFrame]) -> Iterator[Drawn]:
    """Every figure that there are numbers for."""
    curve = tables.get("fidelity_reliability", pd.DataFrame())
    for number, (key, rows) in enumerate(_by(curve, ["model", "benchmark", "shown"])):
        text = (
            "For each tenth of probability: how often the option was the respondent's; the line is perfect calibration."
        )
        yield f"reliability-{number}", f"Reliability of the probabilities: {key[0]}", text, reliability(rows)
    points = tables.get("fidelity_points", pd.DataFrame())
    points = points[points["attribute"] != ALL] if len(points) else points
    drawn = ((key, rows) for key, rows in _by(points, [*HALVES, "attribute"]) if len(rows) >= LEAST_LEVELS)
    for number, (key, rows) in enumerate(drawn):
        text = f"Each point is a level of {attribute_name(key[5])}: {key[4]} and Δ on {key[1]}, with standard errors."
        title = f"{key[4].capitalize()} and Δ by {attribute_name(key[5])}: {key[0]} on {key[1]}"
        yield f"halves-{number}", title, text, both_halves(rows, key[4])


def _by(table: pd.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[str, ...], pd.DataFrame]]:
    if len(table):
        for key, rows in table.groupby(keys, sort=False, observed=True):
            yield tuple(map(str, key)), rows


def reliability(rows: pd.DataFrame) -> go.Figure:
    """The share of options that were the respondent's against the probability that the model gave them."""
    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "dash": "dot"}, name="calibrated")
    words = [
        f"{people:.0f} people, {options:.0f} options"
        for people, options in zip(rows["personas"], rows["options"], strict=True)
    ]
    marker = {"size": 9, "color": BLUE}
    figure.add_scatter(x=rows["told"], y=rows["own"], mode="lines+markers", marker=marker, text=words, name="model")
    return _layout(figure, "probability that the model gave", "share that was the respondent's")


def both_halves(rows: pd.DataFrame, x: str) -> go.Figure:
    """Fidelity and Δ of each level, with standard errors."""
    keys = zip(rows["attribute"], rows["level"], strict=True)
    names = [escape(level_name(str(attribute), str(level))) for attribute, level in keys]
    bars = {"type": "data", "thickness": 1, "color": GREY}
    figure = go.Figure()
    figure.add_scatter(
        x=rows["fidelity"],
        y=rows["effect"],
        mode="markers+text",
        text=names,
        textposition="top center",
        marker={"size": 9, "color": BLUE},
        error_x={**bars, "array": rows["fidelity_error"].fillna(0).tolist()},
        error_y={**bars, "array": rows["effect_error"].fillna(0).tolist()},
        showlegend=False,
    )
    return _layout(figure, x, "Δ = with − without")


def _layout(figure: go.Figure, x: str, y: str) -> go.Figure:
    return framed(
        figure,
        380,
        xaxis={"title": x, "automargin": True},
        yaxis={"title": y, "automargin": True},
    )
