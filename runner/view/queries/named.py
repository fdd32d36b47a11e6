"""The trials of a file that ITEM@PERSONA names."""

import sqlite3

from personas.errors import InputError, nearest
from runner.view.queries.chosen import BASELINE
from runner.view.queries.trial_table import Place

_COLUMNS = "model, persona, variant, item, rotation, replicate"
_SQL = f"""
SELECT {_COLUMNS} FROM ({{}}) AS t WHERE item IN (SELECT id FROM item WHERE item_id = :item) AND persona = :persona
AND (:model IS NULL OR model IN (SELECT id FROM model WHERE name = :model))
AND (:rotation IS NULL OR rotation = :rotation) AND (:replicate IS NULL OR replicate = :replicate)
"""
_TABLES = (f"SELECT {_COLUMNS} FROM score", f"SELECT {_COLUMNS} FROM failure")


def places(
    connection: sqlite3.Connection, named: str, model: str | None, rotation: int | None, replicate: int | None
) -> list[Place]:
    """The trials of ITEM@PERSONA, or of the baseline where only ITEM is named.

    Answered ones, else failed ones, in the order of asking. Raises InputError where the file has none.
    """
    item, _, persona = named.partition("@")
    number = _persona(connection, persona)
    values = {"item": item, "persona": number, "model": model, "rotation": rotation, "replicate": replicate}
    for table in _TABLES:
        rows = connection.execute(f"{_SQL.format(table)} ORDER BY {_COLUMNS}", values).fetchall()
        if rows:
            return list(dict.fromkeys(Place(*row) for row in rows))
    known = [name for (name,) in connection.execute("SELECT item_id FROM item")]
    if item not in known:
        raise InputError(f"no item of this file is {item!r}; {_like(item, known)}")
    raise InputError(f"{named}: not asked yet in this file; leave --model, --rotation and --replicate out, or run it")


def _persona(connection: sqlite3.Connection, name: str) -> int:
    if name in ("", BASELINE):
        return 0
    row = connection.execute("SELECT id FROM persona WHERE persona_id = ? ORDER BY id DESC LIMIT 1", (name,)).fetchone()
    if row is None:
        known = [each for (each,) in connection.execute("SELECT persona_id FROM persona")]
        raise InputError(f"no persona of this file is {name!r}; {_like(name, known)}")
    return int(row[0])


def _like(name: str, known: list[str]) -> str:
    """A remedy that does not list thousands of names."""
    return nearest(name, known) if len(known) < 20 else f"one is {known[0]!r}"
