"""What a report reads from a file beside the scores.

Texts of items, right answers, levels and item groups, masses of letters, populations' distributions, and for fidelity
the survey's questions with the probabilities of their options.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from personas.people.pseudonyms import TWIN
from runner.store.assigned.deals import ELICITATION, deals_by_measure
from runner.store.assigned.drawn_rounds import drawn_rounds
from runner.store.cache import unpack
from runner.store.database import opened
from runner.store.foreign import reads_file
from runner.store.runs import SELECTED, SelectionRows, choose
from runner.store.scores import SHARES, named_sets
from scoring.answers.items import LETTERS, Item, option_order
from scoring.answers.responses import Response, option_probabilities
from scoring.benchmarks.registry import measure
from scoring.statistics.designs.inclusion import Round
from scoring.statistics.designs.incomplete import Deal
from scoring.statistics.levels import ALL

_MASS = """
SELECT model.name, item.benchmark, item.part, count(mass), sum(status = 'no probabilities'),
    total(mass), total(mass < 0.5), count(ceiling), max(ceiling)
FROM (SELECT * FROM score WHERE {}) AS score JOIN completion ON completion.id = score.completion
JOIN item ON item.id = score.item JOIN model ON model.id = score.model
WHERE model.answer = 'probabilities' AND (mass IS NOT NULL OR status = 'no probabilities')
GROUP BY 1, 2, 3
"""
_SURVEY_ITEMS = "SELECT id, item_id, record FROM item WHERE json_extract(record, '$.target_trait') IS NOT NULL"
_LETTERS = """
SELECT m.name, p.persona_id, s.item, s.variant, s.rotation, s.replicate, c.letters, c.ceiling
FROM score AS s JOIN model AS m ON m.id = s.model JOIN persona AS p ON p.id = s.persona
JOIN completion AS c ON c.id = s.completion
WHERE m.answer = 'probabilities' AND s.status = 'ok' AND c.letters IS NOT NULL AND s.item IN ({})
"""


@reads_file
def load_items(database: str | Path, item_ids: Sequence[str]) -> pd.DataFrame:
    """The text of these items, a row each.

    item_id, benchmark, part, question (context and question), choices (a list), right (the numbers of the right
    options, where there are right ones).
    """
    path = Path(database)
    wanted = set(item_ids)
    with opened(path) as connection:
        found = connection.execute("SELECT item_id, benchmark, part, record FROM item").fetchall()
    rows = []
    for item_id, benchmark, part, text in found:
        if item_id in wanted:
            record = json.loads(text)
            question = "\n".join(each for each in (record["context"], record["question"]) if each)
            right = [number for number, weight in enumerate(record["weights"] or ()) if weight == 1]
            rows.append((item_id, benchmark, part, question, list(record["choices"]), right))
    table = pd.DataFrame(rows, columns=["item_id", "benchmark", "part", "question", "choices", "right"])
    return table.drop_duplicates("item_id", ignore_index=True)


@reads_file
def load_mass(database: str | Path, selection: Mapping[str, Sequence[int]] | None = None) -> pd.DataFrame:
    """The first token's probability that the letters hold together.

    A row per model and benchmark that was asked for letter probabilities.

    Columns: model, benchmark, answers (with probabilities), without (answers that came without any), mass (the mean),
    under_half (the share of answers whose letters held less than half), hidden (the share in which the endpoint did
    not show every letter) and ceiling (the most that a letter which was not shown may have had). Answers from before
    masses were kept are left out.
    """
    path = Path(database)
    with opened(path) as connection:
        wanted = "1"
        if selection is not None:
            choose(connection, {name: list(rows) for name, rows in selection.items() if name != "shard"})
            wanted = SELECTED
        found = connection.execute(_MASS.format(wanted)).fetchall()
    sums = ["answers", "without", "mass", "under_half", "hidden"]
    named = [(model, measure(name, part), *numbers) for model, name, part, *numbers in found]
    rows = pd.DataFrame(named, columns=["model", "benchmark", *sums, "ceiling"])
    table = rows.groupby(["model", "benchmark"], as_index=False).agg({**dict.fromkeys(sums, "sum"), "ceiling": "max"})
    answers = table["answers"].where(table["answers"] > 0)
    return table.assign(**{name: table[name] / answers for name in ("mass", "under_half", "hidden")})


@reads_file
def load_levels(
    database: str | Path, selection: Mapping[str, Any], attribute: str | None
) -> tuple[dict[str, str], dict[str, list[str]], dict[tuple[str, str], Deal]]:
    """What a run may ask, answered or not.

    Each respondent's level of an attribute ("all" without one), each measure's item groups, and the deals of those
    models and measures of which not everybody is asked everything. Twins are not respondents.
    """
    path = Path(database)
    with opened(path) as connection:
        people = connection.execute("SELECT id, persona_id, subgroups FROM persona").fetchall()
        items = connection.execute(f"SELECT id, benchmark, part, {ELICITATION}, grp FROM item").fetchall()
        deals = deals_by_measure(connection, selection)
    wanted, asked = set(selection["personas"]), set(selection["items"])
    levels = {
        str(name): str(json.loads(subgroups).get(attribute, "")) if attribute else ALL
        for number, name, subgroups in people
        if number in wanted and TWIN not in name
    }
    groups: dict[str, list[str]] = {}
    for number, name, part, elicitation, group in items:
        if number in asked:
            groups.setdefault(measure(name, part, elicitation), []).append(str(group))
    return levels, groups, deals


@reads_file
def load_rounds(
    database: str | Path, selection: Mapping[str, Any]
) -> dict[tuple[str, str], Mapping[tuple[str, int], Round]]:
    """The adaptive rounds that were drawn, by model and measure, then by level and number."""
    path = Path(database)
    with opened(path) as connection:
        names = dict(connection.execute("SELECT id, name FROM model"))
        drawn = {names[each]: drawn_rounds(connection, each, selection["personas"]) for each in selection["models"]}
    return {(name, benchmark): each.rounds for name, found in drawn.items() for benchmark, each in found.items()}


class SurveyRows(NamedTuple):
    """The questions by item id, the traits of each set by its name, and a row an answer with letter probabilities.

    Its columns: model, persona_id, item_id, traits, format, frame, placement, trait_order, rotation, replicate and
    shares.
    """

    items: dict[str, Item]
    sets: dict[str, list[str]]
    probabilities: pd.DataFrame


@reads_file
def load_survey_rows(database: str | Path) -> SurveyRows:
    """Everything that was asked of a respondent's own answers. Raises InputError or MachineError."""
    path = Path(database)
    with opened(path) as connection:
        items = {int(number): Item(**json.loads(record)) for number, _, record in connection.execute(_SURVEY_ITEMS)}
        variants = _variants(connection)
        rows = list(_probabilities(connection, items, variants))
    sets = {str(row["traits"]): json.loads(row["shown"]) for row in variants.values()}
    return SurveyRows({item.id: item for item in items.values()}, sets, pd.DataFrame(rows))


def _variants(connection: sqlite3.Connection) -> dict[int, dict[str, Any]]:
    names = ("id", "format", "frame", "placement", "trait_order", "traits")
    rows = connection.execute(f"SELECT {', '.join(names)} FROM variant").fetchall()
    found = {int(row[0]): dict(zip(names, row, strict=True)) for row in rows}
    sets = named_sets(connection, found).names
    return {number: {**row, "shown": row["traits"], **sets[number]} for number, row in found.items()}


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


@reads_file
def load_gold(database: str | Path, rotations: int) -> pd.DataFrame:
    """Where the one right option stands: item_id, rotation, letter; items with several or none are left out."""
    path = Path(database)
    with opened(path) as connection:
        records = [json.loads(text) for (text,) in connection.execute("SELECT record FROM item")]
    rows = []
    for record in records:
        weights = record["weights"] or ()
        if record["ask"] == "letter" and sorted(weights)[-2:] == [0.0, 1.0] and sum(weights) == 1:
            item, right = Item(**record), list(weights).index(1.0)
            rows += [
                (item.id, rotation, LETTERS[option_order(item, rotation).index(right)]) for rotation in range(rotations)
            ]
    return pd.DataFrame(rows, columns=["item_id", "rotation", "letter"]).drop_duplicates(ignore_index=True)


@reads_file
def load_distributions(database: str | Path) -> dict[str, Item]:
    """The items that are scored against a population's distribution, by id."""
    path = Path(database)
    with opened(path) as connection:
        records = [json.loads(text) for (text,) in connection.execute("SELECT record FROM item")]
    found = (Item(**record) for record in records if record["scoring"].get("kind") == SHARES)
    return {item.id: item for item in found}


@reads_file
def load_stated_shares(database: str | Path, selection: SelectionRows | None) -> pd.DataFrame:
    """What was answered to questions about a whole population: model, trait, country, text."""
    path = Path(database)
    with opened(path) as connection:
        rows = connection.execute(
            "SELECT s.model, s.item, m.name, i.record, c.answer FROM score s JOIN item i ON i.id = s.item "
            "JOIN model m ON m.id = s.model JOIN completion c ON c.id = s.completion "
            "WHERE s.persona = 0 AND json_extract(i.record, '$.scoring.kind') = 'shares' ORDER BY s.id"
        ).fetchall()
    found = [
        (name, meta["trait"], meta["stated_country"], text)
        for model, item, name, record, text in rows
        if selection is None or (model in selection["models"] and item in selection["items"])
        for meta in [json.loads(record)["meta"]]
    ]
    return pd.DataFrame(found, columns=["model", "trait", "country", "text"])
