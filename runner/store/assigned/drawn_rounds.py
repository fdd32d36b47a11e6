"""The adaptive rounds of a target: how a file keeps who was asked what with what chance, and what scores say of it."""

import hashlib
import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from personas.errors import InputError
from runner.backends.request import canonical
from runner.store.assigned.deals import ELICITATION
from runner.store.database import opened
from scoring.benchmarks.registry import measure
from scoring.statistics.designs.inclusion import COLUMNS, Round, with_rounds
from scoring.statistics.designs.sequential import Batch, Target

INSERT = (
    "INSERT INTO drawn_round (model, benchmark, course, level, number, planned, cells) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_ROUNDS = "SELECT benchmark, course, level, number, planned, cells FROM drawn_round WHERE model = ? ORDER BY id"


class DrawnRounds(NamedTuple):
    """The rounds of one model and benchmark that were drawn, by level and number, of how many that were planned."""

    course: str
    planned: int
    rounds: Mapping[tuple[str, int], Round]


def course_of(groups: Collection[str], target: Target) -> str:
    """Names what rounds are drawn from: with other item groups, rounds, levels or another seed they begin anew."""
    told = [sorted(set(groups)), target.rounds, target.by or "", target.seed]
    return hashlib.sha256(canonical(told)).hexdigest()[:16]


def rows_of(of: tuple[int, str, str], batch: Batch, planned: int, people: Mapping[str, int]) -> list[Any]:
    """The values of `INSERT` for what a round drew anew.

    `of` are the number of the model, the benchmark and the course, `people` the numbers of the personas' rows.
    """
    cells = {str(people[name]): dict(own) for name, own in batch.drawn.items()}
    return [*of, batch.level, batch.number, planned, canonical(cells).decode()]


def refuse_equal_rounds(connection: sqlite3.Connection, path: Path, target: Target | None) -> None:
    """Raises InputError where a target's rounds are balanced and those that the file has are adaptive.

    Answers of both are no sample of anything.
    """
    drawn = connection.execute("SELECT EXISTS (SELECT 1 FROM drawn_round)").fetchone()[0]
    if target is not None and not target.adaptive and drawn:
        raise InputError(
            f"{path}: its item groups were drawn in adaptive rounds, which do not mix with balanced ones; keep "
            '[target] allocation = "neyman", leave [target] out to ask everything, or name a new database'
        )


def drawn_rounds(
    connection: sqlite3.Connection, model: int, personas: Collection[int] | None = None
) -> dict[str, DrawnRounds]:
    """The rounds of a model in the file by benchmark, of the course that was drawn last; of these personas alone."""
    drawn = connection.execute(_ROUNDS, (model,)).fetchall()
    if not drawn:
        return {}
    names = dict(connection.execute("SELECT id, persona_id FROM persona"))
    kept = names.keys() if personas is None else names.keys() & set(personas)
    found: dict[str, DrawnRounds] = {}
    for benchmark, course, level, number, planned, text in drawn:
        if benchmark not in found or found[benchmark].course != course:
            found[benchmark] = DrawnRounds(course, planned, {})
        cells = {names[int(who)]: own for who, own in json.loads(text).items() if int(who) in kept}
        before = found[benchmark].rounds
        rounds = {**before, (level, number): {**before.get((level, number), {}), **cells}}
        found[benchmark] = found[benchmark]._replace(rounds=rounds)
    return found


def with_drawn_rounds(
    path: Path, scores: pd.DataFrame, models: pd.Series, selection: Mapping[str, Any] | None
) -> pd.DataFrame:
    """The scores with columns of the rounds, where any of their models was asked in adaptive rounds; else as they are.

    `models` has the number of each row's model. What was not drawn at all counts as asked for certain, in one round.
    """
    personas = None if selection is None else selection["personas"]
    numbers = sorted(set(models.unique().tolist()))
    with opened(path) as connection:
        known = {number: found for number in numbers if (found := drawn_rounds(connection, number, personas))}
        if not known:
            return scores
        groups = _groups(connection, None if selection is None else set(selection["items"]))
    alone = scores["persona_id"] == ""
    scores = scores.assign(**{name: alone.map({True: float("nan"), False: 1.0}) for name in COLUMNS})
    for number, found in known.items():
        for benchmark, drawn in found.items():
            here = ((models == number) & (scores["benchmark"] == benchmark)).to_numpy()
            told = with_rounds(scores[here], drawn.rounds, drawn.planned, groups.get(benchmark, ()))
            for name in COLUMNS:
                scores.loc[here, name] = told[name].to_numpy()
    return scores


def _groups(connection: sqlite3.Connection, items: Collection[int] | None) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for number, benchmark, part, how, group in connection.execute(
        f"SELECT id, benchmark, part, {ELICITATION}, grp FROM item"
    ):
        if items is None or number in items:
            found.setdefault(measure(benchmark, part, how), []).append(str(group))
    return found


def copy_rounds(connection: sqlite3.Connection, models: Mapping[int, int], personas: Mapping[int, int]) -> int:
    """Bring the rounds of the attached file `source`, in our numbers; those that stand here already are left out."""
    sql = "SELECT model, benchmark, course, level, number, planned, cells FROM {}.drawn_round ORDER BY id"
    ours = set(connection.execute(sql.format("main")).fetchall())
    rows = []
    for model, *head, text in connection.execute(sql.format("source")).fetchall():
        own = {str(personas[int(who)]): each for who, each in json.loads(text).items() if int(who) in personas}
        row = (models[model], *head, canonical(own).decode())
        rows += [row] if row not in ours else []
    connection.executemany(INSERT.replace("INTO drawn_round", "INTO main.drawn_round"), rows)
    return len(rows)
