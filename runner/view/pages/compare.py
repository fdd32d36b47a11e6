"""Two personas, models or formats beside each other on the same items."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

import pandas as pd
from dash import MATCH, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from personas.errors import MtpaError
from runner.view.background import result
from runner.view.pages.parts import block, dropdown, grid, number, options, response, table, trial_address
from runner.view.pages.text import line, visible
from runner.view.queries.answer_pairs import DIFFERENT, KINDS, Answered, Pair, Sides, pairs, personas
from runner.view.queries.file import version_of
from runner.view.queries.trial_table import TrialFilter, latest
from runner.view.source import ViewSource
from runner.view.statistics import compared
from scoring.report.findings import title_of
from scoring.report.numbers import in_points, points_interval, score

PAGE, EFFECT = "compare", "persona effect"
FIELDS = tuple(each.name for each in fields(Sides))
_COLUMNS = [
    {"field": "question", "headerName": "Question", "flex": 2, "minWidth": 200},
    {"field": "first", "headerName": "First", "cellRenderer": "TrialLink", "flex": 1, "minWidth": 130},
    {"field": "one", "headerName": "p", "width": 75, "type": "rightAligned"},
    {"field": "second", "headerName": "Second", "cellRenderer": "TrialLink", "flex": 1, "minWidth": 130},
    {"field": "other", "headerName": "p", "width": 75, "type": "rightAligned"},
    {"field": "right", "headerName": "Right answer", "flex": 1, "minWidth": 110},
    {"field": "change", "headerName": "Change", "width": 95, "type": "rightAligned"},
    {"field": "persona", "headerName": "Asked as", "width": 190},
]


def render(source: ViewSource, search: str) -> list[Any]:
    """The page that an address asks for."""
    sides = Sides.parse(search)
    return [
        dcc.Location(id="compare-url", pathname="/compare", search=search, refresh="callback-nav"),
        html.H1("Compare"),
        html.Div(_fields(source, sides), className="filters", role="search"),
        html.Div(_shown(source, sides), id="compare-shown"),
    ]


def _shown(source: ViewSource, sides: Sides) -> list[Any]:
    """The pairs, and above them the difference once it is computed."""
    if not sides.is_complete:
        return [html.P("Choose two different ones: their answers to the same items stand side by side.")]
    upto = source.look(latest, TrialFilter())
    identity = {"table": "pairs", "search": sides.search(), "upto": upto}
    names = {"first": _named(source, sides, sides.first), "second": _named(source, sides, sides.second)}
    columns = [{**each, "headerName": names.get(str(each["field"]), each["headerName"])} for each in _COLUMNS]
    return [
        html.Div(html.P("Computing the difference and its intervals…"), id="difference", role="status"),
        grid(identity, columns, "Pairs of answers to the same question"),
        dcc.Store(id="compared", data={"search": sides.search(), "version": list(version_of(source.path))}),
        dcc.Interval(id="compared-beat", interval=700),
    ]


def _fields(source: ViewSource, sides: Sides) -> list[Any]:
    known, sorts = source.choices(), _sorts(source, sides)
    kinds = [(each, f"two {each}s") for each in KINDS]
    return [
        dropdown(_id("what"), "Compare", kinds, sides.what),
        dropdown(_id("first"), "First", sorts, sides.first),
        dropdown(_id("second"), "Second", sorts, sides.second),
        dropdown(_id("benchmark"), "Benchmark", known.benchmarks, sides.benchmark),
        dropdown(_id("only"), "Only", [(DIFFERENT, "where they chose differently")], sides.only),
        dropdown(_id("order"), "Order (as answered)", [("change", "largest change first")], sides.order),
    ]


def _sorts(source: ViewSource, sides: Sides) -> Sequence[Any]:
    """What there is to compare; personas are offered as they are searched for."""
    known = source.choices()
    if sides.what == "persona":
        chosen = [name for name in (sides.first, sides.second) if name]
        return [(name, _named(source, sides, name)) for name in chosen]
    return {"model": known.models, "format": known.formats}[sides.what]


def _named(source: ViewSource, sides: Sides, name: str) -> str:
    """A side in words: of a persona, who it is."""
    known = dict(source.look(personas, name)) if sides.what == "persona" and name else {}
    return line(known.get(name, name).partition(" · ")[0], 60)


def _id(field: str) -> str:
    return f"{PAGE}-{field}"


def register(app: Dash, source: ViewSource) -> None:
    """Fields and address follow each other, the table follows both, and asks for its rows."""

    @app.callback(
        Output("compare-url", "search"),
        [Output(_id(name), "value") for name in FIELDS],
        Output("compare-shown", "children"),
        Input("compare-url", "search"),
        [Input(_id(name), "value") for name in FIELDS],
        prevent_initial_call=True,
    )
    def follow(search: str | None, *values: str | None) -> Any:
        before = Sides.parse(search or "")
        sides = before
        if ctx.triggered_id != "compare-url":
            chosen = Sides(**{name: value or "" for name, value in zip(FIELDS, values, strict=True)})
            sides = Sides.parse(chosen.search())
            sides = sides if sides.what == before.what else Sides(sides.what, benchmark=sides.benchmark)
            if sides == before and chosen.what:
                raise PreventUpdate
        return sides.search(), *(value or None for value in astuple(sides)), _shown(source, sides)

    for side in ("first", "second"):

        @app.callback(
            Output(_id(side), "options"),
            Input(_id(side), "search_value"),
            Input("compare-url", "search"),
        )
        def offer(typed: str | None, search: str | None, side: str = side) -> list[dict[str, str]]:
            sides = Sides.parse(search or "")
            if sides.what != "persona":
                return options(_sorts(source, sides), getattr(sides, side))
            found = source.look(personas, typed or "")
            others = [each for each in _sorts(source, sides) if each[0] not in dict(found)]
            return options([*others, *found], getattr(sides, side))

    @app.callback(
        Output({"table": "pairs", "search": MATCH, "upto": MATCH}, "getRowsResponse"),
        Input({"table": "pairs", "search": MATCH, "upto": MATCH}, "getRowsRequest"),
        prevent_initial_call=True,
    )
    def rows(request: dict[str, Any] | None) -> Any:
        if request is None:
            return no_update
        identity = ctx.triggered_id
        start, most = block(request)
        found = source.look(pairs, Sides.parse(identity["search"]), int(identity["upto"]), start, most)
        return response([_cells(pair) for pair in found], start, most, None)

    @app.callback(
        Output("difference", "children"),
        Output("compared-beat", "disabled"),
        Input("compared-beat", "n_intervals"),
        State("compared", "data"),
    )
    def difference(_: int, wanted: dict[str, Any]) -> Any:
        sides = Sides.parse(wanted["search"])
        names = (sides.what, sides.first, sides.second, sides.benchmark)
        future = source.background.ask((compared, *names, *wanted["version"]), compared, source.path, *names)
        if not future.done():
            return no_update, False
        try:
            return _difference(result(future), sides), True
        except MtpaError as error:
            return html.P(visible(str(error)), role="alert"), True


def _difference(found: pd.DataFrame, sides: Sides) -> Any:
    """Second − first, with both intervals."""
    if found.empty:
        return html.Div(html.P("No answered trial in common."))
    resolved = found.groupby("benchmark", observed=True)["measure"].transform("last")
    found = found[found["measure"] == resolved]  # by letter probabilities where there are any
    what = {"baseline": f"two {sides.what}s" if sides.what == "persona" else "baseline"}
    rows = [
        (
            title_of(str(row.benchmark)),
            str(row.metric),
            what.get(str(row.compared), str(row.compared)),
            f"{row.items:,}",
            *(in_points(each) if row.compared == EFFECT else score(each) for each in (row.without, row.with_persona)),
            in_points(row.effect),
            points_interval(row.items_low, row.items_high),
        )
        for row in found.itertuples()
    ]
    numbers = ("items", "first", "second", "second − first, points", "95% interval, for items like these")
    return table("The difference", ("benchmark", "measure", "of", *numbers), rows, numbers)


def _cells(pair: Pair) -> dict[str, Any]:
    return {
        "question": line(pair.question),
        "persona": line(pair.who, 80),
        "first": _link(pair.first, pair),
        "one": number(pair.first.answer.probability, ".2f"),
        "second": _link(pair.second, pair),
        "other": number(pair.second.answer.probability, ".2f"),
        "right": line(pair.right) or "–",
        "change": "–" if pair.change is None else in_points(pair.change),
    }


def _link(side: Answered, pair: Pair) -> dict[str, str]:
    text = line(side.answer.text, 160) or side.status
    return {"href": trial_address(side.place), "text": text, "persona": line(pair.question, 80)}
