"""The report's figures, as plotly figures; what colours tell, shape and position tell too."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from itertools import chain

import pandas as pd
import plotly.graph_objects as go

from scoring.report.drawing import BLUE, GREY, ORANGE, error_bars, framed
from scoring.report.fidelity.fidelity_figures import fidelity_figures
from scoring.report.findings import Findings, direction_of, title_of
from scoring.report.names import attribute_name, level_name
from scoring.report.numbers import in_points
from scoring.report.robustness.facet_words import facet_figures
from scoring.report.robustness.specification_curve import curve_figures
from scoring.report.robustness.trait_coefficients import coefficient_figures
from scoring.report.sentences import headline
from scoring.statistics.levels import ALL
from scoring.statistics.subgroups import MEASURES

SCALE = [[0.0, "#D55E00"], [0.5, "#c4c8ce"], [1.0, "#0072B2"]]  # no colour at all is no data
NET_OF_NEUTRAL = "net of the neutral text"
POINTS = "Δ in percentage points"
BELOW = 0.32  # how much lower than Δ what is net of the neutral text is drawn
WIDE, NARROW = "items like these too", "these items"


@dataclass(frozen=True)
class Figure:
    """A figure with its heading and its alternative text, which says in words what it shows.

    `same_as` is the figure that shows the same numbers in another way.
    """

    id: str
    section: str
    title: str
    description: str
    figure: go.Figure
    same_as: str = ""


def figures(found: Findings, geometry: bool) -> Iterator[Figure]:
    """Every figure that there are numbers for; maps only where there is a geometry to draw them on."""
    effects = found.effects
    for name, title, text, figure in fidelity_figures(found.tables):
        yield Figure(name, "fidelity", title, text, figure)
    titled = {str(name): title_of(str(name)) for name in effects.get("benchmark", [])}
    of_benchmarks = (drawn(found.tables, titled) for drawn in (coefficient_figures, curve_figures))
    for name, title, text, figure in (*chain(*of_benchmarks), *facet_figures(found.tables)):
        yield Figure(name, "robustness", title, text, figure)
    if effects.empty:
        return
    overall = effects[(effects["attribute"] == ALL) & effects["effect"].notna()]
    if len(overall):
        text = "Each row is a model and benchmark: Δ with its 95% intervals, and Δ net of the neutral text."
        title = "Persona effect Δ with 95% intervals, on one scale"
        shown = headline(overall)
        yield Figure("forest", "forest", title, text, forest(shown[shown["effect"].notna()]))
    spans = _spans(pd.concat(list(_resolved(effects))))
    for number, rows in enumerate(_resolved(effects)):
        name = f"{rows['model'].iloc[0]} on {title_of(str(rows['benchmark'].iloc[0]))}"
        better = direction_of(str(rows["benchmark"].iloc[0]))
        for attribute, levels in rows[(rows["attribute"] != ALL) & ~rows["hidden"]].groupby("attribute", sort=False):
            levels = levels.dropna(subset=["effect"])
            if levels.empty:
                continue
            section = "countries" if attribute == "country" else "subgroups"
            text = f"Δ of {name} by {attribute_name(attribute)}, sorted, with 95% intervals for these items."
            plot = dots(levels, found.slicing.min_n)
            plot.update_xaxes(range=spans[str(attribute)])
            title = f"Δ by {attribute_name(attribute)}: {name} ({better})"
            own = f"dots-{number}-{attribute}"
            yield Figure(own, section, title, text, plot)
            if attribute == "country" and geometry:
                text = f"Δ of {name} by country, as colour on a world map; the dot plot has the same numbers in order."
                yield Figure(f"map-{number}", section, title, text, world_map(levels), own)
    for number, (model, rows) in enumerate(effects[effects["attribute"] != ALL].groupby("model", observed=True)):
        shown = pd.concat(list(_resolved(rows))) if len(rows) else rows
        if shown["effect"].notna().any():
            text = f"Δ of {model} for each attribute level (rows) and benchmark (columns)."
            yield Figure(f"heat-{number}", "heat", f"Attribute levels and benchmarks: {model}", text, heat_map(shown))


def _spans(effects: pd.DataFrame) -> dict[str, list[float]]:
    """From where to where Δ of each attribute's levels is drawn, in points: the same for every benchmark."""
    shown = effects[~effects["hidden"]].fillna({"people_low": effects["effect"], "people_high": effects["effect"]})
    ends = shown.groupby("attribute", observed=True).agg(low=("people_low", "min"), high=("people_high", "max"))
    ends = ends.assign(low=ends["low"].clip(upper=0), high=ends["high"].clip(lower=0))
    room = (0.04 * (ends["high"] - ends["low"])).clip(lower=1e-3)
    return {
        str(name): [100 * (row.low - pad), 100 * (row.high + pad)]
        for (name, row), pad in zip(ends.iterrows(), room, strict=True)
    }


def _resolved(effects: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Each model and benchmark's rows by the measure that resolves most: letter probabilities where there are any."""
    for _, rows in effects.groupby(["model", "benchmark"], observed=True):
        yield rows[rows["measure"] == list(MEASURES)[-1]] if (rows["measure"] == list(MEASURES)[-1]).any() else rows


def _layout(figure: go.Figure, height: int, axis: str = POINTS) -> go.Figure:
    return framed(
        figure,
        height,
        xaxis={"title": axis, "zeroline": True, "zerolinewidth": 2, "automargin": True, "rangemode": "tozero"},
        yaxis={"automargin": True},
    )


def _bars(rows: pd.DataFrame, scope: str) -> dict[str, object]:
    return error_bars(rows["effect"], rows[f"{scope}_low"], rows[f"{scope}_high"])


def forest(overall: pd.DataFrame) -> go.Figure:
    """Δ per model × benchmark × measure: the thick bar is for these items, the thin one for items like these too."""
    rows = overall.iloc[::-1]
    places = list(range(len(rows)))
    figure = go.Figure()
    for scope, label, width, colour in (("items", WIDE, 1.5, GREY), ("people", NARROW, 5, BLUE)):
        marker: dict[str, object] = {
            "symbol": "diamond" if scope == "people" else "line-ns",
            "size": 10,
            "color": colour,
        }
        marker["line"] = {"width": 2, "color": colour}
        bars = {**_bars(rows, scope), "thickness": width, "color": colour, "width": 5 if scope == "items" else 0}
        figure.add_scatter(x=100 * rows["effect"], y=places, mode="markers", marker=marker, error_x=bars, name=label)
    if "net" in rows and rows["net"].notna().any():
        bars = error_bars(rows["net"], rows["net_low"], rows["net_high"], thickness=1)
        marker = {"symbol": "circle-open", "size": 9, "color": ORANGE}
        below = [place - BELOW for place in places]
        figure.add_scatter(
            x=100 * rows["net"], y=below, mode="markers", marker=marker, error_x=bars, name=NET_OF_NEUTRAL
        )
    _layout(figure, 120 + 60 * len(rows))
    figure.update_yaxes(
        tickvals=places, ticktext=_forest_names(rows), range=[-0.7, len(rows) - 0.5], showgrid=False, zeroline=False
    )
    return figure


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
    """Levels sorted by Δ, with 95% intervals for these items; hollow where there are too few people to compare."""
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
            figure.add_scatter(x=100 * part["effect"], y=names, mode="markers", marker=marker, error_x=bars, name=label)
    figure.update_yaxes(categoryorder="array", categoryarray=_row_names(rows))
    return _layout(figure, 110 + 24 * len(rows))


def _row_names(rows: pd.DataFrame) -> list[str]:
    """Levels in words, with their people."""
    keys = zip(rows["attribute"], rows["level"], rows["personas"], strict=True)
    return [f"{escape(level_name(str(name), str(level)))} (n = {people:.0f})" for name, level, people in keys]


def world_map(levels: pd.DataFrame) -> go.Figure:
    """Δ as colour, zero in the middle."""
    bound = 100 * float(levels["effect"].abs().max()) or 1.0
    figure = go.Figure(
        go.Choropleth(
            locations=levels["level"],
            z=100 * levels["effect"],
            zmin=-bound,
            zmax=bound,
            colorscale=SCALE,
            marker={"line": {"color": GREY, "width": 0.5}},
            colorbar={"title": "Δ, points", "thickness": 12},
        )
    )
    figure.update_geos(
        projection={"type": "natural earth", "rotation": {"lon": 11}},
        lonaxis={"range": [-169, 191]},
        lataxis={"range": [-58, 85]},
        bgcolor="rgba(0,0,0,0)",
        showframe=False,
        showland=True,
        landcolor="rgba(0,0,0,0)",
    )
    return _layout(figure, 380)


def heat_map(rows: pd.DataFrame) -> go.Figure:
    """Δ of each attribute level (rows) and benchmark (columns); a hidden level is blank."""
    keys = zip(rows["attribute"], rows["level"], strict=True)
    names = [f"{attribute_name(str(name))}: {level_name(str(name), str(level))}" for name, level in keys]
    shown = rows.assign(row=names, column=rows["benchmark"].map(title_of))
    order = list(dict.fromkeys(shown["row"]))[::-1]
    shown = shown[shown["effect"].notna()]
    bound = 100 * float(shown["effect"].abs().max()) or 1.0
    colour = {"color": (100 * shown["effect"]).tolist(), "cmin": -bound, "cmax": bound, "colorscale": SCALE}
    figure = go.Figure(
        go.Scatter(
            x=shown["column"],
            y=[escape(name) for name in shown["row"]],
            mode="markers+text",
            text=[in_points(value) for value in shown["effect"]],
            textposition="middle right",
            marker={**colour, "symbol": "square", "size": 18, "showscale": True, "colorbar": {"title": "Δ, points"}},
        )
    )
    figure.update_yaxes(categoryorder="array", categoryarray=[escape(name) for name in order])
    return _layout(figure, 110 + 26 * len(order), "")
