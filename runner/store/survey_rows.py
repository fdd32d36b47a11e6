"""What fidelity reads of a file beside the scores: the survey's questions, the sets of traits shown, probabilities."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from runner.store.cache import unpack
from runner.store.database import opened
from runner.store.scores import named_sets
from scoring.answers.items import Item, option_order
from scoring.answers.responses import Response, option_probabilities

_ITEMS = "SELECT id, item_id, record FROM item WHERE json_extract(record, '$.target_trait') IS NOT NULL"
_LETTERS = """
SELECT m.name, p.persona_id, s.item, s.variant, s.rotation, s.replicate, c.letters, c.ceiling
FROM score AS s JOIN model AS m ON m.id = s.model JOIN persona AS p ON p.id = s.persona
JOIN completion AS c ON c.id = s.completion
WHERE m.answer = 'probabilities' AND s.status = 'ok' AND c.letters IS NOT NULL AND s.item IN ({})
"""


class SurveyRows(NamedTuple):
    """The questions by item id, the traits of each set by its name, and a row an answer with letter probabilities:
    model, persona_id, item_id, traits, format, frame, placement, trait_order, rotation, replicate and shares."""

    items: dict[str, Item]
    sets: dict[str, list[str]]
    probabilities: pd.DataFrame


def load_survey_rows(database: str | Path) -> SurveyRows:
    """Everything that was asked of a respondent's own answers. Raises InputError or MachineError."""
    path = Path(database)
    with opened(path) as connection:
        items = {int(number): Item(**json.loads(record)) for number, _, record in connection.execute(_ITEMS)}
        variants = _variants(connection)
        rows = list(_probabilities(connection, items, variants))
    sets = {str(row["traits"]): json.loads(row["shown"]) for row in variants.values()}
    return SurveyRows({item.id: item for item in items.values()}, sets, pd.DataFrame(rows))


def _variants(connection: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    names = ("id", "format", "frame", "placement", "trait_order", "traits")
    rows = connection.execute(f"SELECT {', '.join(names)} FROM variant").fetchall()
    found = {int(row[0]): dict(zip(names, row, strict=True)) for row in rows}
    named = named_sets(found)
    return {number: {**row, "shown": row["traits"], **named[number]} for number, row in found.items()}


def _probabilities(
    connection: sqlite3.Connection, items: Mapping[int, Item], variants: Mapping[int, Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    sql = _LETTERS.format(", ".join(str(number) for number in items) or "NULL")
    for model, person, number, variant, rotation, replicate, letters, ceiling in connection.execute(sql):
        item, way = items[number], variants.get(variant)
        response = Response(letter_logprobs=unpack(letters), ceiling=ceiling)
        shares = option_probabilities(item, option_order(item, rotation), response)
        if shares is not None and way is not None:
            head = {"model": model, "persona_id": person, "item_id": item.id, "traits": way["traits"]}
            wording = {name: way[name] for name in ("format", "frame", "placement", "trait_order")}
            yield {**head, **wording, "rotation": rotation, "replicate": replicate, "shares": shares}
