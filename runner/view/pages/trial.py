"""One trial opened."""

import json
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qs

from dash import Dash, Input, Output, State, dcc, html

from personas.errors import InputError
from runner.view.pages.parts import number, pairs, table, trial_address
from runner.view.pages.text import line, plain, visible
from runner.view.queries.answer_pairs import Sides
from runner.view.queries.chosen import BASELINE
from runner.view.queries.trial import Opened, opened
from runner.view.queries.trial_table import Place, TrialFilter, neighbours
from runner.view.source import ViewSource
from scoring.report.findings import title_of


def render(source: ViewSource, search: str) -> list[Any]:
    """The page of `?place=MODEL-PERSONA-VARIANT-ITEM-ROTATION-REPLICATE`, and of the filter of its table.

    Raises InputError for no such trial.
    """
    text = parse_qs(search.removeprefix("?")).get("place", [""])[0]
    place, wanted = Place.parse(text), TrialFilter.parse(search)
    if place is None:
        raise InputError(f"{text!r} names no trial: open one from the table of trials")
    found = source.look(opened, place)
    about = f"{line(found.model, 80)} · {line(title_of(found.benchmark), 80)} · {line(found.item_id, 80)}"
    return [
        html.H1(f"{line(found.question, 120)}"),
        html.P([html.Strong(["Asked as ", line(found.who, 80)]), f" · {about}"]),
        _steps(source, place, wanted),
        _options(found),
        _answer(found),
        _prompt(found),
        _siblings(found),
        _persona(found),
        html.Section([html.H2("Request"), pairs([("key", html.Code(found.key)), *_shown(found.facts)])]),
        _links(found, place),
    ]


def register(app: Dash, source: ViewSource) -> None:
    """Copy what the page shows, in the browser itself."""
    copy = "(_, text) => { navigator.clipboard.writeText(text); return 'Copied.'; }"
    said, button = Output("copied", "children"), Input("copy", "n_clicks")
    app.clientside_callback(copy, said, button, State("as-json", "data"), prevent_initial_call=True)  # type: ignore[no-untyped-call]


def _steps(source: ViewSource, place: Place, wanted: TrialFilter) -> html.P:
    """To the trials before and after it in the table, back to the table, and the whole of it as JSON."""
    before, after = source.look(neighbours, wanted, place)
    steps: list[Any] = []
    for name, other in (("← Previous", before), ("Next →", after)):
        steps.append(html.A(name, href=trial_address(other, wanted)) if other else html.Span(name, className="note"))
    steps.append(html.A("Back to the table", href=f"/explore{wanted.search()}"))
    as_json = json.dumps(asdict(source.look(opened, place)), indent=1, default=list)
    steps += [html.Button("Copy as JSON", id="copy"), html.Span(id="copied", role="status")]
    return html.P([*steps, dcc.Store(id="as-json", data=as_json)], className="actions")


def _links(found: Opened, place: Place) -> html.P:
    beside = Sides("persona", BASELINE, found.persona_id)
    shown = [
        html.A("All trials of this item", href=f"/explore{TrialFilter(item=found.item_id).search()}"),
        html.A("All of this persona", href=f"/explore{TrialFilter(persona=found.persona_id).search()}"),
    ]
    if place.persona:
        shown.append(html.A("This persona beside the baseline", href=f"/compare{beside.search()}"))
    return html.P(shown, className="actions")


def _shown(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, visible(value)) for name, value in rows]


def _answer(found: Opened) -> html.Section:
    content: list[Any] = [html.H2("Answer")]
    if found.answer is not None:
        content.append(plain(found.answer, f"/answer/{found.completion}.txt"))
    elif found.completion:
        content.append(html.P("Probabilities came back, and no text."))
    value = number(found.value, ".4g")
    content.append(html.P([html.Strong(f"{found.status}, value {value}"), ""]))
    content.append(html.Ul([html.Li(visible(sentence), dir="auto") for sentence in found.why]))
    return html.Section(content)


def _options(found: Opened) -> html.Section:
    """Each option with what was chosen and how likely it was, beside the baseline's."""
    likely = any(option.probability is not None for option in found.options)
    alone = found.persona_id == BASELINE
    right = any(option.right for option in found.options)
    worths = any(option.worth for option in found.options)
    rows = []
    for option in found.options:
        text = html.Span(visible(option.text), dir="auto", className="plain")
        row: list[Any] = [option.letter, text, *(["✓ right" if option.right else ""] if right else [])]
        row += [option.worth] if worths else []
        row += _side(option.chosen, option.probability, likely)
        rows.append(row if alone else [*row, *_side(option.chosen_before, option.before, likely)])
    asked = f"chosen{'' if alone else ' as ' + line(found.who, 60)}"
    numbers = ["p", "p without"] if likely else []
    columns = ["letter", "option", *(["right answer"] if right else []), *(["weight, role"] if worths else []), asked]
    columns += numbers[:1]
    columns += [] if alone else ["chosen without persona", *numbers[1:]]
    content: list[Any] = [html.H2("Options as shown"), table("In the order shown", columns, rows, ("p", "p without"))]
    if found.outside is not None:
        content.append(html.P(f"Probability of anything but these letters: {found.outside:.4f}.", className="note"))
    return html.Section(content)


def _side(chosen: bool, probability: float | None, likely: bool) -> list[str]:
    return ["● chosen" if chosen else "", *([number(probability, ".4f")] if likely else [])]


def _prompt(found: Opened) -> html.Section:
    content: list[Any] = [html.H2("Prompt as sent")]
    for message in found.messages:
        content += [html.H3(message["role"]), plain(message["content"])]
    if found.messages:
        said = "hash to the request's key: this is what was sent, byte for byte"
        content.append(html.P(f"These messages {said}." if found.matches else _NOT_MATCHED, className="note"))
    else:
        content.append(html.P("What was sent is kept with an answer, and none came."))
    return html.Section(content)


_NOT_MATCHED = (
    "These messages do not hash to the request's key: the answer is a judge's, or the file was made by another version."
)


def _siblings(found: Opened) -> html.Section:
    rows = [
        (
            html.A("nobody (baseline)" if each.persona_id == BASELINE else each.who, href=trial_address(each.place)),
            html.Span(line(each.answer.text), dir="auto") if each.answer.text else "–",
            number(each.answer.probability, ".2f"),
            each.status,
            number(each.value, ".3g"),
        )
        for each in found.beside
    ]
    numbers = ("p", "value")
    columns = ("asked as", "chosen", "p", "status", "value")
    shown = table("The same item asked of others", columns, rows, numbers) if rows else html.P("Of nobody else yet.")
    return html.Section([html.H2("The same item without persona, and with others"), shown])


def _persona(found: Opened) -> html.Section:
    if found.persona_id == BASELINE:
        return html.Section([html.H2("Persona"), html.P("Nobody: this is the baseline.")])
    summary = html.Summary(f"{len(found.traits)} answers of {line(found.who, 80)} ({line(found.persona_id, 80)})")
    return html.Section([html.H2("Persona"), html.Details([summary, pairs(_shown(found.traits))])])
