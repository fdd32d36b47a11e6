"""The redacted copy of a study's file: every table of its report, and nothing that tells who a respondent is.

A respondent is a hash and the columns by which the report breaks results down. Left out are the answers and the text of
personas, long answers to them (which may quote it), messages of failures, and all that the last run did not select.
Keys and clusters are hashes of what a persona shows, which for a persona of few traits can be found by trying: numbers
take their place. What the copy is checked by when its personas come back are hashes of all of them together.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from personas.errors import InputError
from personas.people.pseudonyms import pseudonym
from personas.release.assemble import source_of
from runner.sharing.scratch import scratch_folder
from runner.store.database import attached, database_errors, last_run_row, mark_redacted, opened, transaction
from runner.store.foreign import reading_file
from runner.store.runs import SELECTED, choose
from runner.study.sections import ReportSection
from scoring.statistics.levels import HIDDEN_UNDER
from scoring.statistics.pairs import CONTROL

GONE = "redacted"  # the `finish` of a completion whose text was left out
HIDDEN = f"hidden (fewer than {HIDDEN_UNDER} people)"
_LETTER = re.compile(r"\W*\w?\W*")  # at most one letter or digit, of any script

_PERSONA = {
    "persona_id": "pseudonym(persona_id)",
    "sha": "sha256(pseudonym(persona_id))",
    "cluster": "(SELECT number FROM temp.cluster AS c WHERE c.cluster = persona.cluster)",
    "answers": "'{}'",
    "subgroups": "declared(subgroups)",
}
_OF_BASELINE = "(id IN (SELECT completion FROM source.score WHERE persona = 0))"
_KEPT = f"(answer IS NULL OR is_letter(answer) OR {_OF_BASELINE})"
# A neutral control's text tells how long a persona's was: what is kept is who read the same one.
_OF_CONTROL = f"SELECT id FROM source.variant WHERE format = '{CONTROL}'"
_CONTROL_READ = f"SELECT completion FROM source.score WHERE variant IN ({_OF_CONTROL})"
_IS_CONTROL = f"id IN (SELECT persona_text FROM source.completion WHERE id IN ({_CONTROL_READ}))"
_TEXT = {
    "text": f"CASE WHEN {_IS_CONTROL} THEN 'neutral control ' || id ELSE text END",
    "sha": f"CASE WHEN {_IS_CONTROL} THEN sha256('neutral control ' || id) ELSE sha END",
}
_COMPLETION = {
    "key": "opaque_key(id)",
    "persona_text": f"CASE WHEN id IN ({_CONTROL_READ}) THEN persona_text ELSE 0 END",
    "answer": f"CASE WHEN {_KEPT} THEN answer END",
    "finish": f"CASE WHEN {_KEPT} THEN finish ELSE '{GONE}' END",
}
_FAILURE = {"key": "opaque_key(0)", "message": "''"}


def write_copy(database: Path, copy: Path, report: ReportSection, share: bool) -> None:
    """Write what the report of the file's last run needs to a new file, redacted unless `share`.

    Raises InputError where there is no run yet, or where scores themselves would tell a restricted survey's answers.
    """
    with reading_file(database), opened(copy, create=True) as connection:
        with database_errors(database), attached(connection, database, "source"), transaction(connection):
            _copy(connection, database, report, share)
        mark_redacted(connection, not share)
        connection.execute("UPDATE _sqlite_migrations SET applied_at = ''")  # the same content is the same file
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")


@contextmanager
def temporary_copy(database: Path, report: ReportSection, share: bool, beside: Path | None = None) -> Iterator[Path]:
    """The copy that `write_copy` makes, in a folder of its own beside a file (the database if absent), then deleted."""
    with opened(database):  # brings an older file up to date, which the copy's tables have to match
        pass
    with scratch_folder(beside or database) as folder:
        copy = folder / "copy.sqlite"
        write_copy(database, copy, report, share)
        try:
            yield copy
        except InputError as error:  # what is wrong with the copy was wrong with the file
            raise InputError(str(error).replace(str(copy), str(database))) from None


def _copy(connection: sqlite3.Connection, database: Path, report: ReportSection, share: bool) -> None:
    if not (run := last_run_row(connection, "id, selection", "source")):
        raise InputError(f"{database}: has no run yet; run the study first")
    choose(connection, json.loads(run[1]))
    if not share:
        _refuse_telling_items(connection, database)
    _define_functions(connection, report)
    selected = "id IN (SELECT id FROM temp.chosen WHERE kind = '{}')"
    used = {"weight", "country"} if report.weights != "none" else {"country"} & {*report.attributes}
    unused = {name: blank for name, blank in (("weight", "1.0"), ("country", "''")) if name not in used}
    for table in ("model", "item", "variant"):
        _copy_table(connection, table, selected.format(table), {})
    connection.execute(
        "CREATE TEMP TABLE cluster AS SELECT cluster, CAST(min(id) AS TEXT) AS number FROM source.persona GROUP BY 1"
    )
    connection.execute("CREATE UNIQUE INDEX temp.cluster_name ON cluster (cluster)")
    persona = {} if share else {**_PERSONA, **unused}
    _copy_table(connection, "persona", selected.format("persona"), persona)
    if share:  # answers are left out otherwise
        connection.execute("INSERT INTO main.trait_label SELECT * FROM source.trait_label")
    _copy_table(connection, "score", SELECTED, {})
    _copy_table(connection, "drawn_round", "model IN (SELECT id FROM main.model)", {})
    answered = "id IN (SELECT completion FROM main.score)"
    _copy_table(connection, "completion", answered, {} if share else _COMPLETION)
    names = "persona_text item_text system_text".split()
    read = " UNION ".join(f"SELECT {name} FROM main.completion" for name in names)
    _copy_table(connection, "text", f"id IN ({read})", {} if share else _TEXT)
    _copy_table(connection, "failure", SELECTED, {} if share else _FAILURE)
    checks = "{}" if share else json.dumps({"checks": _checks(connection)})
    _copy_table(connection, "run", f"id = {int(run[0])}", {"heartbeat": f"'{checks}'", "stop_requested": "0"})


def _copy_table(connection: sqlite3.Connection, table: str, where: str, changed: Mapping[str, str]) -> None:
    names = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
    values = ", ".join(changed.get(name, name) for name in names)
    sql = f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {values} FROM source.{table} AS {table}"
    connection.execute(f"{sql} WHERE {where} ORDER BY id")


def _define_functions(connection: sqlite3.Connection, report: ReportSection) -> None:
    def declared(subgroups: str) -> str:
        known = json.loads(subgroups)
        return json.dumps({name: known[name] for name in report.attributes if name in known}, sort_keys=True)

    functions: Mapping[str, Any] = {
        "pseudonym": pseudonym,
        "sha256": lambda text: hashlib.sha256(text.encode()).digest(),
        "declared": declared,
        "is_letter": lambda text: _LETTER.fullmatch(text) is not None,
        "opaque_key": opaque_key,
    }
    for name, function in functions.items():
        connection.create_function(name, 1, function, deterministic=True)


def opaque_key(number: int) -> bytes:
    """What stands for the key of a completion."""
    return number.to_bytes(32, "big")


def _refuse_telling_items(connection: sqlite3.Connection, database: Path) -> None:
    """An item whose right answer is the respondent's own tells it by its score."""
    surveys = [name for (name,) in connection.execute("SELECT DISTINCT survey FROM source.persona ORDER BY 1")]
    restricted = [name for name in surveys if source_of(name).restricted]
    sql = (
        "SELECT benchmark FROM source.item WHERE json_extract(record, '$.target_trait') IS NOT NULL "
        "AND id IN (SELECT id FROM temp.chosen WHERE kind = 'item') LIMIT 1"
    )
    if restricted and (telling := connection.execute(sql).fetchone()):
        raise InputError(
            f"{database}: the scores of {telling[0]} tell respondents' own answers, and {restricted[0]} does not allow "
            "to pass these on; leave the benchmark out, or say --i-may-share if you have leave"
        )


def _checks(connection: sqlite3.Connection) -> dict[str, str]:
    """Hashes of all personas and of all keys together, in the order of their numbers."""
    chosen = "SELECT sha FROM source.persona WHERE id IN (SELECT id FROM main.persona) ORDER BY id"
    keys = f"SELECT s.key FROM source.completion AS s JOIN main.completion AS c USING (id) WHERE c.finish != '{GONE}' "
    return {"personas": hash_of_column(connection, chosen), "keys": hash_of_column(connection, f"{keys} ORDER BY id")}


def hash_of_column(connection: sqlite3.Connection, sql: str) -> str:
    """The hash of a column of hashes."""
    found = hashlib.sha256()
    for (each,) in connection.execute(sql):
        found.update(each)
    return found.hexdigest()


def checks(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """What `write_copy` noted for the day that the personas come back. Raises InputError where that is not there."""
    try:
        (beat,) = last_run_row(connection, "heartbeat") or ("{}",)
        found = json.loads(beat)["checks"]
        return {name: str(found[name]) for name in ("personas", "keys")}
    except (TypeError, KeyError, ValueError):
        raise InputError(f"{path}: does not say what its personas are checked by; ask for a new bundle") from None
