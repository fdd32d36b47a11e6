"""Who was asked what, where not everybody is asked everything: how a run keeps it, and how it is read again.

A run's selection has a list `deals`: of each benchmark that is dealt out, the groups' items on the circle, where each
persona starts, how many groups a person is asked, and the variants that this is true of; all by the numbers of rows.
Where it is of some models alone it has their numbers, too, and whoever has no start is asked nothing.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from personas.people.pseudonyms import TWIN, pseudonym
from runner.store.database import last_run_row
from scoring.benchmarks.registry import measure
from scoring.statistics.designs.incomplete import Deal, ranks

ELICITATION = "ifnull(record ->> '$.elicitation', 'letter')"
DealRows = dict[str, Any]
Starts = Mapping[str, int]


def is_dealt(frame: pd.DataFrame, deals: Sequence[DealRows]) -> np.ndarray:
    """Which rows (item, persona, variant) the deals allow to be asked.

    Those of an item that no deal is about, those of the baseline and of other variants, and those that a deal gives to
    the persona.
    """
    kept = np.zeros(len(frame), dtype=bool)
    free = np.ones(len(frame), dtype=bool)
    for each in deals:
        place = _mapped(frame["item"], {item: at for at, items in enumerate(each["groups"]) for item in items})
        start = _mapped(frame["persona"], {int(person): at for person, at in each["starts"]})
        about = (place >= 0) & frame["variant"].isin(each["variants"]).to_numpy()
        about &= (
            frame["model"].isin(each["models"]).to_numpy() & (frame["persona"] != 0) if "models" in each else start >= 0
        )
        distance = (place - start) % len(each["groups"])
        kept |= about & (start >= 0) & (ranks(len(each["groups"]))[distance] < each["per_person"])
        free &= ~about
    return kept | free


def in_other_numbers(deals: Sequence[DealRows], maps: Mapping[str, Mapping[int, int]]) -> list[DealRows]:
    """The same deals by the numbers of another file; what that does not have is left out."""

    def ours(table: str, numbers: Sequence[int]) -> list[int]:
        return [maps[table][number] for number in numbers if number in maps[table]]

    return [
        {
            "per_person": each["per_person"],
            "groups": [ours("item", items) for items in each["groups"]],
            "starts": [[maps["persona"][who], at] for who, at in each["starts"] if who in maps["persona"]],
            "variants": ours("variant", each["variants"]),
            **({"models": ours("model", each["models"])} if "models" in each else {}),
        }
        for each in deals
    ]


def all_deals(selections: Sequence[Mapping[str, Any]]) -> list[DealRows]:
    """The different deals of several runs."""
    found: list[DealRows] = []
    for selection in selections:
        found += [each for each in selection.get("deals", []) if each not in found]
    return found


def known_starts(connection: sqlite3.Connection) -> dict[tuple[str, ...], Starts]:
    """Where people start by the file's last run: by the names of the groups on the circle, then by pseudonym.

    Whoever was dealt groups once keeps them, so that a study with more people sends nothing again.
    """
    row = last_run_row(connection, "selection")
    deals = json.loads(row[0]).get("deals", []) if row else []
    if not deals:
        return {}
    groups = dict(connection.execute("SELECT id, grp FROM main.item"))
    people = dict(connection.execute("SELECT id, persona_id FROM main.persona"))
    found: dict[tuple[str, ...], Starts] = {}
    for each in deals:
        circle = tuple(str(groups.get(items[0], "")) if items else "" for items in each["groups"])
        starts = {pseudonym(str(people[who])): at for who, at in each["starts"] if who in people}
        found[circle] = {**found.get(circle, {}), **starts}
    return found


def deals_by_measure(connection: sqlite3.Connection, selection: Mapping[str, Any]) -> dict[tuple[str, str], Deal]:
    """What each model's and measure's deal is, by the names in the file."""
    models = {number: str(name) for number, name in connection.execute("SELECT id, name FROM model")}
    rows = connection.execute(f"SELECT id, benchmark, part, {ELICITATION}, grp FROM item").fetchall()
    items = {number: (measure(name, part, how), str(group)) for number, name, part, how, group in rows}
    people = {number: str(name) for number, name in connection.execute("SELECT id, persona_id FROM persona")}
    found: dict[tuple[str, str], Deal] = {}
    for each in selection.get("deals", []):
        starts = {people[who]: at for who, at in each["starts"] if who in people and TWIN not in people[who]}
        named = [items[group[0]] for group in each["groups"] if group and group[0] in items]
        if len(named) == len(each["groups"]):
            deal = Deal(each["per_person"], {group: place for place, (_, group) in enumerate(named)}, starts)
            measures = {items[number][0] for group in each["groups"] for number in group if number in items}
            asked = [models[number] for number in each.get("models", selection["models"]) if number in models]
            found |= {(model, name): deal for model in asked for name in measures}
    return found


def _mapped(column: pd.Series, numbers: Mapping[int, int]) -> np.ndarray:
    """The number of each row's id; −1 where it has none."""
    by_id = np.full(max([int(column.max() if len(column) else 0), *numbers], default=0) + 1, -1, dtype=np.int64)
    by_id[list(numbers)] = list(numbers.values())
    found: np.ndarray = by_id[column.to_numpy()]
    return found
