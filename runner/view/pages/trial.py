"""One trial opened."""

from typing import Any
from urllib.parse import parse_qs

from dash import html

from personas.errors import InputError
from runner.view.pages.parts import number, pairs, table, trial_address
from runner.view.pages.text import line, plain, visible
from runner.view.queries.side_by_side import Sides
from runner.view.queries.trial import Opened, opened
from runner.view.queries.trial_table import BASELINE, Filter, Place
from runner.view.source import Source


def render(source: Source, search: str) -> list[Any]:
    """The page of `?place=MODEL-PERSONA-VARIANT-ITEM-ROTATION-REPLICATE`. Raises InputError for no such trial."""
    text = parse_qs(search.removeprefix("?")).get("place", [""])[0]
    place = Place.parse(text)
    if place is None:
        raise InputError(f"{text!r} names no trial: open one from the table of trials")
    found = source.look(opened, place)
    beside = Sides("persona", found.persona_id, BASELINE)
    return [
        html.H1(f"{line(found.item_id, 80)} as {line(found.persona_id, 80)}"),
        html.P(
            [
                f"{line(found.model, 80)} · {line(found.benchmark, 80)} · rotation {place.rotation}, replicate "
                f"{place.replicate} · ",
                html.A("all trials of this item", href=f"/explore{Filter(item=found.item_id).search()}"),
                " · ",
                html.A("all of this persona", href=f"/explore{Filter(persona=found.persona_id).search()}"),
                " · ",
                html.A("this persona beside the baseline", href=f"/compare{beside.search()}"),
            ]
        ),
        _answer(found),
        _options(found),
        _prompt(found),
        _beside(found),
        _persona(found),
        html.Section([html.H2("Request"), pairs([("key", html.Code(found.key)), *_shown(found.facts)])]),
    ]


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
    likely = any(option.probability is not None for option in found.options)
    rows = []
    for option in found.options:
        text = html.Span(visible(option.text), dir="auto", className="plain")
        row = [option.letter, text, option.worth or "–", "✓ chosen" if option.chosen else ""]
        rows.append([*row, number(option.probability, ".4f")] if likely else row)
    columns = ["letter", "option", "key (weight, role)", "chosen", *(["probability"] if likely else [])]
    content: list[Any] = [html.H2("Options as shown"), table("In the order shown", columns, rows, ("probability",))]
    if found.outside is not None:
        content.append(html.P(f"Probability of anything but these letters: {found.outside:.4f}.", className="note"))
    return html.Section(content)


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


def _beside(found: Opened) -> html.Section:
    names = ["without persona" if each.persona_id == BASELINE else line(each.persona_id, 80) for each in found.beside]
    rows = [
        (
            html.A(name, href=trial_address(each.place)),
            each.country or "–",
            html.Span(line(each.answer), dir="auto") if each.answer else "–",
            each.status,
            number(each.value, ".3g"),
        )
        for name, each in zip(names, found.beside, strict=True)
    ]
    columns = ("asked as", "country", "answer", "status", "value")
    shown = table("The same item asked of others", columns, rows, ("value",)) if rows else html.P("Of nobody else yet.")
    return html.Section([html.H2("The same item without persona, and with others"), shown])


def _persona(found: Opened) -> html.Section:
    if found.persona_id == BASELINE:
        return html.Section([html.H2("Persona"), html.P("Nobody: this is the baseline.")])
    summary = html.Summary(f"{len(found.traits)} answers of {line(found.persona_id, 80)}")
    return html.Section([html.H2("Persona"), html.Details([summary, pairs(_shown(found.traits))])])
