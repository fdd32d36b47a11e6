"""What a report reads of a file beside the scores: texts of items, levels and item groups, masses of letters."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from personas.people.pseudonyms import TWIN
from runner.store.database import opened
from runner.store.deals import deals_by_measure
from runner.store.runs import SELECTED, choose
from scoring.benchmarks.registry import measure
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


def load_items(database: str | Path, item_ids: Sequence[str]) -> pd.DataFrame:
    """The text of these items: item_id, benchmark, part, question (context and question), choices (a list),
    right (the numbers of the right options, where there are right ones)."""
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


def load_mass(database: str | Path, selection: Mapping[str, Sequence[int]] | None = None) -> pd.DataFrame:
    """What the letters held of the first token's probability: a row per model and benchmark that was asked for letter
    probabilities.

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


def load_levels(
    database: str | Path, selection: Mapping[str, Any], attribute: str | None
) -> tuple[dict[str, str], dict[str, list[str]], dict[str, Deal]]:
    """What a run may ask, answered or not: each respondent's level of an attribute ("all" without one), each measure's
    item groups, and the deals of those measures of which not everybody is asked everything. Twins are not
    respondents."""
    path = Path(database)
    with opened(path) as connection:
        people = connection.execute("SELECT id, persona_id, subgroups FROM persona").fetchall()
        items = connection.execute("SELECT id, benchmark, part, grp FROM item").fetchall()
        deals = deals_by_measure(connection, selection)
    wanted, asked = set(selection["personas"]), set(selection["items"])
    levels = {
        str(name): str(json.loads(subgroups).get(attribute, "")) if attribute else ALL
        for number, name, subgroups in people
        if number in wanted and TWIN not in name
    }
    groups: dict[str, list[str]] = {}
    for number, name, part, group in items:
        if number in asked:
            groups.setdefault(measure(name, part), []).append(str(group))
    return levels, groups, deals
