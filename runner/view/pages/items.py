"""The items whose answers personas changed most, beyond what chance changes; and one of them opened."""

from typing import Any

import pandas as pd
from dash import Dash, Input, Output, State, dcc, html, no_update

from personas.errors import MtpaError
from runner.view.background import result
from runner.view.pages.parts import bar, number, table, table_of_models, trial_address
from runner.view.pages.text import line, plain, visible
from runner.view.queries.chosen import BASELINE
from runner.view.queries.file import version_of
from runner.view.queries.item import SIDES, OpenedItem, opened_item
from runner.view.queries.trial_table import CHANGED, TrialFilter, latest, page
from runner.view.source import ViewSource
from runner.view.statistics import item_changes
from scoring.report.findings import title_of
from scoring.report.numbers import chance, in_points

SHOWN = 60
PEOPLE = 100


def render(source: ViewSource, search: str) -> list[Any]:
    """The list, made in the background; of `?item=…` the item."""
    wanted = TrialFilter.parse(search)
    if wanted.item:
        return _item(source, wanted)
    return [
        html.H1("Items"),
        html.P(
            "The questions to which personas changed most answers, beyond what chance alone changes, come first.",
            className="note",
        ),
        html.Div(html.P("Looking for the items that changed most…", role="status"), id="items-shown"),
        dcc.Store(id="items-version", data=list(version_of(source.path))),
        dcc.Interval(id="items-beat", interval=700),
    ]


def register(app: Dash, source: ViewSource) -> None:
    """Show the list when it is made."""

    @app.callback(
        Output("items-shown", "children"),
        Output("items-beat", "disabled"),
        Input("items-beat", "n_intervals"),
        State("items-version", "data"),
    )
    def shown(_: int, version: list[Any]) -> Any:
        future = source.background.ask((item_changes, *version), item_changes, source.path)
        if not future.done():
            return no_update, False
        try:
            return _list(result(future)), True
        except MtpaError as error:
            return html.P(visible(str(error)), role="alert"), True


def _list(found: pd.DataFrame) -> Any:
    if found.empty:
        return html.P("No item was answered both with and without a persona yet.")
    rows = [
        (
            html.A(line(row.question, 160), href=f"/items{_filter(row).search()}"),
            line(title_of(row.benchmark), 60),
            line(row.model, 60),
            chance(row.moved),
            chance(row.by_chance),
            in_points(row.effect),
            f"{row.people:,}",
        )
        for row in found.head(SHOWN).itertuples()
    ]
    numbers = ("answers changed", "by chance alone", "Δ, points", "answers")
    whole = f", the first {SHOWN} of {len(found):,}" if len(found) > SHOWN else f", all {len(found):,}"
    return table_of_models(f"Items{whole}", ("question", "benchmark", "model", *numbers), rows, numbers)


def _filter(row: Any) -> TrialFilter:
    return TrialFilter(item=str(row.item_id), benchmark=str(row.benchmark), model=str(row.model))


def _item(source: ViewSource, wanted: TrialFilter) -> list[Any]:
    """Both distributions, the right answer marked, and who changed."""
    found = source.look(opened_item, wanted)
    about = [line(wanted.model, 80) or "all models", line(title_of(found.benchmark), 80), line(found.item_id, 80)]
    return [
        html.H1("Item"),
        html.P(" · ".join(about), className="note"),
        plain(found.question) if found.question else html.P("Its options alone: which is likelier?", className="note"),
        _options(found),
        _changed(source, wanted),
        html.P(
            [
                html.A("All items", href="/items"),
                html.A("All trials of this item", href=f"/explore{wanted.search()}"),
            ],
            className="actions",
        ),
    ]


def _options(found: OpenedItem) -> Any:
    sides = [side for side in SIDES if side in found.answers]
    right = any(option.right for option in found.options)
    roles = any(option.role for option in found.options)
    rows = []
    for option in found.options:
        text = html.Span(visible(option.text) or "no option could be read", dir="auto", className="plain")
        row: list[Any] = [text, *(["✓ right" if option.right else ""] if right else []), *([option.role] * roles)]
        for side in sides:
            name = f"{option.text[:60] or 'unread'}, {side}"
            row.append([bar(option.shares[side], 1, name), f" {option.shares[side]:.0%}"])
        rows.append(row)
    heads = [f"{'without persona' if side == BASELINE else side} ({found.answers[side]:,})" for side in sides]
    columns = ["option", *(["right answer"] if right else []), *(["role"] * roles), *heads]
    return table("What was chosen, as shares of the answers", columns, rows)


def _changed(source: ViewSource, wanted: TrialFilter) -> Any:
    """Whose answers differ from those without a persona, the most changed first."""
    only = TrialFilter(item=wanted.item, benchmark=wanted.benchmark, model=wanted.model, only=CHANGED, order="change")
    found = source.look(page, only, source.look(latest, only), 0, PEOPLE)
    if not found:
        return html.P("Nobody's answer differs from the one without a persona.")
    rows = [
        (
            html.A(line(row.who, 80), href=trial_address(row.place, only)),
            html.Span(line(row.baseline.text), dir="auto"),
            number(row.baseline.probability, ".2f"),
            html.Span(line(row.answer.text), dir="auto"),
            number(row.answer.probability, ".2f"),
        )
        for row in found
    ]
    columns = ("asked as", "without persona", "p without", "chosen", "p")
    first = f", the first {PEOPLE}" if len(found) == PEOPLE else ""
    return table(f"Who changed{first}", columns, rows, ("p without", "p"))
