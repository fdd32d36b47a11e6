"""The finding that a run ended with, kept with the run: to say it again takes no reading of scores."""

import json
import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from runner.backends.request import digest
from runner.store.database import last_run_row, opened, transaction
from runner.study.config import Study


class KeptFinding(NamedTuple):
    """What a report says: that there are made-up people in it, if there are, and its sentences."""

    synthetic: str
    sentences: Sequence[str]


def keep_finding(study: Study, found: KeptFinding) -> None:
    """Keep what the report on the last run of a study says, as long as the file and the study stay as they are."""
    with opened(study.database) as connection, transaction(connection):
        kept = json.dumps({"of": _state(connection, study), **found._asdict()})
        sql = (
            "UPDATE run SET heartbeat = json_set(heartbeat, '$.finding', json(?)) WHERE id = (SELECT max(id) FROM run)"
        )
        connection.execute(sql, (kept,))


def kept_finding(study: Study) -> KeptFinding | None:
    """The finding; None where none are kept, or an answer, a score or a word of the study has come since."""
    with opened(study.database) as connection:
        (beat,) = last_run_row(connection, "heartbeat") or ("{}",)
        found = json.loads(beat).get("finding")
        if not isinstance(found, dict) or found.get("of") != _state(connection, study):
            return None
    synthetic, sentences = found.get("synthetic"), found.get("sentences")
    if not isinstance(sentences, list) or not all(isinstance(each, str) for each in (synthetic, *sentences)):
        return None  # of a file from elsewhere
    return KeptFinding(str(synthetic), sentences)


def _state(connection: sqlite3.Connection, study: Study) -> str:
    """What the finding depends on; a score that is made anew has a new id."""
    run = last_run_row(connection, "id, started, ended, code")
    tables = ("score", "completion", "failure", "persona", "item")
    last = [connection.execute(f"SELECT max(id) FROM {table}").fetchone()[0] for table in tables]
    registered = connection.execute("SELECT sha256 FROM registration ORDER BY at").fetchall()
    return digest([run, last, registered, study.text]).hex()
