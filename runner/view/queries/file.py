"""A study's file as the page reads it: checked once, then opened read-only for every look."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlite_utils

from migrations import schema
from personas.errors import InputError, MachineError, NewerFile
from runner.store.database import database_errors, opened, read_only
from runner.store.last_run import last_run_row

TABLES = ("run", "model", "item", "persona", "variant", "completion", "score", "failure", "spend", "text")


def checked(path: Path) -> Path:
    """The path of a file that can be shown; one of an older version gets its missing schema steps.

    Raises InputError where it is missing, empty, damaged or not one of mtpa's; NewerFile.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such database; run the study first, or name another file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; run the study first, or name another file")
    try:
        if _is_older(path):
            with opened(path):  # which takes the missing steps
                pass
        with reading(path) as connection:
            for name in TABLES:
                connection.execute(f"SELECT * FROM {name} ORDER BY rowid DESC LIMIT 1").fetchall()
    except NewerFile:
        raise
    except MachineError as error:
        raise InputError(str(error)) from None
    return path


def _is_older(path: Path) -> bool:
    """Whether schema steps are missing. Raises NewerFile, or InputError for a file that is not ours."""
    with reading(path) as connection:
        database = sqlite_utils.Database(connection)
        has_steps = "_sqlite_migrations" in database.table_names()
        applied = {step.name for step in schema.applied(database)} if has_steps else set()
    known = {step.name for step in schema.pending(sqlite_utils.Database(memory=True))}
    if not applied:
        raise InputError(f"{path}: an SQLite file, but not one of mtpa's; name the database of a study")
    if newer := applied - known:
        raise NewerFile(path, min(newer))
    return applied != known


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write. Text that is not UTF-8 is read with replacement characters.

    Raises InputError or MachineError.
    """
    with database_errors(path):
        connection = read_only(path)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.text_factory = _decoded
            yield connection
        finally:
            connection.close()


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def request_stop(path: Path, run: int) -> bool:
    """Ask a run to end after what is in flight: it looks every second. False where it has ended already."""
    with database_errors(path):
        connection = sqlite3.connect(path, timeout=10)
        try:
            sql = "UPDATE run SET stop_requested = 1 WHERE id = ? AND ended IS NULL"
            with connection:
                return connection.execute(sql, (run,)).rowcount == 1
        finally:
            connection.close()


def version_of(path: Path) -> tuple[int, int, str]:
    """What changes when there is something new to compute: the last score, the last run and its end."""
    with reading(path) as connection:
        (score,) = connection.execute("SELECT coalesce(max(id), 0) FROM score").fetchone()
        run, ended = last_run_row(connection, "id, coalesce(ended, '')") or (0, "")
    return int(score), run, ended
