"""The report's figures, as plotly figures; colours are Okabe & Ito's, told apart by shape and position too."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import pandas as pd
import plotly.graph_objects as go

from scoring.report.fidelity_figures import fidelity_figures
from scoring.report.findings import Findings, direction_of, title_of
from scoring.report.names import attribute_name, level_name
from scoring.report.sentences import headline
from scoring.statistics.levels import ALL
from scoring.statistics.subgroups import MEASURES

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#808080"
SCALE = [[0.0, "#D55E00"], [0.5, "#f2f2f2"], [1.0, "#0072B2"]]
NET_OF_NEUTRAL = "net of the neutral text"
WIDE, NARROW = "items like these too", "these items"


@dataclass(frozen=True)
class Figure:
    """A figure with its heading, and in words what it shows, for who cannot see it."""

    id: str
    section: str
    title: str
    description: str
    figure: go.Figure
    folded: bool = False


def figures(found: Findings, geometry: bool) -> Iterator[Figure]:
    """Every figure that there are numbers for; maps only where there is a geometry to draw them on."""
    effects = found.effects
    for name, title, text, figure in fidelity_figures(found.tables):
        yield Figure(name, "fidelity", title, text, figure, folded=True)
    if effects.empty:
        return
    overall = effects[(effects["attribute"] == ALL) & effects["effect"].notna()]
    if len(overall):
        text = "Each row is a model and benchmark: Δ with its 95 % intervals, and Δ net of the neutral text."
        title = "Persona effect Δ with 95 % intervals, on one scale"
        shown = headline(overall)
        yield Figure("forest", "overall", title, text, forest(shown[shown["effect"].notna()]))
    for number, rows in enumerate(_resolved(effects)):
        name = f"{rows['model'].iloc[0]} on {title_of(str(rows['benchmark'].iloc[0]))}"
        better = direction_of(str(rows["benchmark"].iloc[0]))
        for attribute, levels in rows[(rows["attribute"] != ALL) & ~rows["hidden"]].groupby("attribute", sort=False):
            levels = levels.dropna(subset=["effect"])
            if levels.empty:
                continue
            section = "countries" if attribute == "country" else "subgroups"
            text = f"Δ of {name} by {attribute_name(attribute)}, sorted, with 95 % intervals for these items."
            plot = dots(levels, found.slicing.min_n)
            title = f"Δ by {attribute_name(attribute)}: {name} ({better})"
            yield Figure(f"dots-{number}-{attribute}", section, title, text, plot, attribute != "country")
            if attribute == "country" and geometry:
                text = f"Δ of {name} by country, as colour on a world map; the dot plot has the same numbers in order."
                yield Figure(f"map-{number}", section, f"The same on a map: {name}", text, world_map(levels), True)
    for number, (model, rows) in enumerate(effects[effects["attribute"] != ALL].groupby("model", observed=True)):
        shown = pd.concat(list(_resolved(rows))) if len(rows) else rows
        if shown["effect"].notna().any():
            text = f"Δ of {model} for each attribute level (rows) and benchmark (columns)."
            yield Figure(
                f"heat-{number}", "heat", f"Attribute levels and benchmarks: {model}", text, heat_map(shown), True
            )


def _resolved(effects: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Each model and benchmark's rows by the measure that resolves most: letter probabilities where there are any."""
    for _, rows in effects.groupby(["model", "benchmark"], observed=True):
        yield rows[rows["measure"] == list(MEASURES)[-1]] if (rows["measure"] == list(MEASURES)[-1]).any() else rows


def _layout(figure: go.Figure, height: int, axis: str = "Δ = with − without") -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 10, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        xaxis={"title": axis, "zeroline": True, "zerolinewidth": 2, "automargin": True, "rangemode": "tozero"},
        yaxis={"automargin": True},
    )
    return figure


def _bars(rows: pd.DataFrame, scope: str) -> dict[str, object]:
    high, low = rows[f"{scope}_high"] - rows["effect"], rows["effect"] - rows[f"{scope}_low"]
    return {"type": "data", "symmetric": False, "array": high.tolist(), "arrayminus": low.tolist()}


def forest(overall: pd.DataFrame) -> go.Figure:
    """Δ per model × benchmark × measure: the thick bar is for these items, the thin one for items like these too."""
    rows = overall.iloc[::-1]
    names = _forest_names(rows)
    figure = go.Figure()
    for scope, label, width, colour in (("items", WIDE, 1.5, GREY), ("people", NARROW, 5, BLUE)):
        marker: dict[str, object] = {
            "symbol": "diamond" if scope == "people" else "line-ns",
            "size": 10,
            "color": colour,
        }
        marker["line"] = {"width": 2, "color": colour}
        bars = {**_bars(rows, scope), "thickness": width, "color": colour, "width": 5 if scope == "items" else 0}
        figure.add_scatter(x=rows["effect"], y=names, mode="markers", marker=marker, error_x=bars, name=label)
    if "net" in rows and rows["net"].notna().any():
        high, low = rows["net_high"] - rows["net"], rows["net"] - rows["net_low"]
        bars = {"type": "data", "symmetric": False, "array": high.tolist(), "arrayminus": low.tolist()}
        marker = {"symbol": "circle-open", "size": 9, "color": ORANGE}
        bars |= {"thickness": 1}
        own = [f"{name}, net" for name in names]
        figure.add_scatter(x=rows["net"], y=own, mode="markers", marker=marker, error_x=bars, name=NET_OF_NEUTRAL)
        order = [each for name in names for each in (f"{name}, net", name)]
        figure.update_yaxes(categoryorder="array", categoryarray=order)
    return _layout(figure, 120 + 60 * len(rows))


def _forest_names(rows: pd.DataFrame) -> list[str]:
    """The model is named once for each row's benchmark, and not at all where there is only one."""
    several = rows["model"].nunique() > 1
    repeated = rows.duplicated(["model", "benchmark"], keep=False)
    names = []
    for (_, row), again in zip(rows.iterrows(), repeated, strict=True):
        name = title_of(str(row["benchmark"])) + (f", {row['metric']}" if again else "")
        names.append(escape(f"{row['model']}") + f"<br>{escape(name)}" if several else escape(name))
    return names


def dots(levels: pd.DataFrame, min_n: int) -> go.Figure:
    """Levels sorted by Δ, with 95 % intervals for these items; hollow where there are too few people to compare."""
    rows = levels.sort_values("effect")
    few = rows["personas"] < min_n
    figure = go.Figure()
    for part, label, symbol, colour in (
        (rows[~few], "compared", "circle", BLUE),
        (rows[few], f"under {min_n} people, not tested", "circle-open", GREY),
    ):
        if len(part):
            names = _row_names(part)
            bars = {**_bars(part, "people"), "thickness": 1.5, "color": colour}
            marker = {"symbol": symbol, "size": 9, "color": colour}
            figure.add_scatter(x=part["effect"], y=names, mode="markers", marker=marker, error_x=bars, name=label)
    figure.update_yaxes(categoryorder="array", categoryarray=_row_names(rows))
    return _layout(figure, 110 + 24 * len(rows))


def _row_names(rows: pd.DataFrame) -> list[str]:
    """Levels in words, with their people."""
    keys = zip(rows["attribute"], rows["level"], rows["personas"], strict=True)
    return [f"{escape(level_name(str(name), str(level)))} (n = {people:.0f})" for name, level, people in keys]


def world_map(levels: pd.DataFrame) -> go.Figure:
    """Δ as colour, zero in the middle."""
    bound = float(levels["effect"].abs().max()) or 0.01
    figure = go.Figure(
        go.Choropleth(
            locations=levels["level"],
            z=levels["effect"],
            zmin=-bound,
            zmax=bound,
            colorscale=SCALE,
            marker={"line": {"color": GREY, "width": 0.5}},
            colorbar={"title": "Δ", "thickness": 12},
        )
    )
    figure.update_geos(
        projection={"type": "natural earth", "rotation": {"lon": 11}},
        lonaxis={"range": [-169, 191]},
        lataxis={"range": [-58, 85]},
        bgcolor="rgba(0,0,0,0)",
        showframe=False,
        showland=True,
        landcolor="rgba(128,128,128,.25)",
    )
    return _layout(figure, 380)


def heat_map(rows: pd.DataFrame) -> go.Figure:
    """Δ of each attribute level (rows) and benchmark (columns); a hidden level is blank."""
    keys = zip(rows["attribute"], rows["level"], strict=True)
    names = [f"{attribute_name(str(name))}: {level_name(str(name), str(level))}" for name, level in keys]
    shown = rows.assign(row=names, column=rows["benchmark"].map(title_of))
    order = list(dict.fromkeys(shown["row"]))[::-1]
    shown = shown[shown["effect"].notna()]
    bound = float(shown["effect"].abs().max()) or 0.01
    colour = {"color": shown["effect"].tolist(), "cmin": -bound, "cmax": bound, "colorscale": SCALE}
    figure = go.Figure(
        go.Scatter(
            x=shown["column"],
            y=[escape(name) for name in shown["row"]],
            mode="markers+text",
            text=[f"{value:+.3f}" for value in shown["effect"]],
            textposition="middle right",
            marker={**colour, "symbol": "square", "size": 18, "showscale": True, "colorbar": {"title": "Δ"}},
        )
    )
    figure.update_yaxes(categoryorder="array", categoryarray=[escape(name) for name in order])
    return _layout(figure, 110 + 26 * len(order), "")
