"""The table of trials, and what narrows it."""

from dataclasses import astuple, fields, replace
from typing import Any

from dash import MATCH, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.exceptions import PreventUpdate

from runner.view.pages.parts import block, dropdown, entry, grid, number, options, response, trial_address
from runner.view.pages.text import line
from runner.view.queries.chosen import BASELINE
from runner.view.queries.trial_table import (
    CHANGED,
    COUNTED,
    FAILED,
    STATUSES,
    Choices,
    Row,
    TrialFilter,
    count,
    latest,
    page,
)
from runner.view.source import ViewSource
from scoring.report.findings import title_of
from scoring.report.names import level_name
from scoring.report.numbers import in_points

PAGE = "explore"
FIELDS = tuple(each.name for each in fields(TrialFilter))
_COLUMNS = [
    {"field": "trial", "headerName": "Question", "cellRenderer": "TrialLink", "flex": 3, "minWidth": 220},
    {"field": "persona", "headerName": "Asked as", "width": 190},
    {"field": "answer", "headerName": "Chosen", "flex": 1, "minWidth": 130},
    {"field": "likely", "headerName": "p", "width": 65, "type": "rightAligned"},
    {"field": "baseline", "headerName": "Without persona", "flex": 1, "minWidth": 130},
    {"field": "likely_before", "headerName": "p", "width": 65, "type": "rightAligned"},
    {"field": "right", "headerName": "Right answer", "flex": 1, "minWidth": 110},
    {"field": "change", "headerName": "Change", "width": 90, "type": "rightAligned"},
    {"field": "status", "headerName": "Status", "width": 100},
    {"field": "format", "headerName": "Format", "width": 100},
    {"field": "benchmark", "headerName": "Benchmark", "width": 150},
    {"field": "model", "headerName": "Model", "width": 150},
]


_LEGEND = (
    "p is the probability of the option chosen; change is of the score, in percentage points, beside the same question "
    "without a persona. Arrow keys move in the table, Enter opens a trial."
)


def render(source: ViewSource, search: str) -> list[Any]:
    """The page that an address asks for."""
    wanted = TrialFilter.parse(search)
    return [
        dcc.Location(id="explore-url", pathname="/explore", search=search, refresh="callback-nav"),
        html.H1("Trials"),
        html.Div(_filters(source, wanted), className="filters", role="search"),
        html.Div(_shown(source, wanted), id="explore-shown"),
        html.P(_LEGEND, className="note"),
        dcc.Interval(id="newer-beat", interval=3000),
    ]


def _shown(source: ViewSource, wanted: TrialFilter) -> list[Any]:
    """The table of the trials that there are now; new ones do not move it, and a note beside it counts them."""
    upto = source.look(latest, wanted)
    identity = {"table": "trials", "search": wanted.search(), "upto": upto}
    counted = html.Span("Counting…", id={**identity, "table": "trials-count"}, role="status")
    return [
        html.P([counted, html.Span(id="newer")], className="note"),
        grid(identity, _columns(source.choices()), "Trials"),
        dcc.Store(id="shown", data={"search": wanted.search(), "upto": upto}),
    ]


def _columns(known: Choices) -> list[dict[str, Any]]:
    """The columns that tell trials apart: a single model needs none."""
    single = {"model": known.models, "benchmark": known.benchmarks}
    return [each for each in _COLUMNS if len(single.get(str(each["field"]), ("", ""))) > 1]


def _filters(source: ViewSource, wanted: TrialFilter) -> list[Any]:
    known = source.choices()
    statuses = [(each, "failed (no answer)" if each == FAILED else each) for each in STATUSES]
    orders = [("oldest", "oldest first"), ("change", "largest change first")]
    return [
        entry(_id("text"), "Words in question or answer", wanted.text),
        dropdown(_id("only"), "Only", [(CHANGED, "changed by the persona")], wanted.only),
        dropdown(_id("order"), "Order (newest first)", orders, wanted.order),
        dropdown(_id("model"), "Model", known.models, wanted.model),
        dropdown(_id("benchmark"), "Benchmark", known.benchmarks, wanted.benchmark),
        dropdown(_id("country"), "Country", _countries(known), wanted.country),
        dropdown(_id("trait"), "Trait", list(known.levels), wanted.trait),
        dropdown(_id("level"), "Its level", _levels(known, wanted.trait), wanted.level),
        dropdown(_id("format"), "Format", known.formats, wanted.format),
        dropdown(_id("status"), "Status", statuses, wanted.status),
        entry(_id("item"), "Item id", wanted.item),
        entry(_id("persona"), f"Persona id, or {BASELINE}", wanted.persona),
    ]


def _countries(known: Choices) -> list[tuple[str, str]]:
    return [(code, line(level_name("country", code), 80)) for code in known.countries]


def _levels(known: Choices, trait: str) -> list[tuple[str, str]]:
    return [(value, line(label, 80)) for value, label in known.levels.get(trait, ())]


def _id(field: str) -> str:
    return f"{PAGE}-{field}"


def register(app: Dash, source: ViewSource) -> None:
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
        before = TrialFilter.parse(search or "")
        wanted = before
        if ctx.triggered_id != "explore-url":
            wanted = TrialFilter(**{name: value or "" for name, value in zip(FIELDS, values, strict=True)})
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
        wanted, upto = TrialFilter.parse(identity["search"]), int(identity["upto"])
        start, most = block(request)
        with source.reading() as connection:
            found = page(connection, wanted, upto, start, most)
            is_whole = start == 0 and len(found) < most
            known = count(connection, wanted, upto) if start == 0 and not is_whole else None
        said = _counted(len(found) if is_whole else known) if start == 0 else no_update
        return response([_cells(row, wanted) for row in found], start, most, known), said

    @app.callback(Output("newer", "children"), Input("newer-beat", "n_intervals"), State("shown", "data"))
    def newer(_: int, shown: dict[str, Any]) -> Any:
        wanted = TrialFilter.parse(shown["search"])
        landed = source.look(latest, wanted) - shown["upto"]
        if landed <= 0:
            return ""
        return [f" {landed:,} newer have landed: ", html.A("show them", href=f"/explore{wanted.search()}")]


def _counted(found: int | None) -> str:
    if found is None:
        return f"Over {COUNTED:,} trials."
    return f"{found:,} trial." if found == 1 else f"{found:,} trials."


def _cells(row: Row, wanted: TrialFilter) -> dict[str, Any]:
    asked = {"href": trial_address(row.place, wanted), "text": line(row.question), "persona": line(row.who, 80)}
    alone = row.persona_id == BASELINE
    return {
        "trial": asked,
        "persona": "nobody (baseline)" if alone else line(row.who, 80),
        "answer": line(row.answer.text),
        "likely": number(row.answer.probability, ".2f"),
        "baseline": "" if alone else line(row.baseline.text) or "–",
        "likely_before": "" if alone else number(row.baseline.probability, ".2f"),
        "right": line(row.right) or "–",
        "change": "" if alone or row.change is None else in_points(row.change),
        "status": row.status,
        "format": row.format,
        "benchmark": line(title_of(row.benchmark), 80),
        "model": line(row.model, 80),
    }
