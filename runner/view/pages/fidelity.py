"""Fidelity: whether the model answers the survey as its respondents did; made in the background."""

from typing import Any

from dash import Dash, Input, Output, State, dcc, html, no_update

from personas.errors import MtpaError
from runner.view.background import result
from runner.view.fidelity_results import FidelityResults
from runner.view.pages.parts import dropdown, plot, table
from runner.view.pages.text import visible
from runner.view.queries.file import version_of
from runner.view.source import ViewSource
from scoring.report.html_tables import HtmlTable

NOBODY = "No question of a survey was put to a persona in this run; a [fidelity] table in the study file asks some."
FIRST = "people"  # the table that is shown at first
ROWS = 60  # of a table, since a browser takes seconds for thousands of cells


def render(source: ViewSource, search: str) -> list[Any]:
    """The page: what was found comes when it is there."""
    return [
        html.H1("Fidelity to the respondents"),
        html.Div(html.P("Comparing the answers with the respondents' own…", role="status"), id="fidelity-shown"),
        dcc.Store(id="fidelity-version", data=list(version_of(source.path))),
        dcc.Interval(id="fidelity-beat", interval=700),
    ]


def register(app: Dash, source: ViewSource) -> None:
    """Show what was found when it is there."""

    @app.callback(
        Output("fidelity-shown", "children"),
        Output("fidelity-beat", "disabled"),
        Input("fidelity-beat", "n_intervals"),
        State("fidelity-version", "data"),
    )
    def shown(_: int, version: list[Any]) -> Any:
        future = source.fidelity(version)
        if not future.done():
            return no_update, False
        try:
            return _content(result(future)), True
        except MtpaError as error:
            return html.P(visible(str(error)), role="alert"), True

    @app.callback(
        Output("fidelity-table", "children"), Input("fidelity-choice", "value"), State("fidelity-version", "data")
    )
    def chosen(name: str | None, version: list[Any]) -> Any:
        tables = result(source.fidelity(version)).tables
        return _table(name, tables[name]) if name is not None and name in tables else ""


def _content(found: FidelityResults) -> list[Any]:
    if not found.statements:
        return [html.P(NOBODY)]
    told = [_statement(top, rest) for top, rest in found.statements]
    figures = [plot(name, f"{visible(title)}. {visible(text)}", figure) for name, title, text, figure in found.figures]
    tables = [(name, each.title) for name, each in found.tables.items()]
    note = "Numbers with fewer than five people on one side are hidden."
    choice = dropdown("fidelity-choice", "table", tables, FIRST)
    return [*told, html.P(note, className="note"), choice, html.Div(id="fidelity-table"), *figures]


def _statement(top: str, rest: str) -> Any:
    return html.P([html.Strong(visible(top)), " ", visible(rest)], className="finding")


def _table(name: str, shown: HtmlTable) -> list[Any]:
    """A table's first rows, where the file of all of them is, and what its columns mean."""
    several = ["model"] if len(shown.models) > 1 else []
    heads = [*several, *(visible(head) for head, _ in shown.columns)]
    numbers = [visible(head) for head, is_number in shown.columns if is_number]
    rows = [
        [*([visible(model)] if several else []), *map(visible, cells)]
        for model, own in shown.models
        for _, cells in own
    ]
    first = f"The first {ROWS} of {shown.size:,} rows. " if shown.size > ROWS else ""
    legend = [each for head, words in shown.legend for each in (html.Dt(visible(head)), html.Dd(visible(words)))]
    return [
        table(shown.title, heads, rows[:ROWS], numbers),
        html.P([first, html.A("Save all of it as CSV", href=f"/fidelity/{name}.csv")], className="note"),
        html.Details([html.Summary("What the columns mean"), html.Dl(legend)]),
    ]
