"""One trial opened: what was sent, what came back, what it is worth and why, and the same item asked of others."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from personas.errors import InputError
from personas.prompt.messages import compose
from personas.prompt.render import Variant
from personas.traits import catalogue
from runner.backends.catalogue.answer_forms import parameters_for
from runner.backends.request import ModelIdentity, digest, key_fields
from runner.crossing.request_keys import answer_kind
from runner.view.queries.chosen import (
    BASELINE,
    CHOSEN,
    Choice,
    choice,
    label_of,
    probabilities,
    right_options,
    who,
)
from runner.view.queries.trial_table import Place, question_of
from scoring.answers.items import LETTERS, Item, option_order

BESIDE = 24
NEAR = 400


class Option(NamedTuple):
    """An option in the order shown.

    `worth` is its weight or role, "" where it has neither; `before` and `chosen_before` are of the baseline.
    """

    letter: str
    text: str
    worth: str
    right: bool
    probability: float | None
    chosen: bool
    before: float | None
    chosen_before: bool


class SiblingTrial(NamedTuple):
    """The same item, asked of somebody else."""

    place: Place
    persona_id: str
    who: str
    status: str
    answer: Choice
    value: float | None


@dataclass(frozen=True)
class Opened:
    """Everything there is to say of a trial.

    `without` is the same question without a persona; `matches` says whether the messages hash to the key; `facts` are
    pairs of a name and a value.
    """

    place: Place
    model: str
    benchmark: str
    item_id: str
    question: str
    persona_id: str
    who: str
    traits: list[tuple[str, str]]
    messages: Sequence[Mapping[str, str]]
    options: list[Option]
    completion: int
    answer: str | None
    outside: float | None
    status: str
    value: float | None
    without: SiblingTrial | None
    why: list[str]
    key: str
    matches: bool
    facts: list[tuple[str, str]]
    beside: list[SiblingTrial]


_TRIAL = "model = ? AND persona = ? AND variant = ? AND item = ? AND rotation = ? AND replicate = ?"
_SCORE = f"""
SELECT status, value, expected, chosen_by_text, chosen_by_probability, scorer, completion FROM score WHERE {_TRIAL}
"""
_FAILURE = f"""
SELECT lower(hex(key)) AS key, attempt, kind, substr(message, 1, 2000) AS message, at FROM failure
WHERE {_TRIAL} ORDER BY id DESC LIMIT 1
"""
_COMPLETION = """
SELECT c.id, c.key, c.answer, c.letters, c.finish,
    c.prompt_tokens, c.completion_tokens, c.reasoning_tokens, c.cached_tokens, c.micro_usd, c.estimated, c.latency_ms,
    p.text AS persona_text, i.text AS item_text, s.text AS system_text
FROM completion AS c LEFT JOIN text AS p ON p.id = c.persona_text LEFT JOIN text AS i ON i.id = c.item_text
LEFT JOIN text AS s ON s.id = c.system_text WHERE c.id = ?
"""
_SIBLINGS = f"""
SELECT s.model, s.persona, s.variant, s.item, s.rotation, s.replicate, p.persona_id, p.country, p.answers, v.format,
    s.status, {CHOSEN.format("s")}, c.letters, substr(c.answer, 1, 200), s.value
FROM score AS s LEFT JOIN persona AS p ON p.id = s.persona LEFT JOIN completion AS c ON c.id = s.completion
LEFT JOIN variant AS v ON v.id = s.variant
WHERE s.model = ? AND s.item = ? AND s.rotation = ? AND s.replicate = ? AND s.variant IN (0, ?)
    AND s.persona IN (SELECT 0 UNION ALL SELECT id FROM persona WHERE id BETWEEN ? AND ?)
    AND NOT (s.persona = ? AND s.variant = ?)
ORDER BY s.persona != 0, abs(s.persona - ?) LIMIT {BESIDE}
"""


def opened(connection: sqlite3.Connection, place: Place) -> Opened:
    """A trial of the file. Raises InputError where it has none such, or its rows cannot be read."""
    connection.row_factory = sqlite3.Row
    model = _row(connection, "SELECT * FROM model WHERE id = ?", place.model)
    item_row = _row(connection, "SELECT * FROM item WHERE id = ?", place.item)
    score = connection.execute(_SCORE, place).fetchone()
    failure = connection.execute(_FAILURE, place).fetchone() if score is None else None
    if model is None or item_row is None or (score is None and failure is None):
        raise InputError(f"this file has no trial {place}")
    try:
        item = Item(**json.loads(item_row["record"]))
        order = option_order(item, place.rotation)
        persona = _row(connection, "SELECT * FROM persona WHERE id = ?", place.persona)
        completion = _row(connection, _COMPLETION, score["completion"]) if score else None
        variant = _variant(connection, place)
        answered = probabilities(item, order, completion["letters"] if completion else None)
        beside = _siblings(connection, place, item)
        before = _baseline(connection, place, item, order)
        messages, matches = _messages(place, completion, model, item, variant)
        return Opened(
            place=place,
            model=str(model["name"]),
            benchmark=label_of(item),
            item_id=item.id,
            question=question_of(item),
            persona_id=str(persona["persona_id"]) if persona else BASELINE,
            who=_who(persona, variant),
            traits=_traits(persona),
            messages=messages,
            options=list(_options(item, order, (answered.options, _chosen(score)), before)),
            completion=completion["id"] if completion else 0,
            answer=completion["answer"] if completion else None,
            outside=answered.outside,
            status=score["status"] if score else "failed",
            value=score["value"] if score else None,
            without=next((each for each in beside if each.persona_id == BASELINE), None),
            why=_why(item, order, score, failure, completion),
            key=bytes(completion["key"]).hex() if completion else str(failure["key"] if failure else ""),
            matches=matches,
            facts=_facts(model, variant, completion, score),
            beside=beside,
        )
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise InputError(f"trial {place} cannot be read: {type(error).__name__}: {error}") from None


def answer_text(connection: sqlite3.Connection, completion: int) -> str | None:
    """The whole text of a completion; None where there is none."""
    row = connection.execute("SELECT answer FROM completion WHERE id = ?", (completion,)).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def _row(connection: sqlite3.Connection, sql: str, number: int) -> sqlite3.Row | None:
    return cast(sqlite3.Row | None, connection.execute(sql, (number,)).fetchone())


def _chosen(score: sqlite3.Row | None) -> int | None:
    if score is None:
        return None
    by_probability, by_text = score["chosen_by_probability"], score["chosen_by_text"]
    return cast(int | None, by_text if by_probability is None else by_probability)


def _variant(connection: sqlite3.Connection, place: Place) -> Variant:
    row = _row(connection, "SELECT * FROM variant WHERE id = ?", place.variant)
    if row is None:
        return Variant("none")
    return Variant(row["format"], row["frame"], row["placement"], row["trait_order"])


def _messages(
    place: Place, completion: sqlite3.Row | None, model: sqlite3.Row, item: Item, variant: Variant
) -> tuple[Sequence[Mapping[str, str]], bool]:
    """The messages as they were sent, put together again from the texts; and whether they hash to the key."""
    if completion is None:
        return [], False
    texts = (str(completion[f"{name}_text"] or "") for name in ("persona", "item", "system"))
    persona_text, item_text, system_text = texts
    messages = compose(persona_text or None, item_text, system_text, variant)
    names = ("provider", "model", "revision", "dtype")
    provider, name, revision, dtype = (str(model[column]) for column in names)
    parameters = parameters_for(provider, json.loads(model["parameters"]), item)
    identity = ModelIdentity(provider, name, revision, dtype, parameters)
    kind, options = answer_kind(item, model["answer"])
    method = json.loads(model["methods"] or "{}").get(kind, "") if model["method"] else ""
    fields = key_fields(identity.fields(), messages, kind, options, place.replicate, method)
    return messages, digest(fields) == bytes(completion["key"])


def _who(persona: sqlite3.Row | None, variant: Variant) -> str:
    if persona is None:
        return BASELINE
    return who(persona["persona_id"], persona["country"], persona["answers"], variant.format)


def _traits(persona: sqlite3.Row | None) -> list[tuple[str, str]]:
    """Name and answer of each trait; what the persona's text says of them is in the prompt."""
    if persona is None:
        return []
    known = catalogue().traits
    return [
        (name, known[name].label(code) if name in known and isinstance(code, int) else str(code))
        for name, code in json.loads(persona["answers"]).items()
    ]


Given = tuple[Sequence[float] | None, int | None]  # the options' probabilities, and the one chosen


def _baseline(connection: sqlite3.Connection, place: Place, item: Item, order: Sequence[int]) -> Given:
    """What was answered to the same question without a persona."""
    if not place.persona:
        return None, None
    row = connection.execute(_SCORE, place._replace(persona=0, variant=0)).fetchone()
    completion = _row(connection, _COMPLETION, row["completion"]) if row else None
    return (probabilities(item, order, completion["letters"]).options if completion else None), _chosen(row)


def _options(item: Item, order: Sequence[int], given: Given, before: Given) -> Iterator[Option]:
    right = right_options(item)
    for place, number in enumerate(order):
        weight = f"{item.weights[number]:g}" if item.weights else ""
        role = (item.roles[number] or "") if item.roles else ""
        letter = LETTERS[place] if item.ask == "letter" else str(place + 1)
        worth = ", ".join(filter(None, (weight, role)))
        likely, was = (each[0][number] if each[0] else None for each in (given, before))
        shown = (likely, number == given[1], was, number == before[1])
        yield Option(letter, item.choices[number], worth, number in right, *shown)


def _why(
    item: Item,
    order: Sequence[int],
    score: sqlite3.Row | None,
    failure: sqlite3.Row | None,
    completion: sqlite3.Row | None,
) -> list[str]:
    """How the score came about, in sentences."""
    if score is None:
        assert failure is not None
        return [
            f"No answer came: {failure['kind']} after {failure['attempt']} attempts, at {failure['at']}.",
            failure["message"],
            "A failure is never scored; the next run asks again.",
        ]
    lines = []
    for column, how in (("chosen_by_text", "The text"), ("chosen_by_probability", "The likeliest letter")):
        if (option := score[column]) is not None:
            letter = LETTERS[order.index(option)] if item.ask == "letter" else str(option + 1)
            how = "The likeliest continuation" if item.ask == "loglik" else how
            if column == "chosen_by_probability" and item.elicitation == "probability":
                how = "The largest probability that is stated"
            lines.append(f"{how} chooses {letter}: {item.choices[option]}")
    if score["status"] == "unparsed":
        lines.append("No option could be read from the answer: it counts as unparsed, never as an option.")
    if score["status"] == "refused":
        lines.append("The model declined to answer: it counts as refused, never as an option.")
    if score["status"] == "no probabilities":
        lines.append("Probabilities were asked for and none came: the text is not scored in their place.")
    if score["status"] == "pending":
        lines.append("A judge has still to read it; a run that is resumed asks the judge.")
    if completion is not None and completion["finish"] not in ("stop", ""):
        lines.append(f"The answer ended by: {completion['finish']}.")
    lines.append(_value(item, score))
    return lines


def _value(item: Item, score: sqlite3.Row) -> str:
    option = _chosen(score)
    kind = item.scoring.get("kind", item.benchmark)
    if score["value"] is None:
        return f"It has no value ({kind})."
    because = ""
    if option is not None and item.weights:
        because = f", the weight of the option chosen being {item.weights[option]:g}"
    elif option is not None and item.roles and item.roles[option]:
        because = f", the option chosen being {item.roles[option]}"
    expected = "" if score["expected"] is None else f"; by the letters' probabilities {score['expected']:.4f}"
    return f"Its value is {score['value']:g} ({kind}{because}){expected}."


def _facts(
    model: sqlite3.Row, variant: Variant, completion: sqlite3.Row | None, score: sqlite3.Row | None
) -> list[tuple[str, str]]:
    """The model, its parameters, and what the answer cost."""
    rows = [(name, str(model[name])) for name in ("provider", "model", "revision", "dtype", "parameters", "served")]
    rows.append(("asked for", str(model["answer"])))
    if variant.format != "none":
        order = f", trait order {variant.trait_order}" if variant.trait_order else ""
        rows.append(("persona as", f"{variant.format}, frame {variant.frame}, in the {variant.placement}{order}"))
    if completion is not None:
        counts = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cached_tokens")
        rows += [(name.replace("_", " "), f"{completion[name]:,}") for name in counts if completion[name]]
        estimated = " (estimated: usage was not reported)" if completion["estimated"] else ""
        rows.append(("US$", f"{completion['micro_usd'] / 1e6:.6f}{estimated}"))
        rows.append(("latency", f"{completion['latency_ms']:,} ms"))
        rows.append(("finish", str(completion["finish"])))
    if score is not None:
        rows.append(("scorer", str(score["scorer"])))
    return [(name, value) for name, value in rows if value]


def _siblings(connection: sqlite3.Connection, place: Place, item: Item) -> list[SiblingTrial]:
    """The baseline first, then the personas whose rows are nearest, in the same variant."""
    key = (place.model, place.item, place.rotation, place.replicate, place.variant)
    around = (place.persona - NEAR, place.persona + NEAR)
    if not place.variant:  # the baseline: any variant will do, the first there is
        row = connection.execute("SELECT coalesce(min(id), 0) FROM variant").fetchone()
        key = (*key[:4], row[0])
    rows = connection.execute(_SIBLINGS, (*key, *around, place.persona, place.variant, place.persona))
    return [
        SiblingTrial(
            Place(*row[:6]),
            str(row[6] or BASELINE),
            who(*row[6:10]),
            str(row[10]),
            choice(item, place.rotation, *row[11:14]),
            row[14],
        )
        for row in rows
    ]
