"""The trials of a file: which fit a filter, a page of them at a time, and how many there are."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from personas.traits import catalogue
from runner.store.assigned.deals import ELICITATION
from runner.store.cache import Trial
from runner.view.queries.address import Query
from runner.view.queries.chosen import (
    BASELINE,
    BASELINE_OF,
    CHOSEN,
    Choice,
    choice,
    label_of,
    read_item,
    right_answer,
    who,
)
from scoring.answers.items import Item
from scoring.benchmarks.registry import asked_for
from scoring.statistics.pairs import CONTROL

COUNTED = 10_000
CHANGED = "changed"
FAILED = "failed"
STATUSES = ("ok", "unparsed", "refused", "no probabilities", "pending", FAILED)


class Place(Trial):
    """A trial as its address has it."""

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """From "1-2-3-4-0-0"; None where that is no place."""
        parts = text.split("-")
        if len(parts) != len(cls._fields) or not all(part.isascii() and part.isdigit() for part in parts):
            return None
        numbers = [int(part) for part in parts]
        return cls(*numbers) if max(numbers) < 2**63 else None

    def __str__(self) -> str:
        return "-".join(map(str, self))


@dataclass(frozen=True)
class TrialFilter(Query):
    """What is looked for; "" is anything.

    `text` is in the question, the answer or the option chosen; `only` is "" or "changed": by the persona, beside the
    baseline; `benchmark` may be "name" or "name:part"; `level` is one of `trait`; `order` is "" (the newest first),
    "oldest" or "change": another option than without a persona first, then by how much the score changed.
    """

    text: str = ""
    only: str = ""
    order: str = ""
    model: str = ""
    benchmark: str = ""
    country: str = ""
    trait: str = ""
    level: str = ""
    format: str = ""
    status: str = ""
    item: str = ""
    persona: str = ""

    def condition(self) -> tuple[str, list[Any]]:
        """An SQL condition on the columns of a trial, and its values.

        Sub-queries are over the small tables: each is evaluated once, and a scan of the trials looks its rows up in the
        result.
        """
        label, elicitation = asked_for(self.benchmark)
        benchmark, _, part = label.partition(":")
        found: list[tuple[str, list[Any]]] = []
        if self.model or self.persona:
            # the trials' one index begins with model and persona: of use for a persona, a detour for a model alone
            plus, where = ("" if self.persona else "+"), (" WHERE name = ?" if self.model else "")
            found.append((f"{plus}model IN (SELECT id FROM model{where})", [self.model] if self.model else []))
        if benchmark:
            of_part = " AND part = ?" if part else ""
            values = [benchmark, part] if part else [benchmark]
            if self.item or label != self.benchmark:  # a benchmark alone is all the ways in which it is asked
                of_part, values = f"{of_part} AND {ELICITATION} = ?", [*values, elicitation]
            found.append((f"item IN (SELECT id FROM item WHERE benchmark = ?{of_part})", values))
        if self.item:
            found.append(("item IN (SELECT id FROM item WHERE item_id = ?)", [self.item]))
        if self.country:
            found.append(("persona IN (SELECT id FROM persona WHERE country = ?)", [self.country]))
        if self.trait and self.level:
            found.append((_HAS_LEVEL, [self.trait, self.level, self.trait, self.level]))
        if self.persona == BASELINE:
            found.append(("persona = 0", []))
        elif self.persona:
            found.append(("persona IN (SELECT id FROM persona WHERE persona_id = ?)", [self.persona]))
        if self.format:
            found.append(("variant IN (SELECT id FROM variant WHERE format = ?)", [self.format]))
        if self.text:
            sql = _FAILED_TEXT if self.status == FAILED else _HAS_TEXT
            found.append((sql, [self.text.casefold()] * sql.count("?")))
        if self.only == CHANGED:
            found.append((_HAS_CHANGED, [CONTROL]))
        if self.status and self.status != FAILED:
            # the second term says what the index of those that are not ok needs to know
            found.append(("status = ?" if self.status == "ok" else "status = ? AND status != 'ok'", [self.status]))
        return " AND ".join(sql for sql, _ in found) or "1", [value for _, values in found for value in values]

    @property
    def source(self) -> str:
        """Where the trials are from: those that failed have no score."""
        return _FAILURES if self.status == FAILED else "score"

    @property
    def keys(self) -> tuple[str, ...]:
        """What the trials `t` are ordered by, as SQL."""
        return (f"coalesce({_CHANGE}, -1)", "t.id") if self.order == "change" else ("t.id",)

    def ordering(self, backwards: bool = False) -> str:
        """How they are ordered, as SQL."""
        direction = "ASC" if backwards != (self.order == "oldest") else "DESC"
        return ", ".join(f"{key} {direction}" for key in self.keys)


# Whether another option was chosen than without a persona, and by how much the score differs.
_CHANGE = (
    f"(SELECT ({CHOSEN.format('t')} IS NOT {CHOSEN.format('base')}) + abs(coalesce(t.expected, t.value) - "
    f"coalesce(base.expected, base.value)) FROM score AS base WHERE {BASELINE_OF.format('base')})"
)
_HAS_CHANGED = (
    f"t.persona != 0 AND t.variant NOT IN (SELECT id FROM variant WHERE format = ?) AND {CHOSEN.format('t')} != "
    f"(SELECT {CHOSEN.format('base')} FROM score AS base WHERE {BASELINE_OF.format('base')})"
)
_RECORD = "CASE WHEN json_valid(record) THEN record ELSE '{}' END"
_QUESTION_HAS = (
    f"t.item IN (SELECT id FROM item WHERE instr(folded({_RECORD} ->> '$.question'), ?) "
    f"OR instr(folded({_RECORD} ->> '$.context'), ?))"
)
_HAS_TEXT = (
    f"({_QUESTION_HAS} OR (t.item, {CHOSEN.format('t')}) IN (SELECT item.id, each.key "
    f"FROM item, json_each({_RECORD}, '$.choices') AS each WHERE instr(folded(each.value), ?)) "
    "OR EXISTS (SELECT 1 FROM completion WHERE id = t.completion AND instr(folded(answer), ?)))"
)
_FAILED_TEXT = f"({_QUESTION_HAS} OR instr(folded(t.said), ?))"
_HAS_LEVEL = (
    "persona IN (SELECT id FROM persona WHERE EXISTS (SELECT 1 FROM json_each(answers) WHERE key = ? AND "
    "CAST(value AS TEXT) = ?) OR EXISTS (SELECT 1 FROM json_each(subgroups) WHERE key = ? AND value = ?))"
)
_TRIAL = "model, persona, variant, item, rotation, replicate"
_FAILURES = f"""(
    SELECT max(id) AS id, {_TRIAL}, 'failed' AS status, NULL AS value, NULL AS expected, NULL AS completion,
        NULL AS chosen_by_text, NULL AS chosen_by_probability, kind || ': ' || message AS said
    FROM failure WHERE NOT EXISTS (
        SELECT 1 FROM score WHERE score.model = failure.model AND score.item = failure.item
        AND score.persona = failure.persona AND score.variant = failure.variant
        AND score.rotation = failure.rotation AND score.replicate = failure.replicate)
    GROUP BY {_TRIAL})"""
_ROWS = f"""
SELECT t.model, t.persona, t.variant, t.item, t.rotation, t.replicate, m.name, i.benchmark, i.part, i.item_id, i.record,
    p.persona_id, p.country, p.answers, v.format, t.status, t.value, coalesce(t.expected, t.value),
    {CHOSEN.format("t")}, c.letters, substr({{answer}}, 1, 400),
    coalesce(b.expected, b.value), {CHOSEN.format("b")}, d.letters, substr(d.answer, 1, 400)
FROM (SELECT t.* FROM {{source}} AS t WHERE t.id <= ? AND {{condition}} ORDER BY {{ordering}} LIMIT ? OFFSET ?) AS t
LEFT JOIN model AS m ON m.id = t.model LEFT JOIN item AS i ON i.id = t.item LEFT JOIN persona AS p ON p.id = t.persona
LEFT JOIN variant AS v ON v.id = t.variant LEFT JOIN completion AS c ON c.id = t.completion
LEFT JOIN score AS b ON t.persona != 0 AND {BASELINE_OF.format("b")} LEFT JOIN completion AS d ON d.id = b.completion
ORDER BY {{ordering}}
"""


class Row(NamedTuple):
    """A trial in the table.

    `place` opens it, `answer` is what was chosen, or why nothing was, `baseline` what was chosen without a persona,
    `change` by how much the score differs from the baseline's.
    """

    place: Place
    model: str
    benchmark: str
    item_id: str
    question: str
    persona_id: str
    who: str
    format: str
    status: str
    value: float | None
    answer: Choice
    baseline: Choice
    right: str
    change: float | None


def latest(connection: sqlite3.Connection, wanted: TrialFilter) -> int:
    """The id of the newest trial; a table up to it stays as it is while new ones land."""
    table = "failure" if wanted.status == FAILED else "score"
    (found,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
    return int(found)


def page(connection: sqlite3.Connection, wanted: TrialFilter, upto: int, start: int, count: int) -> list[Row]:
    """`count` trials that fit, from number `start` on, of those up to the id `upto`; the newest first."""
    condition, values = wanted.condition()
    answer = "t.said" if wanted.status == FAILED else "c.answer"
    sql = _ROWS.format(source=wanted.source, condition=condition, ordering=wanted.ordering(), answer=answer)
    return [_row(row) for row in connection.execute(sql, [upto, *values, count, start])]


def _row(row: Sequence[Any]) -> Row:
    model, benchmark, part, item_id = (str(cell or "") for cell in row[6:10])
    item, place = read_item(row[10]), Place(*row[:6])
    persona_id, country, answers, form, status = row[11:16]
    value, score, base = (each if isinstance(each, float | int) else None for each in (row[16], row[17], row[21]))
    return Row(
        place,
        model,
        label_of(item) if item else f"{benchmark}:{part}" if part else benchmark,
        item_id,
        question_of(item),
        str(persona_id or BASELINE),
        who(persona_id, country, answers, form),
        str(form or ""),
        str(status or ""),
        value,
        choice(item, place.rotation, *row[18:21]),
        choice(item, place.rotation, *row[22:25]),
        right_answer(item),
        None if score is None or base is None else score - base,
    )


def question_of(item: Item | None) -> str:
    """A question with what stands before it; where it is the same for every item, the options that tell them apart."""
    if item is None:
        return ""
    asked = " ".join(each for each in (item.context, item.question) if each)
    return asked if item.context or item.weights else " | ".join(item.choices)


def neighbours(connection: sqlite3.Connection, wanted: TrialFilter, place: Place) -> tuple[Place | None, Place | None]:
    """The trials before and after one in the table of those that fit; None where there is none."""
    condition, values = wanted.condition()
    trial = " AND ".join(f"t.{name} = ?" for name in Place._fields)
    columns = ", ".join(f"t.{name}" for name in Place._fields)
    keys, source = ", ".join(wanted.keys), f"{wanted.source} AS t"
    at = connection.execute(f"SELECT {keys} FROM {source} WHERE {trial}", place).fetchone()
    if at is None:
        return None, None
    found: list[Place | None] = []
    for backwards in (True, False):
        beyond = ">" if backwards == (wanted.order != "oldest") else "<"
        where = f"{condition} AND ({keys}) {beyond} ({', '.join('?' * len(at))})"
        sql = f"SELECT {columns} FROM {source} WHERE {where} ORDER BY {wanted.ordering(backwards)} LIMIT 1"
        row = connection.execute(sql, [*values, *at]).fetchone()
        found.append(Place(*row) if row else None)
    return found[0], found[1]


def count(connection: sqlite3.Connection, wanted: TrialFilter, upto: int) -> int | None:
    """How many trials fit; None where there are more than 10,000 and a filter, which would have to read them all."""
    condition, values = wanted.condition()
    limit = "" if condition == "1" else f"LIMIT {COUNTED + 1}"
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {wanted.source} AS t WHERE t.id <= ? AND {condition} {limit})"
    (found,) = connection.execute(sql, [upto, *values]).fetchone()
    return None if limit and found > COUNTED else int(found)


@dataclass(frozen=True)
class Choices:
    """What each filter can be set to; `levels` holds (value, label) of every trait."""

    models: tuple[str, ...]
    benchmarks: tuple[str, ...]
    countries: tuple[str, ...]
    formats: tuple[str, ...]
    levels: dict[str, tuple[tuple[str, str], ...]]


def choices(connection: sqlite3.Connection) -> Choices:
    """Everything by which the file's trials can be filtered."""
    sql = "SELECT benchmark, part FROM item GROUP BY 1, 2 ORDER BY 1, 2"
    pairs = connection.execute(sql).fetchall()
    parted = {name for name, part in pairs if part}
    names = {f"{name}:{part}" if part else name for name, part in pairs} | parted
    return Choices(
        _column(connection, "SELECT DISTINCT name FROM model ORDER BY 1"),
        tuple(sorted(names)),
        _column(connection, "SELECT DISTINCT country FROM persona WHERE country != '' ORDER BY 1"),
        _column(connection, "SELECT DISTINCT format FROM variant ORDER BY 1"),
        _levels(connection),
    )


def _column(connection: sqlite3.Connection, sql: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in connection.execute(sql))


def _levels(connection: sqlite3.Connection) -> dict[str, tuple[tuple[str, str], ...]]:
    """Every trait that somebody answered, by code and label; and the report's attributes that are no traits."""
    known = catalogue().traits
    found: dict[str, list[tuple[str, str]]] = {}
    for column in ("answers", "subgroups"):
        sql = f"SELECT DISTINCT j.key, j.value FROM persona, json_each(persona.{column}) AS j ORDER BY 1, 2"
        rows = [(str(trait), value) for trait, value in connection.execute(sql)]
        earlier = set(found) | {"country"}
        for trait, value in rows:
            if trait not in earlier:
                label = known[trait].label(value) if trait in known and isinstance(value, int) else str(value)
                found.setdefault(trait, []).append((str(value), label))
    return {trait: tuple(levels) for trait, levels in sorted(found.items())}
