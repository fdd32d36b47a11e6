"""A database from elsewhere is data.

Nothing in it runs, reading it ends, and what it holds is of the kind that mtpa writes there.
"""

import functools
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

from migrations.views import KNOWN
from personas.bounded import check_file, parse_json
from personas.errors import InputError, MtpaError
from runner.store.database import database_errors, read_only
from scoring.answers.items import Item

_STEPS = 50_000  # of SQLite's machine between two looks at the clock
_LEAST = 120.0  # seconds
_PER_BYTE = 2e-6  # seconds: slower than any disk
P = ParamSpec("P")
T = TypeVar("T")
Numbers = list[Annotated[int, Field(ge=0, lt=1 << 31)]]
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Chance = Annotated[float, Field(gt=0, le=1)]


class _Deal(BaseModel):
    per_person: Count
    groups: list[Numbers]
    starts: list[tuple[Count, Count]]
    variants: Numbers
    models: Numbers | None = None


class _Profiles(BaseModel):
    name: str
    traits: list[str]
    told: Count
    count: Annotated[int, Field(ge=1, le=16)]
    seed: int
    items: list[tuple[Count, Numbers]]
    people: list[tuple[Count, list[tuple[Count, Numbers]]]]


class _Selection(BaseModel):
    models: Numbers
    items: Numbers
    personas: Numbers
    variants: Numbers
    here: Numbers | None = None
    shard: tuple[Count, Count] | None = None
    deals: list[_Deal] | None = None
    profiles: list[_Profiles] | None = None


class _Planned(BaseModel):
    model: str
    benchmark: str
    trials: Count
    spared: Count
    shard: tuple[Count, Count] | None = None


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")
    model: str
    benchmark: str
    planned: Count
    hits: Count
    answered: Count
    failed: Count
    unparsed: Count
    effect: float | None
    spared: Count | None = None


class _Failures(BaseModel):
    model: str
    kind: str
    count: Count


class _Heartbeat(BaseModel):
    at: AwareDatetime | None = None
    sent: Count | None = None
    in_flight: Count | None = None
    micro_usd: Count | None = None
    estimated_micro_usd: Count | None = None
    rows: list[_Row] | None = None
    failures: list[_Failures] | None = None
    last_failure: dict[str, str] | None = None
    stopped: dict[str, str] | None = None
    targets: dict[str, str] | None = None
    limits: dict[str, dict[str, Any]] | None = None
    remarks: list[str] | None = None


class _Remarked(BaseModel):
    remarks: list[str]


class _Registered(BaseModel):
    model_config = ConfigDict(extra="allow")
    study: dict[str, Any]
    benchmarks: dict[str, dict[str, Any]]
    asked: list[dict[str, Any]]
    models: dict[str, dict[str, Any]]
    people: dict[str, Any]
    families: dict[str, Any]
    personas: dict[str, Any]
    variants: dict[str, Any]
    fidelity: dict[str, Any] | None
    target: dict[str, Any] | None
    robustness: dict[str, Any]
    gate: dict[str, Any] | None
    report: dict[str, Any]


_JSON: Mapping[tuple[str, str], Any] = {
    ("run", "selection"): _Selection,
    ("registration", "document"): _Registered,
    ("run", "planned"): list[_Planned],
    ("run", "heartbeat"): _Heartbeat,
    ("run", "packages"): dict[str, str],
    ("model", "parameters"): dict[str, Any],
    ("model", "exactness"): dict[str, Any],
    ("model", "methods"): dict[str, Any],
    ("model", "resolved"): dict[str, _Remarked],
    ("item", "record"): Item,
    ("persona", "answers"): dict[str, Any],
    ("persona", "subgroups"): dict[str, str],
    ("variant", "traits"): list[str],
    ("drawn_round", "cells"): dict[str, dict[str, Chance]],
}
_READ = {"ask", "scoring", "weights", "context", "choices", "meta", "target_trait", "roles", "ordinals"}
_STORED = {"INTEGER": ("integer",), "TEXT": ("text",), "REAL": ("real", "integer"), "BLOB": ("blob",)}
_ABOUT = re.compile(r"^(?:\w+\()?(\w+)")  # the column that a condition begins with
_SMALL = "NOT BETWEEN 0 AND 65535"
_TRIAL = ("model", "item", "persona", "variant")
_REFERS = {
    "score": (*_TRIAL, "completion"),
    "failure": _TRIAL,
    **dict.fromkeys(("completion", "drawn_round"), ("model",)),
}
_NOBODY = ("persona", "variant")  # of which 0 is none
_CHOICES = "SELECT asked.id, choice.key FROM item AS asked, json_each(asked.record, '$.choices') AS choice"
# table → what no row of it is, as SQL
_NEVER = {
    "score": (
        f"rotation {_SMALL}",
        f"replicate {_SMALL}",
        "status NOT IN ('ok', 'unparsed', 'refused', 'no probabilities', 'pending')",
        *(f"{name} NOT BETWEEN -1e300 AND 1e300" for name in ("value", "expected")),
        *(
            f"{name} IS NOT NULL AND (item, {name}) NOT IN ({_CHOICES})"
            for name in ("chosen_by_text", "chosen_by_probability")
        ),
    ),
    "failure": (f"rotation {_SMALL}", f"replicate {_SMALL}"),
    "completion": (
        "length(letters) % 4",
        *(f"{name}_tokens NOT BETWEEN 0 AND 1 << 40" for name in ("prompt", "completion", "reasoning", "cached")),
        "latency_ms NOT BETWEEN 0 AND 1 << 40",
        *(f"{name}_text != 0 AND {name}_text NOT IN (SELECT id FROM text)" for name in ("persona", "item", "system")),
    ),
    "persona": ("weight NOT BETWEEN 0 AND 1e300",),
    "run": (
        "seed NOT BETWEEN -1 << 62 AND 1 << 62",
        "ended NOT NULL AND datetime(ended) IS NULL",
    ),
    "drawn_round": ("planned NOT BETWEEN 1 AND 64", "number NOT BETWEEN 1 AND planned"),
    **dict.fromkeys(("model", "item", "variant"), ("id NOT BETWEEN 1 AND (1 << 31) - 1",)),
}


def refuse_code(path: Path, source: Path | None = None) -> None:
    """Raises InputError for a file that is not regular, or that holds what SQLite would run.

    As the file is opened and written, it would run: views but ours, triggers, virtual tables, computed columns.
    `source` is what the file came in.
    """
    check_file(path)
    with database_errors(path), closing(read_only(path)) as connection, in_time(connection, path):
        connection.execute("PRAGMA trusted_schema = OFF")
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall():
            if kind == "view" and sql in KNOWN.get(name, ()):
                continue
            computed = kind == "table" and _is_computed(connection, name)
            if kind not in ("table", "index") or computed or str(sql or "").upper().startswith("CREATE VIRTUAL"):
                what = "computed columns in" if computed else f"a {kind}," if kind != "table" else "a virtual table,"
                raise InputError(
                    f"{source or path}: holds {what} {name!r:.60}, which no file of mtpa does; ask for a new one"
                )


def refuse_odd_contents(connection: sqlite3.Connection, path: Path) -> None:
    """Raises InputError for a file whose rows hold what mtpa never writes.

    Values of another type, text that is not text, JSON of another shape, numbers out of range, rows that refer to
    nothing.
    """
    with database_errors(path):
        for table, columns in _columns().items():
            wrong = [*(f"typeof({name}) NOT IN ({stored})" for name, stored in columns.items()), *_dangling(table)]
            wrong += _NEVER.get(table, ())
            for test in wrong:
                if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {test})").fetchone()[0]:
                    raise _odd(path, table, _ABOUT.findall(test)[0])
            texts = [name for name, stored in columns.items() if "text" in stored]
            for name in texts:
                _check_texts(connection, path, table, name)


def _columns() -> dict[str, dict[str, str]]:
    """Every table's columns, and what SQLite calls the types that may stand there, as SQL."""
    import sqlite_utils  # takes pandas with it

    from migrations.steps import schema

    fresh = sqlite_utils.Database(memory=True)
    schema.apply(fresh)
    found: dict[str, dict[str, str]] = {}
    for table in fresh.table_names():
        rows = [] if table.startswith(("_", "sqlite")) else fresh.execute(f"PRAGMA table_info({table})").fetchall()
        for _, name, kind, needed, _, key in rows:
            stored = (*_STORED[kind], *(() if needed or key else ("null",)))
            found.setdefault(table, {})[name] = ", ".join(f"'{each}'" for each in stored)
    return found


def _dangling(table: str) -> Iterator[str]:
    for name in _REFERS.get(table, ()):
        nobody = f"{name} != 0 AND " if name in _NOBODY else ""
        yield f"{nobody}{name} NOT IN (SELECT id FROM {name})"


def _check_texts(connection: sqlite3.Connection, path: Path, table: str, name: str) -> None:
    shape = _JSON.get((table, name))
    kind = None if shape is None else TypeAdapter(shape)
    rows = connection.execute(f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL")
    try:
        for (text,) in rows:
            if kind is not None:
                value = parse_json(text)
                kind.validate_python(value)
                if shape is Item and not value.keys() >= _READ:
                    raise ValueError("a record of an item without all that is read of it")
    except (sqlite3.OperationalError, ValueError, TypeError) as error:
        if isinstance(error, sqlite3.OperationalError) and "UTF-8" not in str(error):
            raise
        raise _odd(path, table, name) from None


def _odd(path: Path, table: str, name: str) -> InputError:
    return InputError(
        f"{path}: its table {table!r} holds what mtpa never writes there ({name}); restore the file "
        "from a copy, or ask for a new one"
    )


@contextmanager
def reading_file(path: Path) -> Iterator[None]:
    """Where what is inside fails because of what the file holds, InputError says what is wrong with the file."""
    try:
        yield
    except MtpaError:
        raise
    except Exception:
        if path.exists():
            with database_errors(path), closing(read_only(path)) as connection:
                refuse_odd_contents(connection, path)
        raise


def reads_file(function: Callable[P, T]) -> Callable[P, T]:
    """Decorates a function whose first argument is a database's path: `reading_file`."""

    @functools.wraps(function)
    def reading(*arguments: P.args, **named: P.kwargs) -> T:
        with reading_file(Path(str([*arguments, *named.values()][0]))):
            return function(*arguments, **named)

    return reading


def _is_computed(connection: sqlite3.Connection, table: str) -> bool:
    rows = connection.execute("SELECT hidden FROM pragma_table_xinfo(?)", (table,))
    return any(hidden in (2, 3) for (hidden,) in rows)


@contextmanager
def in_time(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Puts a bound on the time of every statement that runs on the connection inside.

    A statement that runs for longer than a file of this size can take is stopped. Raises InputError then.
    """
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
