"""The coefficient plot: what telling each trait does, sorted, with 95 % intervals."""

from collections.abc import Iterator, Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from scoring.report.drawing import BLUE, GREY, ORANGE, Drawn, error_bars, framed


def coefficient_figures(tables: Mapping[str, pd.DataFrame], titled: Mapping[str, str]) -> Iterator[Drawn]:
    """A figure for each model and benchmark whose traits are told at random, by the measure that resolves most.

    `titled` are the benchmarks' titles.
    """
    table = tables.get("told_traits", pd.DataFrame())
    for number, ((model, benchmark), rows) in enumerate(
        table.groupby(["model", "benchmark"], sort=False, observed=True) if len(table) else ()
    ):
        rows = rows[(rows["measure"] == rows["measure"].iloc[-1]) & rows["telling"].notna()]
        if len(rows):
            name = f"{model} on {titled.get(str(benchmark), str(benchmark))}"
            text = (
                f"What telling each trait does to the score of {name}, sorted, with 95% intervals for items like "
                "these; filled where p by Holm is under 5%."
            )
            yield f"traits-{number}", f"The effect of telling each trait: {name}", text, coefficients(rows)


def coefficients(rows: pd.DataFrame) -> go.Figure:
    """A row a trait, the largest effect on top; interactions below."""
    rows = rows.sort_values(["kind", "telling"], kind="stable")  # drawn from below
    effect, holds = 100 * rows["telling"], rows["holm"] < 0.05
    bars = error_bars(rows["telling"], rows["low"], rows["high"], thickness=1, color=GREY)
    marker = {"size": 9, "color": [BLUE if each else ORANGE for each in holds]}
    marker["symbol"] = ["circle" if each else "circle-open" for each in holds]
    names = [escape(str(name)) for name in rows["trait"]]
    figure = go.Figure()
    figure.add_scatter(x=effect, y=names, mode="markers", marker=marker, error_x=bars, showlegend=False)
    return framed(
        figure,
        110 + 24 * len(rows),
        xaxis={"title": "effect of telling it, in percentage points", "zeroline": True, "automargin": True},
        yaxis={"automargin": True, "showgrid": True},
    )
