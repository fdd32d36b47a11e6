"""Rows that many others refer to: registered by the hash of their content, written and selected many at a time."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from personas.traits import Trait, catalogue
from runner.backends.request import digest
from runner.store.database import transaction

ROWS_A_STATEMENT = 256


def insert(
    connection: sqlite3.Connection,
    verb: str,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    conflict: str = "",
) -> None:
    """Many rows in few statements: SQLite works outside the interpreter's lock for the length of a statement.

    Their numbers of rows are powers of two, so that the same few statements come again, which are prepared once.
    """
    head = f"{verb} INTO {table} ({', '.join(columns)}) VALUES "
    one, start = f"({', '.join('?' * len(columns))})", 0
    while left := len(rows) - start:
        count = min(ROWS_A_STATEMENT, 1 << (left.bit_length() - 1))
        values = [value for row in rows[start : start + count] for value in row]
        connection.execute(f"{head}{', '.join([one] * count)} {conflict}", values)
        start += count


def register(
    connection: sqlite3.Connection, table: str, records: Sequence[Mapping[str, Any]], mutable: Sequence[str] = ()
) -> list[int]:
    """The ids of these records; a record that is not there yet, by the hash of its content, is inserted.

    Columns in `mutable` are not part of the content: they take the newest value.
    """
    if not records:
        return []
    shas = [digest({name: value for name, value in record.items() if name not in mutable}) for record in records]
    rows = [(sha, *map(_cell, record.values())) for sha, record in zip(shas, records, strict=True)]
    update = ", ".join(f"{name} = excluded.{name}" for name in mutable)
    conflict = f"ON CONFLICT (sha) DO UPDATE SET {update}" if mutable else "ON CONFLICT (sha) DO NOTHING"
    with transaction(connection):
        insert(connection, "INSERT", table, ["sha", *records[0]], rows, conflict)
    ids = dict(connection.execute(f"SELECT sha, id FROM {table}"))
    return [ids[sha] for sha in shas]


def _cell(value: Any) -> Any:
    return json.dumps(value, sort_keys=True, ensure_ascii=False) if isinstance(value, dict | list | tuple) else value


def select_many(
    connection: sqlite3.Connection, sql: str, values: Iterable[Any], before: Sequence[Any] = ()
) -> Iterator[tuple[Any, ...]]:
    """Rows of a query whose `{}` is an IN list, for any number of values: sorted, and 500 at a time."""
    ordered = sorted(values)
    for start in range(0, len(ordered), 500):
        part = ordered[start : start + 500]
        yield from connection.execute(sql.format(",".join("?" * len(part))), [*before, *part])


def text_ids(connection: sqlite3.Connection, texts: Iterable[str], known: dict[bytes, int]) -> dict[str, int]:
    """Text → id; each distinct text is stored once, and "" is 0. `known` (sha → id) is added to."""
    shas = {text: digest(text) for text in texts if text}
    fresh = {sha: text for text, sha in shas.items() if sha not in known}
    if fresh:
        insert(connection, "INSERT OR IGNORE", "text", ("sha", "text"), list(fresh.items()))
        rows = select_many(connection, "SELECT sha, id FROM text WHERE sha IN ({})", fresh)
        known.update({bytes(sha): row for sha, row in rows})
    return {text: known[sha] for text, sha in shas.items()} | {"": 0}


def keep_labels(
    connection: sqlite3.Connection, traits: Mapping[str, Trait], answers: Iterable[Mapping[str, int]]
) -> None:
    """Keep what the codes of respondents' answers mean, which the rows of personas do not say."""
    pairs = {pair for each in answers for pair in each.items()}
    labels = [(name, str(code), traits[name].label(code)) for name, code in sorted(pairs) if name in traits]
    rows = [row for row in labels if row[1] != row[2]]
    with transaction(connection):
        insert(connection, "INSERT OR REPLACE", "trait_label", ("trait", "code", "label"), rows)


def trait_labels(connection: sqlite3.Connection) -> dict[str, dict[str, str]]:
    """What each trait's codes mean, as the file has it; in a file from before it had, what the catalogue says."""
    core = catalogue().traits.items()
    found = {name: {str(code): label for code, label in trait.labels.items()} for name, trait in core if trait.labels}
    for name, code, label in connection.execute("SELECT trait, code, label FROM trait_label"):
        found.setdefault(name, {})[code] = label
    return found
