"""The one SQLite file of a study: opening it, and the rows that scores refer to."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import migrations
from personas.errors import InputError, MachineError, NewerFile
from runner.store.identity import LOG, real, refuse_odd_file

REDACTED = int.from_bytes(b"mtpr", "big")
NO_LOCKS = "files are not locked there, as on some network disks: name a database on a disk of this machine"
_REMEDIES = {
    "full": "the disk is full: free some space and run again, nothing that was answered is lost",
    "readonly": "the file is read-only: make it writable, or name another in [study] database",
    "locking protocol": NO_LOCKS,
    "locked": "another process holds it: wait for that one to end",
    "malformed": "the file is damaged: restore it from a copy (sqlite3 FILE .recover may save most of it)",
    "unable to open": "it cannot be opened: check the folder and its permissions",
    "disk I/O": "the disk fails, or a network disk is gone: check it, and run again",
    "large file": "the disk takes no file of this size: name a database on another disk",
    "schema has changed": "another version of mtpa changed the file meanwhile: run again",
    "interrupted": "the work on it was interrupted: run again",
    "no such": "the file lacks what mtpa keeps there, as a damaged or changed one does: restore it from a copy",
    "decode": "the file holds text that is not text: restore it from a copy",
    "overflow": "the file holds a number that cannot be: restore it from a copy",
}
TABLES = (
    *("run", "model", "item", "persona", "variant", "completion", "score", "failure", "spend", "text"),
    *("trait_label", "drawn_round"),
)
WAIT_MS = 60_000  # how long a statement waits for another program's lock
_PRAGMAS = ("journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {WAIT_MS}", "cache_size = -65536")


def open_database(path: Path, create: bool = True) -> sqlite3.Connection:
    """A connection to the file, its schema up to date.

    Raises InputError where the file is absent (and `create` is false) or is not SQLite; MachineError where it comes
    from a newer version, is damaged or cannot be written.
    """
    if not create and not path.exists():
        raise InputError(f"{path}: no such database; run the study first, or name another file")
    refuse_odd_file(path)
    place = real(path)
    with database_errors(path):
        if not create and not os.access(place.parent, os.W_OK):
            connection = read_only(path)
            _migrate_or_close(connection, path, create)
            return connection
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place.parent):
            connection = sqlite3.connect(place, timeout=60, check_same_thread=False, isolation_level=None)
            _migrate_or_close(connection, path, create, _PRAGMAS)
    return connection


@contextmanager
def opened(path: Path, create: bool = False) -> Iterator[sqlite3.Connection]:
    """The file, as `open_database` opens it, and closed whatever happens inside.

    What SQLite says there is a sentence, and what fails because of what the file holds. Raises InputError or
    MachineError.
    """
    from runner.store.foreign import reading_file  # which needs what stands here

    with reading_file(path), database_errors(path), closing(open_database(path, create)) as connection:
        yield connection


def make_private(path: Path) -> None:
    """Make the file for its owner alone, if there is none yet; whoever shares it with others says so by `chmod`."""
    place = real(path)
    with database_errors(path), suppress(FileExistsError):
        place.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def keep_private(path: Path) -> None:
    """Take every right to the file from all but its owner."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other process opens a file of this folder meanwhile: SQLite does not wait where two make a new one at once."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write.

    A finished file in a folder where nothing can be written has no place for SQLite's shared memory, and needs none.
    """
    refuse_odd_file(path)
    place = real(path)
    has_log = place.with_name(f"{place.name}{LOG}").exists()
    mode = "mode=ro" if has_log or os.access(place.parent, os.W_OK) else "mode=ro&immutable=1"
    uri = f"{place.as_uri()}?{mode}"
    return sqlite3.connect(uri, uri=True, timeout=10, check_same_thread=False, isolation_level=None)


def _migrate_or_close(connection: sqlite3.Connection, path: Path, create: bool, pragmas: Sequence[str] = ()) -> None:
    """A connection that is left open goes on holding what it has locked."""
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        _migrate(connection, path, create)
    except BaseException:
        connection.close()
        raise


def _migrate(connection: sqlite3.Connection, path: Path, create: bool) -> None:
    refuse_false_tables(connection, path)
    applied = applied_steps(connection, path)
    if not applied and connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_schema)").fetchone()[0]:
        raise InputError(f"{path}: an SQLite file, but not one of mtpa's; name another database in [study] database")
    if not applied and not create:
        raise InputError(
            f"{path}: nothing is in it: no study has run into it yet, or it was copied during a run without "
            f"{path.name}{LOG}"
        )
    if applied != set(migrations.STEPS):
        import sqlite_utils  # takes pandas with it

        from migrations.steps import schema

        schema.apply(sqlite_utils.Database(connection))
        checkpoint(connection)


def applied_steps(connection: sqlite3.Connection, path: Path) -> set[str]:
    """The schema steps that the file has. Raises NewerFile; InputError for a list of them that mtpa did not write."""
    try:
        found = migrations.applied(connection)
    except LookupError:
        raise InputError(f"{path}: its list of schema steps is not as mtpa writes it; restore it from a copy") from None
    if newer := found - set(migrations.STEPS):
        raise NewerFile(path, min(newer))
    return found


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring what stands in the log into the file itself, so that a copy of the file alone is of some use."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def refuse_false_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raises InputError where a table of ours is a view, a virtual table, or computes a column.

    Reading it would run what somebody else wrote, perhaps without an end.
    """
    sql = "SELECT name, type = 'table' AND sql NOT LIKE 'create virtual%' FROM sqlite_schema WHERE type != 'index'"
    for name, is_plain in connection.execute(sql).fetchall():
        if name not in TABLES:
            continue
        hidden = "SELECT EXISTS (SELECT 1 FROM pragma_table_xinfo(?) WHERE hidden != 0)"
        if not is_plain or connection.execute(hidden, (name,)).fetchone()[0]:
            raise InputError(f"{path}: {name!r} is not a table as mtpa makes it; restore the file from a copy")


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turns what SQLite and the disk say into a sentence."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "not a database" in text:
            raise InputError(f"{path}: not an SQLite database; name another file in [study] database") from None
        raise MachineError(f"{path}: {database_sentence(text)}") from None
    except UnicodeDecodeError:
        raise MachineError(f"{path}: {database_sentence('decode')}") from None
    except OSError as error:
        raise MachineError(f"{path}: cannot be written ({error.strerror}); name another in [study] database") from None


def database_sentence(text: str) -> str:
    """What to do about SQLite's message."""
    unknown = f"SQLite says {text!r}: check the disk and run again, or restore the file from a copy"
    return next((_REMEDIES[word] for word in _REMEDIES if word in text), unknown)


@contextmanager
def attached(connection: sqlite3.Connection, path: Path, name: str) -> Iterator[None]:
    """Another file's tables beside those of the connection, as NAME.table."""
    connection.execute("PRAGMA trusted_schema = OFF")  # what a file from elsewhere calls a table may be a view
    connection.execute(f"ATTACH ? AS {name}", (str(real(path)),))
    try:
        yield
    finally:
        connection.execute(f"DETACH {name}")


def file_size(path: Path) -> int:
    """Bytes on the disk: the file and what is written beside it until SQLite brings it in."""
    place = real(path)
    return sum(each.stat().st_size for each in (place, place.with_name(f"{place.name}{LOG}")) if each.exists())


@contextmanager
def transaction(connection: sqlite3.Connection, undo: bool = False) -> Iterator[None]:
    """What is written inside is there as a whole or not at all: `undo` it in the end where it is a trial."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("ROLLBACK" if undo else "COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def is_locked(error: sqlite3.Error) -> bool:
    """Whether a statement failed only because another program holds the file."""
    return (error.sqlite_errorcode or 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def mark_redacted(connection: sqlite3.Connection, redacted: bool) -> None:
    """Note in the file's header that its keys and personas are redacted, or are so no longer."""
    connection.execute(f"PRAGMA application_id = {REDACTED if redacted else 0}")


def is_redacted(connection: sqlite3.Connection) -> bool:
    """Whether the file is from a bundle and nobody has put its personas back."""
    return bool(connection.execute("PRAGMA application_id").fetchone()[0] == REDACTED)


def refuse_redacted(connection: sqlite3.Connection, path: Path) -> None:
    """Raises InputError for a redacted file, in which no answer can be found by its key."""
    if is_redacted(connection):
        raise InputError(
            f"{path}: redacted, good for reports only; put the personas back with `mtpa-run rehydrate`, which needs "
            "the survey's file"
        )


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def last_run_row(connection: sqlite3.Connection, columns: str, schema: str = "main") -> tuple[Any, ...] | None:
    """These columns of the last run's row; None before the first run. `schema` names an attached file."""
    sql = f"SELECT {columns} FROM {schema}.run ORDER BY id DESC LIMIT 1"
    row: tuple[Any, ...] | None = connection.execute(sql).fetchone()
    return row
