"""A study's file as the page reads it: checked once, then opened read-only for every look."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import migrations
from personas.errors import InputError, MachineError, NewerFile
from runner.store.database import (
    TABLES,
    applied_steps,
    database_errors,
    last_run_row,
    opened,
    read_only,
    refuse_false_tables,
)
from runner.store.foreign import reading_file
from scoring.benchmarks.trait_inference import OWN_ANSWER_PARTS


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
                connection.execute(f"SELECT * FROM {name} ORDER BY 1 DESC LIMIT 1").fetchall()
    except NewerFile:
        raise
    except MachineError as error:
        raise InputError(str(error)) from None
    return path


def _is_older(path: Path) -> bool:
    """Whether schema steps are missing. Raises NewerFile, or InputError for a file that is not ours."""
    with reading(path) as connection:
        refuse_false_tables(connection, path)
        applied = applied_steps(connection, path)
    if not applied:
        raise InputError(f"{path}: an SQLite file, but not one of mtpa's; name the database of a study")
    return applied != set(migrations.STEPS)


def is_blank(path: Path) -> bool:
    """Whether nothing is in the file yet, or there is none. Raises InputError or MachineError."""
    if not path.exists() or (path.is_file() and not path.stat().st_size):
        return True
    with reading(path) as connection:
        return not connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").fetchone()[0]


def has_run(path: Path) -> bool:
    """Whether a run has been entered into the file, which whoever makes it does last.

    Raises InputError or MachineError.
    """
    if is_blank(path):
        return False
    with reading(path) as connection:
        made = connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'run')").fetchone()[0]
        return bool(made and connection.execute("SELECT EXISTS (SELECT 1 FROM run)").fetchone()[0])


def has_survey_questions(connection: sqlite3.Connection) -> bool:
    """Whether there are items that ask a persona what its respondent answered."""
    marks = ", ".join("?" * len(OWN_ANSWER_PARTS))
    sql = f"SELECT EXISTS (SELECT 1 FROM item WHERE benchmark || ':' || part IN ({marks}))"
    return bool(connection.execute(sql, OWN_ANSWER_PARTS).fetchone()[0])


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, with the function `folded`.

    Text that is not UTF-8 is read with replacement characters.

    Raises InputError or MachineError.
    """
    with reading_file(path), database_errors(path):
        connection = read_only(path)
        try:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.text_factory = _decoded
            connection.create_function("folded", 1, _folded, deterministic=True)
            yield connection
        finally:
            connection.close()


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _folded(text: Any) -> str:
    """A text for a search that ignores capitals, in every script: SQLite's own does so in ASCII alone."""
    return text.casefold() if isinstance(text, str) else ""


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
