"""Putting the personas back into a redacted file, for anyone who holds the survey: by the hash of each respondent's id.

The study is crossed anew from the survey's file, beside the redacted file; what was hidden is then copied over, and
hashes of all personas and of all keys together tell whether both are what the study ran with.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from personas.errors import InputError
from personas.people.pseudonyms import pseudonym
from runner.backends.request import digest
from runner.crossing.cross import cross
from runner.crossing.prepare import identity_of
from runner.crossing.trials import Asked, Crossing
from runner.sharing.redaction import GONE, checks, hash_of_column
from runner.sharing.scratch import scratch_folder
from runner.store.assigned.deals import known_starts
from runner.store.database import (
    attached,
    database_errors,
    is_redacted,
    keep_private,
    last_run_row,
    mark_redacted,
    opened,
    transaction,
)
from runner.store.leases import refuse_running
from runner.store.ledger import forget_agreements
from runner.store.runs import last_run
from runner.study.config import Study
from runner.study.logs import logger
from runner.study.sources import load_benchmarks, load_fidelity, load_personas

log = logger(__name__)
_HIDDEN = ("persona_id", "sha", "country", "weight", "cluster", "answers", "subgroups")
Numbers = Mapping[str, Mapping[int, int]]  # table → the number of a row when crossed anew → its number in the file


class Rehydrated(NamedTuple):
    """How many personas and answers are whole again, and how many long answers were not in the bundle."""

    personas: int
    answers: int
    gone: int


def rehydrate(study: Study) -> Rehydrated:
    """Put the personas, prompts and keys of the study's redacted file back, from the survey that its sources name.

    Raises InputError where the file is not redacted, or the survey is not the one that the study was run with.
    """
    with opened(study.database) as connection:
        if not is_redacted(connection):
            raise InputError(f"{study.database}: is not redacted, nothing is to be put back")
        refuse_running(connection, study.database)
        with scratch_folder(study.database) as folder, database_errors(study.database):
            path = folder / "crossed.sqlite"
            log.info("making the study's rows anew from %s", ", ".join(study.personas.sources))
            crossing = _cross_anew(study, connection, path)
            with attached(connection, path, "crossed"), transaction(connection):
                found = _put_back(study, connection, crossing)
        if study.study.is_private(bool(crossing.respondents.restricted())):
            keep_private(study.database)
        return found


def _cross_anew(study: Study, connection: sqlite3.Connection, path: Path) -> Crossing:
    """The study's crossing, with its rows in a file of their own; a model's dtype is as it was asked."""
    (last,) = last_run(connection)
    people = load_personas(study, last.sampling)
    selections = [*load_benchmarks(study), *load_fidelity(study, people)]
    identities = [identity_of(section, connection, study.whole_database) for section in study.models]
    with opened(path, create=True) as other:
        return cross(study, other, people, selections, identities, known_starts(connection))


def _put_back(study: Study, connection: sqlite3.Connection, crossing: Crossing) -> Rehydrated:
    known = checks(connection, study.database)
    numbers = {table: _by_content(connection, table) for table in ("model", "item", "variant")}
    numbers["persona"] = _personas(study, connection)
    connection.execute("INSERT OR IGNORE INTO main.trait_label SELECT * FROM crossed.trait_label")
    if hash_of_column(connection, "SELECT sha FROM main.persona ORDER BY id") != known["personas"]:
        raise InputError(
            f"{study.path}: the respondents are there, but their answers or weights are not those of the bundle: "
            "build the personas from the same release of the survey"
        )
    for model in crossing.models:
        if model.id in numbers["model"]:
            _put_keys_back(connection, crossing.trials(model), numbers)
    if (
        hash_of_column(connection, f"SELECT key FROM main.completion WHERE finish != '{GONE}' ORDER BY id")
        != known["keys"]
    ):
        (code,) = last_run_row(connection, "code") or ("",)
        raise InputError(
            f"{study.path}: the prompts as this version of mtpa writes them are not those that were sent; use the "
            f"study as it was bundled, and mtpa {code}"
        )
    mark_redacted(connection, False)
    forget_agreements(connection)
    sql = "SELECT count(*), coalesce(sum(finish = ?), 0) FROM main.completion"
    answers, gone = connection.execute(sql, (GONE,)).fetchone()
    return Rehydrated(len(set(numbers["persona"].values()) - {0}), answers - gone, gone)


def _by_content(connection: sqlite3.Connection, table: str) -> dict[int, int]:
    sql = f"SELECT c.id, t.id FROM crossed.{table} AS c JOIN main.{table} AS t ON t.sha = c.sha"
    return {0: 0, **dict(connection.execute(sql))}


def _personas(study: Study, connection: sqlite3.Connection) -> dict[int, int]:
    """Write what was hidden of each persona. Raises InputError where the survey does not have one of them."""
    there = dict(connection.execute("SELECT persona_id, id FROM main.persona"))
    values = ", ".join(f"{name} = ?" for name in _HIDDEN)
    numbers = {0: 0}
    for number, *row in connection.execute(f"SELECT id, {', '.join(_HIDDEN)} FROM crossed.persona").fetchall():
        if (place := there.pop(pseudonym(row[0]), None)) is not None:
            numbers[number] = place
            connection.execute(f"UPDATE main.persona SET {values} WHERE id = ?", (*row, place))
    if there:
        raise InputError(
            f"{study.path}: {len(there):,} of {len(there) + len(numbers) - 1:,} respondents of the bundle are not "
            "among those that the study draws: build the personas from the same release of the survey"
        )
    return numbers


def _put_keys_back(connection: sqlite3.Connection, trials: Iterable[Asked], numbers: Numbers) -> None:
    """The key and the persona's text of every answer that the file still has, one persona and variant at a time."""
    scored = (
        "SELECT item, rotation, replicate, completion FROM main.score WHERE model = ? AND persona = ? AND variant = ?"
    )
    for (model, persona, variant), block in groupby(trials, key=lambda asked: asked.trial[:3]):
        place = (numbers["model"][model], numbers["persona"].get(persona), numbers["variant"].get(variant))
        rows = {row[:3]: row[3] for row in connection.execute(scored, place)}
        texts: dict[str, int] = {"": 0}
        keys = []
        for asked in block:
            trial = asked.trial
            completion = rows.get((numbers["item"].get(trial.item), trial.rotation, trial.replicate))
            if completion is not None:
                if asked.persona_text not in texts:
                    texts[asked.persona_text] = _text(connection, asked.persona_text)
                keys.append((asked.key, texts[asked.persona_text], completion, GONE))
        connection.executemany(
            "UPDATE main.completion SET key = ?, persona_text = ? WHERE id = ? AND finish != ?", keys
        )


def _text(connection: sqlite3.Connection, text: str) -> int:
    connection.execute("INSERT OR IGNORE INTO main.text (sha, text) VALUES (?, ?)", (digest(text), text))
    return int(connection.execute("SELECT id FROM main.text WHERE sha = ?", (digest(text),)).fetchone()[0])
