"""The trials of a file: which fit a filter, a page of them at a time, and how many there are."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from personas.traits import catalogue
from runner.store.cache import Trial
from runner.view.queries.address import Query

COUNTED = 10_000
BASELINE = "baseline"
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
class Filter(Query):
    """What is looked for; "" is anything. `benchmark` may be "name" or "name:part"; `level` is one of `trait`."""

    model: str = ""
    benchmark: str = ""
    country: str = ""
    trait: str = ""
    level: str = ""
    format: str = ""
    status: str = ""
    item: str = ""
    persona: str = ""
    order: str = ""

    def condition(self) -> tuple[str, list[Any]]:
        """An SQL condition on the columns of a trial, and its values. Sub-queries are over the small tables: each is
        evaluated once, and a scan of the trials looks its rows up in the result."""
        benchmark, _, part = self.benchmark.partition(":")
        found: list[tuple[str, list[Any]]] = []
        if self.model or self.persona:
            # the trials' one index begins with model and persona: of use for a persona, a detour for a model alone
            plus, where = ("" if self.persona else "+"), (" WHERE name = ?" if self.model else "")
            found.append((f"{plus}model IN (SELECT id FROM model{where})", [self.model] if self.model else []))
        if benchmark:
            of_part = " AND part = ?" if part else ""
            values = [benchmark, part] if part else [benchmark]
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
        if self.status and self.status != FAILED:
            # the second term says what the index of those that are not ok needs to know
            found.append(("status = ?" if self.status == "ok" else "status = ? AND status != 'ok'", [self.status]))
        return " AND ".join(sql for sql, _ in found) or "1", [value for _, values in found for value in values]

    @property
    def source(self) -> str:
        """Where the trials are from: those that failed have no score."""
        return _FAILURES if self.status == FAILED else _SCORES


_HAS_LEVEL = (
    "persona IN (SELECT id FROM persona WHERE EXISTS (SELECT 1 FROM json_each(answers) WHERE key = ? AND "
    "CAST(value AS TEXT) = ?) OR EXISTS (SELECT 1 FROM json_each(subgroups) WHERE key = ? AND value = ?))"
)
_TRIAL = "model, persona, variant, item, rotation, replicate"
_SCORES = "score"
_FAILURES = f"""(
    SELECT max(id) AS id, {_TRIAL}, 'failed' AS status, NULL AS value, NULL AS completion, NULL AS chosen_by_text,
        NULL AS chosen_by_probability, kind || ': ' || message AS said
    FROM failure WHERE NOT EXISTS (
        SELECT 1 FROM score WHERE score.model = failure.model AND score.item = failure.item
        AND score.persona = failure.persona AND score.variant = failure.variant
        AND score.rotation = failure.rotation AND score.replicate = failure.replicate)
    GROUP BY {_TRIAL})"""
_ROWS = """
SELECT t.model, t.persona, t.variant, t.item, t.rotation, t.replicate, m.name, i.benchmark, i.part, i.item_id,
    CASE WHEN json_valid(i.record) THEN substr(json_extract(i.record, '$.question'), 1, 200) END,
    p.persona_id, p.country, v.format, t.status, t.value, substr({answer}, 1, 400)
FROM (SELECT * FROM {source} WHERE id <= ? AND {condition} ORDER BY id {direction} LIMIT ? OFFSET ?) AS t
LEFT JOIN model AS m ON m.id = t.model LEFT JOIN item AS i ON i.id = t.item LEFT JOIN persona AS p ON p.id = t.persona
LEFT JOIN variant AS v ON v.id = t.variant LEFT JOIN completion AS c ON c.id = t.completion ORDER BY t.id {direction}
"""


class Row(NamedTuple):
    """A trial in the table: `place` opens it, `answer` is the beginning of what came back, or why nothing did."""

    place: Place
    model: str
    benchmark: str
    item_id: str
    question: str
    persona_id: str
    country: str
    format: str
    status: str
    value: float | None
    answer: str


def latest(connection: sqlite3.Connection, wanted: Filter) -> int:
    """The id of the newest trial; a table up to it stays as it is while new ones land."""
    table = "failure" if wanted.status == FAILED else "score"
    (found,) = connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
    return int(found)


def page(connection: sqlite3.Connection, wanted: Filter, upto: int, start: int, count: int) -> list[Row]:
    """`count` trials that fit, from number `start` on, of those up to the id `upto`; the newest first."""
    condition, values = wanted.condition()
    direction = "ASC" if wanted.order == "oldest" else "DESC"
    answer = "t.said" if wanted.status == FAILED else "c.answer"
    sql = _ROWS.format(source=wanted.source, condition=condition, direction=direction, answer=answer)
    return [_row(row) for row in connection.execute(sql, [upto, *values, count, start])]


def _row(row: Sequence[Any]) -> Row:
    value = row[15] if isinstance(row[15], float | int) else None
    model, benchmark, part, item_id, question, persona_id, country, form, status = (
        str(cell or "") for cell in row[6:15]
    )
    label = f"{benchmark}:{part}" if part else benchmark
    who = persona_id or BASELINE
    answer = str(row[16] or "")
    return Row(Place(*row[:6]), model, label, item_id, question, who, country, form, status, value, answer)


def count(connection: sqlite3.Connection, wanted: Filter, upto: int) -> int | None:
    """How many trials fit; None where there are more than 10,000 and a filter, which would have to read them all."""
    condition, values = wanted.condition()
    limit = "" if condition == "1" else f"LIMIT {COUNTED + 1}"
    sql = f"SELECT count(*) FROM (SELECT 1 FROM {wanted.source} WHERE id <= ? AND {condition} {limit})"
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
    """Everything that the file's trials can be told apart by."""
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
