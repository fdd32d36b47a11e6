"""Two models, formats or personas on the same items: the pairs of answers, a page at a time."""

import sqlite3
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Self

from runner.view.queries.address import Query
from runner.view.queries.chosen import BASELINE, CHOSEN, Choice, choice, read_item, right_answer, who
from runner.view.queries.trial_table import Place, question_of

KINDS = ("persona", "model", "format")
DIFFERENT = "different"
OFFERED = 50
_IDS = {
    "persona": "SELECT id FROM persona WHERE persona_id = ?",
    "model": "SELECT id FROM model WHERE name = ?",
    "format": "SELECT id FROM variant WHERE format = ?",
}
# What the two answers of a pair have in common, by what is compared.
_SAME = {
    "persona": "b.model = a.model AND (b.variant = a.variant OR a.variant = 0 OR b.variant = 0)",
    "model": "b.persona = a.persona AND b.variant = a.variant",
    "format": "b.model = a.model AND b.persona = a.persona",
}
_PAIRS = """
SELECT a.model, a.persona, a.variant, a.item, a.rotation, a.replicate,
    b.model, b.persona, b.variant, b.item, b.rotation, b.replicate, i.item_id, i.record, m.name,
    p.persona_id, p.country, p.answers, f.format, a.status, b.status,
    coalesce(a.chosen_by_probability, a.chosen_by_text), c.letters, substr(c.answer, 1, 400),
    coalesce(b.chosen_by_probability, b.chosen_by_text), d.letters, substr(d.answer, 1, 400),
    a.value, b.value, coalesce(a.expected, a.value), coalesce(b.expected, b.value)
FROM (
    SELECT a.id AS first, b.id AS second FROM score AS a CROSS JOIN score AS b
    LEFT JOIN variant AS v ON v.id = a.variant LEFT JOIN variant AS w ON w.id = b.variant
    WHERE {first} AND {second} AND {same} AND b.item = a.item AND b.rotation = a.rotation AND b.replicate = a.replicate
        AND a.id <= ? AND b.id <= ? {benchmark} {different}
    ORDER BY {order} LIMIT ? OFFSET ?
) JOIN score AS a ON a.id = first JOIN score AS b ON b.id = second LEFT JOIN item AS i ON i.id = a.item
LEFT JOIN model AS m ON m.id = a.model LEFT JOIN persona AS p ON p.id = a.persona
LEFT JOIN variant AS f ON f.id = a.variant
LEFT JOIN completion AS c ON c.id = a.completion LEFT JOIN completion AS d ON d.id = b.completion ORDER BY {order}
"""
_OTHER = f"{CHOSEN.format('a')} IS NOT {CHOSEN.format('b')}"
_MOVED = "abs(coalesce(a.expected, a.value) - coalesce(b.expected, b.value))"
_SAME_WORDING = " AND " + " AND ".join(
    f"w.{name} = v.{name}" for name in ("frame", "placement", "trait_order", "traits")
)


@dataclass(frozen=True)
class Sides(Query):
    """What is compared; `only` is "" or "different", `order` is "" or "change": the largest first."""

    what: str = "persona"
    first: str = ""
    second: str = ""
    benchmark: str = ""
    only: str = ""
    order: str = ""

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
    answer: Choice
    value: float | None


class Pair(NamedTuple):
    """The same question, answered on both sides.

    `who` and `model` are the first side's, `change` is the second's score less the first's.
    """

    item_id: str
    question: str
    right: str
    model: str
    persona_id: str
    who: str
    first: Answered
    second: Answered
    change: float | None


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
        different=f"AND {_OTHER}" if sides.only == DIFFERENT else "",
        order=f"coalesce(({_OTHER}) + {_MOVED}, -1) DESC, a.id, b.id" if sides.order == "change" else "a.id, b.id",
    )
    values = [*one, *other, upto, upto, *([name, part] if part else [name] if name else []), count, start]
    return [_pair(row) for row in connection.execute(sql, values)]


def _side(what: str, name: str, table: str) -> tuple[str, list[Any]]:
    """A condition on one side.

    The first is scanned in order, or found by the trials' one index, which begins with model and persona; the second is
    looked up in that index trial by trial.
    """
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
    item, places = read_item(row[13]), (Place(*row[:6]), Place(*row[6:12]))
    sides = [
        Answered(place, str(row[19 + n]), choice(item, place.rotation, *row[21 + 3 * n : 24 + 3 * n]), row[27 + n])
        for n, place in enumerate(places)
    ]
    change = None if row[29] is None or row[30] is None else row[30] - row[29]
    names = str(row[14] or ""), str(row[15] or BASELINE), who(row[15], row[16], row[17], row[18])
    return Pair(str(row[12] or ""), question_of(item), right_answer(item), *names, sides[0], sides[1], change)


def personas(connection: sqlite3.Connection, typed: str) -> list[tuple[str, str]]:
    """The first fifty personas whose id or description contains what was typed, with both; the baseline before them."""
    sql = "SELECT persona_id, country, answers FROM persona ORDER BY id"
    rows = connection.execute(sql)
    everybody = ((str(name), f"{who(name, country, answers, '')} · {name}") for name, country, answers in rows)
    wanted = typed.casefold()
    found = ((name, words) for name, words in everybody if wanted in words.casefold())
    nobody = [(BASELINE, BASELINE)] if wanted in BASELINE else []
    return [*nobody, *islice(found, OFFERED)]
