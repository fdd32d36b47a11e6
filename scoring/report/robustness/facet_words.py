"""Variance by facet in words and as bars."""

from collections.abc import Iterator, Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go

from scoring.report.drawing import Drawn, framed
from scoring.report.findings import title_of
from scoring.report.numbers import chance
from scoring.statistics.designs.facet_design import BY, GROUP, ITEM, PERSONA, REST, ROTATION, TRAITS, WORDINGS

LEAST_SHARE = 0.01  # of an interaction that a sentence names
_SIDES = {PERSONA: "people", GROUP: "items", ITEM: "items", ROTATION: "orders", WORDINGS: "wordings", TRAITS: "traits"}
_BETWEEN = {
    "people": "between people",
    "items": "between items",
    "orders": "between orders of an item's options",
    "wordings": "between wordings",
    "traits": "between sets of traits",
}
_ONE = {"items": "item", "orders": "order", "wordings": "wording", "traits": "set of traits"}
SMALLEST = 0.001  # share that is told as a number
_COLOURS = {
    "people": "#0072B2",
    "items": "#E69F00",
    "orders": "#CC79A7",
    "wordings": "#009E73",
    "traits": "#56B4E9",
    "interactions": "#D55E00",
    REST: "#c4c8ce",
}
_KEYS = ["model", "benchmark", "measure"]


def facet_sentences(table: pd.DataFrame) -> Iterator[str]:
    """What one answer's d, and Δ, vary with: a paragraph for each model and benchmark.

    By the measure that resolves most.
    """
    groups = list(_shown(table))
    for (model, benchmark), rows in groups:
        name = f"{model} on {title_of(benchmark)}: o" if len(groups) > 1 else "O"
        yield f"{name}{_of_answer(rows)} {_of_effect(rows)}"


def _shown(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    for (model, benchmark), rows in table.groupby(_KEYS[:2], sort=False, observed=True) if len(table) else ():
        yield (str(model), str(benchmark)), rows[rows["measure"] == rows["measure"].iloc[-1]]


def _summed(rows: pd.DataFrame, column: str) -> dict[tuple[str, ...], float]:
    """The shares of what is in a source, an item group and its items being one."""
    found: dict[tuple[str, ...], float] = {}
    for source, value in zip(rows["source"], rows[column], strict=True):
        sides = tuple(dict.fromkeys(_SIDES.get(name, name) for name in str(source).split(BY)))
        found[sides] = found.get(sides, 0.0) + float(value)
    return found


def _of_answer(rows: pd.DataFrame) -> str:
    shares = _summed(rows, "share")
    mains = [
        f"{_share(value)}{' is' if place == 0 else ''} {_BETWEEN[side]}"
        for place, (side, value) in enumerate(_mains(shares))
    ]
    both = {sides: value for sides, value in shares.items() if len(sides) > 1}
    named = [
        f"{chance(value)} is how {sides[0]} differ from {_ONE[sides[1]]} to {_ONE[sides[1]]}"
        for sides, value in both.items()
        if len(sides) == 2 and value >= LEAST_SHARE
    ]
    other = sum(value for sides, value in both.items() if len(sides) > 2 or value < LEAST_SHARE)
    others = [f"{_share(other)} is other interactions"] if other > 0 else []
    left = f"{chance(shares.get((REST,), 0.0))} is left: the draw of one answer, and what was not varied"
    return f"f the variance of one answer's d, {', '.join([*mains, *named, *others])}; {left}."


def _mains(shares: Mapping[tuple[str, ...], float]) -> list[tuple[str, float]]:
    return [(side, value) for (side, *rest), value in shares.items() if not rest and side != REST]


def _share(value: float) -> str:
    return "nothing" if value == 0 else "under 0.1%" if value < SMALLEST else chance(value)


def _of_effect(rows: pd.DataFrame) -> str:
    mains = sorted(_mains(_summed(rows, "of_effect")), key=lambda each: -each[1])
    told = [
        f"{_share(value)} is due to {side}" if place == 0 else f"{_share(value)} to {side}"
        for place, (side, value) in enumerate(mains)
    ]
    return f"Of the sampling variance of Δ, {', '.join(told)}."


def facet_figures(tables: Mapping[str, pd.DataFrame]) -> Iterator[Drawn]:
    """One figure: a bar for each model and benchmark, the shares of one answer's variance side by side."""
    groups = list(_shown(tables.get("facets", pd.DataFrame())))
    if groups:
        text = "The shares of the variance of one answer's d, a bar for each model and benchmark."
        yield "facets", "What one answer's d varies with", text, bars(groups)


def bars(groups: list[tuple[tuple[str, str], pd.DataFrame]]) -> go.Figure:
    """Stacked shares in per cent; what two or more facets have together is one piece."""
    several = len({model for (model, _), _ in groups}) > 1
    names = [escape(f"{model}: {title_of(part)}" if several else title_of(part)) for (model, part), _ in groups]
    pieces: dict[str, list[float]] = {name: [0.0] * len(groups) for name in _COLOURS}
    for place, (_, rows) in enumerate(groups):
        for sides, value in _summed(rows, "share").items():
            pieces["interactions" if len(sides) > 1 else sides[0]][place] += 100 * value
    figure = go.Figure()
    starts = [0.0] * len(groups)
    for name, values in pieces.items():
        if not any(values):
            continue
        ends = [start + value for start, value in zip(starts, values, strict=True)]
        # thick lines: the page's plotly.js has no bars
        figure.add_scatter(
            x=[each for pair in zip(starts, ends, strict=True) for each in (*pair, None)],
            y=[each for group in names for each in (group, group, None)],
            name=name,
            mode="lines",
            line={"width": 18, "color": _COLOURS[name]},
            text=[f"{name}: {value:.1f}%" for value in values for _ in range(3)],
            hovertemplate="%{text}<extra>%{y}</extra>",
        )
        starts = ends
    framed(
        figure,
        140 + 32 * len(groups),
        xaxis={"title": "% of the variance of one answer's d", "range": [0, 100], "automargin": True},
        yaxis={"automargin": True, "range": [len(groups) - 0.5, -0.5]},
    )
    return figure.update_layout(legend_traceorder="normal")
