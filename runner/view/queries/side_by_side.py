"""Two models, formats or personas on the same items: the pairs of answers, a page at a time."""

import sqlite3
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from runner.view.queries.address import Query
from runner.view.queries.trial_table import BASELINE, Place

KINDS = ("persona", "model", "format")
DIFFERENT = "different"
OFFERED = 50
_IDS = {
    "persona": "SELECT id FROM persona WHERE persona_id = ?",
    "model": "SELECT id FROM model WHERE name = ?",
    "format": "SELECT id FROM variant WHERE format = ?",
}
_CHOSEN = "coalesce({0}.chosen_by_probability, {0}.chosen_by_text)"
# What the two answers of a pair have in common, by what is compared.
_SAME = {
    "persona": "b.model = a.model AND (b.variant = a.variant OR a.variant = 0 OR b.variant = 0)",
    "model": "b.persona = a.persona AND b.variant = a.variant",
    "format": "b.model = a.model AND b.persona = a.persona",
}
_PAIRS = """
SELECT a.model, a.persona, a.variant, a.item, a.rotation, a.replicate,
    b.model, b.persona, b.variant, b.item, b.rotation, b.replicate,
    i.item_id, CASE WHEN json_valid(i.record) THEN substr(json_extract(i.record, '$.question'), 1, 200) END,
    m.name, p.persona_id, a.status, b.status, substr(c.answer, 1, 200), substr(d.answer, 1, 200), a.value, b.value
FROM (
    SELECT a.id AS first, b.id AS second FROM score AS a CROSS JOIN score AS b
    LEFT JOIN variant AS v ON v.id = a.variant LEFT JOIN variant AS w ON w.id = b.variant
    WHERE {first} AND {second} AND {same} AND b.item = a.item AND b.rotation = a.rotation AND b.replicate = a.replicate
        AND a.id <= ? AND b.id <= ? {benchmark} {different}
    ORDER BY a.id LIMIT ? OFFSET ?
) JOIN score AS a ON a.id = first JOIN score AS b ON b.id = second LEFT JOIN item AS i ON i.id = a.item
LEFT JOIN model AS m ON m.id = a.model LEFT JOIN persona AS p ON p.id = a.persona
LEFT JOIN completion AS c ON c.id = a.completion LEFT JOIN completion AS d ON d.id = b.completion ORDER BY first, second
"""
_SAME_WORDING = " AND " + " AND ".join(
    f"w.{name} = v.{name}" for name in ("frame", "placement", "trait_order", "traits")
)


@dataclass(frozen=True)
class Sides(Query):
    """What is compared; `only` is "" or "different"."""

    what: str = "persona"
    first: str = ""
    second: str = ""
    benchmark: str = ""
    only: str = ""

    @classmethod
    def parse(cls, search: str) -> Self:
        """From the query of an address."""
        found = super().parse(search)
        return found if found.what in KINDS else cls()

    @property
    def is_complete(self) -> bool:
        """Whether there are two different sides."""
        return bool(self.first and self.second and self.first != self.second)


class Answered(NamedTuple):
    """One side of a pair."""

    place: Place
    status: str
    answer: str
    value: float | None


class Pair(NamedTuple):
    """The same question, answered on both sides; `persona_id` and `model` are the first side's."""

    item_id: str
    question: str
    model: str
    persona_id: str
    first: Answered
    second: Answered


def pairs(connection: sqlite3.Connection, sides: Sides, upto: int, start: int, count: int) -> list[Pair]:
    """`count` pairs from number `start` on, in the order in which the first side was answered."""
    first, one = _side(sides.what, sides.first, "a")
    second, other = _side(sides.what, sides.second, "b")
    name, _, part = sides.benchmark.partition(":")
    of_item = "SELECT id FROM item WHERE benchmark = ?" + (" AND part = ?" if part else "")
    sql = _PAIRS.format(
        first=first,
        second=second,
        same=_SAME[sides.what] + (_SAME_WORDING if sides.what == "format" else ""),
        benchmark=f"AND a.item IN ({of_item})" if name else "",
        different=f"AND {_CHOSEN.format('a')} IS NOT {_CHOSEN.format('b')}" if sides.only == DIFFERENT else "",
    )
    values = [*one, *other, upto, upto, *([name, part] if part else [name] if name else []), count, start]
    return [_pair(row) for row in connection.execute(sql, values)]


def _side(what: str, name: str, table: str) -> tuple[str, list[Any]]:
    """A condition on one side. The first is scanned in order, or found by the trials' one index, which begins with
    model and persona; the second is looked up in that index trial by trial."""
    scanned = "+" if table == "a" else ""
    if what == "model":
        return f"{scanned}{table}.model IN ({_IDS[what]})", [name]
    if what == "format":
        return f"{scanned}{table}.variant IN ({_IDS[what]})", [name]
    every = f"{table}.model IN (SELECT id FROM model)" if table == "a" else "1"
    if name == BASELINE:
        return f"{every} AND {table}.persona = 0", []
    return f"{every} AND {table}.persona IN ({_IDS[what]})", [name]


def _pair(row: tuple[Any, ...]) -> Pair:
    item_id, question, model, persona_id = (str(value or "") for value in row[12:16])
    one = Answered(Place(*row[:6]), str(row[16]), str(row[18] or ""), row[20])
    other = Answered(Place(*row[6:12]), str(row[17]), str(row[19] or ""), row[21])
    return Pair(item_id, question, model, persona_id or BASELINE, one, other)


def personas(connection: sqlite3.Connection, typed: str) -> list[str]:
    """The first fifty personas whose id contains what was typed, the baseline before them."""
    sql = f"SELECT persona_id FROM persona WHERE instr(persona_id, ?) ORDER BY id LIMIT {OFFERED}"
    names = [BASELINE, *(str(name) for (name,) in connection.execute(sql, [typed]))]
    return [name for name in names if typed in name]
