"""The table of trials, and what narrows it."""

from dataclasses import astuple, fields, replace
from typing import Any

from dash import MATCH, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from runner.view.pages.parts import block, dropdown, entry, grid, number, options, response, trial_address
from runner.view.pages.text import line
from runner.view.queries.trial_table import (
    BASELINE,
    COUNTED,
    FAILED,
    STATUSES,
    Choices,
    Filter,
    Row,
    count,
    latest,
    page,
)
from runner.view.source import Source

PAGE = "explore"
FIELDS = tuple(each.name for each in fields(Filter))
_COLUMNS = [
    {"field": "trial", "headerName": "Trial", "cellRenderer": "TrialLink", "width": 210},
    {"field": "status", "headerName": "Status", "width": 105},
    {"field": "value", "headerName": "Value", "width": 85, "type": "rightAligned"},
    {"field": "answer", "headerName": "Answer", "width": 150, "flex": 1, "minWidth": 120},
    {"field": "question", "headerName": "Question", "flex": 3, "minWidth": 220},
    {"field": "persona", "headerName": "Persona", "width": 200},
    {"field": "country", "headerName": "Country", "width": 95},
    {"field": "format", "headerName": "Format", "width": 110},
    {"field": "benchmark", "headerName": "Benchmark", "width": 160},
    {"field": "model", "headerName": "Model", "width": 160},
]


def render(source: Source, search: str) -> list[Any]:
    """The page that an address asks for."""
    wanted = Filter.parse(search)
    return [
        dcc.Location(id="explore-url", pathname="/explore", search=search, refresh="callback-nav"),
        html.H1("Trials"),
        html.Div(_filters(source, wanted), className="filters", role="search"),
        html.Div(_shown(source, wanted), id="explore-shown"),
        html.P("Arrow keys move in the table, Enter opens a trial.", className="note"),
        dcc.Interval(id="newer-beat", interval=3000),
    ]


def _shown(source: Source, wanted: Filter) -> list[Any]:
    """The table of the trials that there are now: it stands still while new ones land, which are told of beside it."""
    upto = source.look(latest, wanted)
    identity = {"table": "trials", "search": wanted.search(), "upto": upto}
    counted = html.Span("Counting…", id={**identity, "table": "trials-count"}, role="status")
    return [
        html.P([counted, html.Span(id="newer")], className="note"),
        grid(identity, _COLUMNS, "Trials"),
        dcc.Store(id="shown", data={"search": wanted.search(), "upto": upto}),
    ]


def _filters(source: Source, wanted: Filter) -> list[Any]:
    known = source.choices()
    statuses = [(each, "failed (no answer)" if each == FAILED else each) for each in STATUSES]
    return [
        dropdown(_id("model"), "Model", known.models, wanted.model),
        dropdown(_id("benchmark"), "Benchmark", known.benchmarks, wanted.benchmark),
        dropdown(_id("country"), "Country", known.countries, wanted.country),
        dropdown(_id("trait"), "Trait", list(known.levels), wanted.trait),
        dropdown(_id("level"), "Its level", _levels(known, wanted.trait), wanted.level),
        dropdown(_id("format"), "Format", known.formats, wanted.format),
        dropdown(_id("status"), "Status", statuses, wanted.status),
        dropdown(_id("order"), "Order (newest first)", [("oldest", "oldest first")], wanted.order),
        entry(_id("item"), "Item id", wanted.item),
        entry(_id("persona"), f"Persona id, or {BASELINE}", wanted.persona),
    ]


def _levels(known: Choices, trait: str) -> list[tuple[str, str]]:
    return [(value, line(label, 80)) for value, label in known.levels.get(trait, ())]


def _id(field: str) -> str:
    return f"{PAGE}-{field}"


def register(app: Dash, source: Source) -> None:
    """Filters and address follow each other, the table follows both, and asks for its rows."""

    @app.callback(
        Output("explore-url", "search"),
        [Output(_id(name), "value") for name in FIELDS],
        Output(_id("level"), "options"),
        Output("explore-shown", "children"),
        Input("explore-url", "search"),
        [Input(_id(name), "value") for name in FIELDS],
        prevent_initial_call=True,
    )
    def follow(search: str | None, *values: str | None) -> Any:
        before = Filter.parse(search or "")
        wanted = before
        if ctx.triggered_id != "explore-url":
            wanted = Filter(**{name: value or "" for name, value in zip(FIELDS, values, strict=True)})
            wanted = wanted if wanted.trait == before.trait else replace(wanted, level="")
            if wanted == before:
                raise PreventUpdate
        levels = options(_levels(source.choices(), wanted.trait), wanted.level)
        shown = [value or None for value in astuple(wanted)]
        return wanted.search(), *shown, levels, _shown(source, wanted)

    @app.callback(
        Output({"table": "trials", "search": MATCH, "upto": MATCH}, "getRowsResponse"),
        Output({"table": "trials-count", "search": MATCH, "upto": MATCH}, "children"),
        Input({"table": "trials", "search": MATCH, "upto": MATCH}, "getRowsRequest"),
        prevent_initial_call=True,
    )
    def rows(request: dict[str, Any] | None) -> Any:
        if request is None:
            return no_update, no_update
        identity = ctx.triggered_id
        wanted, upto = Filter.parse(identity["search"]), int(identity["upto"])
        start, most = block(request)
        with source.reading() as connection:
            found = page(connection, wanted, upto, start, most)
            is_whole = start == 0 and len(found) < most
            known = count(connection, wanted, upto) if start == 0 and not is_whole else None
        said = _counted(len(found) if is_whole else known) if start == 0 else no_update
        return response([_cells(row) for row in found], start, most, known), said

    @app.callback(Output("newer", "children"), Input("newer-beat", "n_intervals"), State("shown", "data"))
    def newer(_: int, shown: dict[str, Any]) -> Any:
        wanted = Filter.parse(shown["search"])
        landed = source.look(latest, wanted) - shown["upto"]
        if landed <= 0:
            return ""
        return [f" {landed:,} newer have landed: ", html.A("show them", href=f"/explore{wanted.search()}")]


def _counted(found: int | None) -> str:
    if found is None:
        return f"Over {COUNTED:,} trials."
    return f"{found:,} trial." if found == 1 else f"{found:,} trials."


def _cells(row: Row) -> dict[str, Any]:
    return {
        "trial": {"href": trial_address(row.place), "text": line(row.item_id, 80), "persona": line(row.persona_id, 80)},
        "status": row.status,
        "value": number(row.value, ".3g"),
        "answer": line(row.answer),
        "question": line(row.question),
        "persona": line(row.persona_id, 80),
        "country": row.country,
        "format": row.format,
        "benchmark": line(row.benchmark, 80),
        "model": line(row.model, 80),
    }
