"""A database from elsewhere is data: nothing in it runs, and reading it ends."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from migrations.views import VIEWS
from personas.bounded import check_file
from personas.errors import InputError
from runner.store.database import database_errors, read_only

_STEPS = 50_000  # of SQLite's machine between two looks at the clock
_LEAST = 120.0  # seconds
_PER_BYTE = 2e-6  # seconds: slower than any disk


def refuse_code(path: Path, source: Path | None = None) -> None:
    """Raises InputError for a file that is no regular one, or that holds what SQLite would run when it is opened by us
    and written to: views but ours, triggers, virtual tables, computed columns. `source` is what it came in."""
    check_file(path)
    with database_errors(path), closing(read_only(path)) as connection, in_time(connection, path):
        connection.execute("PRAGMA trusted_schema = OFF")
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall():
            if kind == "view" and sql in VIEWS.get(name, ()):
                continue
            computed = kind == "table" and _is_computed(connection, name)
            if kind not in ("table", "index") or computed or str(sql or "").upper().startswith("CREATE VIRTUAL"):
                what = "computed columns in" if computed else f"a {kind}," if kind != "table" else "a virtual table,"
                raise InputError(
                    f"{source or path}: holds {what} {name!r:.60}, which no file of mtpa does; ask for a new one"
                )


def _is_computed(connection: sqlite3.Connection, table: str) -> bool:
    rows = connection.execute("SELECT hidden FROM pragma_table_xinfo(?)", (table,))
    return any(hidden in (2, 3) for (hidden,) in rows)


@contextmanager
def in_time(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """What the connection does inside ends: a statement that runs for longer than a file of this size can take is
    stopped. Raises InputError then."""
    size = path.stat().st_size if path.exists() else 0
    deadline = time.monotonic() + _LEAST + size * _PER_BYTE
    connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        seconds = _LEAST + size * _PER_BYTE
        raise InputError(f"{path}: not read after {seconds:,.0f} seconds; ask for a new file") from None
    finally:
        connection.set_progress_handler(None, 0)
