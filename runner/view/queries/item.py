"""One item opened: what was chosen with and without personas, and by whom otherwise."""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from personas.errors import InputError
from runner.view.queries.chosen import BASELINE, CHOSEN, NEUTRAL, label_of, read_item, right_options
from runner.view.queries.trial_table import TrialFilter
from scoring.statistics.pairs import CONTROL

PERSONAS = "personas"
SIDES = (BASELINE, NEUTRAL, PERSONAS)
_COUNTS = f"""
SELECT CASE WHEN t.persona = 0 THEN '{BASELINE}' WHEN v.format = ? THEN '{NEUTRAL}' ELSE '{PERSONAS}' END AS side,
    {CHOSEN.format("t")} AS chosen, count(*)
FROM score AS t LEFT JOIN variant AS v ON v.id = t.variant WHERE {{condition}} GROUP BY 1, 2
"""


class OptionShares(NamedTuple):
    """An option with the share of each side's answers that chose it, by the names of `SIDES`.

    For answers that nothing could be read from, the text is "".
    """

    text: str
    role: str
    right: bool
    shares: Mapping[str, float]


@dataclass(frozen=True)
class OpenedItem:
    """An item as it was asked; `answers` counts those of each side that there are."""

    item_id: str
    benchmark: str
    question: str
    options: list[OptionShares]
    answers: Mapping[str, int]


def opened_item(connection: sqlite3.Connection, wanted: TrialFilter) -> OpenedItem:
    """The item that a filter names, with what its model answered. Raises InputError where the file has none such."""
    condition, values = TrialFilter(item=wanted.item, benchmark=wanted.benchmark, model=wanted.model).condition()
    of_item, its = TrialFilter(item=wanted.item, benchmark=wanted.benchmark).condition()
    row = connection.execute(f"SELECT record FROM (SELECT *, id AS item FROM item) WHERE {of_item}", its).fetchone()
    item = read_item(row[0]) if row and wanted.item else None
    if item is None:
        raise InputError(f"no item of this file is {wanted.item!r}; open one from the list of items")
    counts: dict[str, Counter[int | None]] = {side: Counter() for side in SIDES}
    for side, chosen, count in connection.execute(_COUNTS.format(condition=condition), [CONTROL, *values]):
        counts[side][chosen] += count
    answers = {side: found.total() for side, found in counts.items() if found}
    right = right_options(item)
    options = [
        OptionShares(
            item.choices[number] if number is not None else "",
            ((item.roles or ())[number] or "") if item.roles and number is not None else "",
            number in right,
            {side: counts[side][number] / total for side, total in answers.items()},
        )
        for number in (*range(len(item.choices)), None)
        if number is not None or any(found[None] for found in counts.values())
    ]
    asked = "\n".join(each for each in (item.context, item.question) if each)
    return OpenedItem(item.id, label_of(item), asked, options, answers)
