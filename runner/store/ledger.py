"""The ledger behind a budget: what is spent of a cap, what is held, and what is left, over every run of the file.

What a killed run had reserved stays held: nobody knows what its last requests cost. A person who has looked, such as at
the provider's bill, may release it.
"""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from personas.errors import InputError
from runner.store.database import database_errors, now, opened, transaction
from runner.store.leases import refuse_running

MOST = 10**15  # micro-dollars that a row may name
_AMOUNTS = (
    ("spend", "reserved_micro_usd"),
    ("spend", "settled_micro_usd"),
    ("job", "reserved_micro_usd"),
    ("job", "settled_micro_usd"),
    ("released", "micro_usd"),
    ("completion", "micro_usd"),
)


class Held(NamedTuple):
    """What a run has reserved of a model and not settled (micro-dollars)."""

    run: int
    started: str
    model: str
    micro_usd: int


def room_left(connection: sqlite3.Connection, model: int, study_cap: int | None, model_cap: int | None) -> int:
    """What the caps leave after all that is spent and reserved, live and in jobs; call it inside a transaction."""
    amounts = "SELECT model, max(0, reserved_micro_usd) + max(0, settled_micro_usd) AS amount FROM"
    spent = f"SELECT coalesce(sum(amount), 0) FROM ({amounts} spend UNION ALL {amounts} job)"
    (everything,) = connection.execute(spent).fetchone()
    (of_model,) = connection.execute(f"{spent} WHERE model = ?", (model,)).fetchone()
    rooms = [cap - used for cap, used in ((study_cap, everything), (model_cap, of_model)) if cap is not None]
    return int(max(0, min(rooms)))


def refuse_false_amounts(connection: sqlite3.Connection, path: Path) -> None:
    """Raises InputError for a file from elsewhere whose amounts cannot be: a negative one would make room in a cap."""
    for table, column in _AMOUNTS:
        wrong = f"typeof({column}) != 'integer' OR {column} NOT BETWEEN 0 AND {MOST}"
        (count,) = connection.execute(f"SELECT count(*) FROM {table} WHERE {wrong}").fetchone()
        if count:
            raise InputError(
                f"{path}: {count:,} amounts in {table}.{column} cannot be; ask for the file as mtpa left it"
            )


def forget_agreements(connection: sqlite3.Connection) -> None:
    """Drop the acknowledgements of a file from elsewhere: they are for whoever sends the answers to give."""
    connection.execute("DELETE FROM acknowledgement")


def held(connection: sqlite3.Connection) -> list[Held]:
    """What runs hold of the caps."""
    sql = (
        "SELECT spend.process, coalesce(run.started, ''), coalesce(model.name, ''), reserved_micro_usd FROM spend "
        "LEFT JOIN run ON run.id = spend.process LEFT JOIN model ON model.id = spend.model "
        "WHERE reserved_micro_usd > 0 ORDER BY spend.process, spend.model"
    )
    return [Held(*row) for row in connection.execute(sql)]


def release(path: Path) -> list[Held]:
    """Let go of what killed runs hold of the caps, and note the day; returns what that was.

    Raises MachineError while a run is on: what it holds is in flight.
    """
    with opened(path) as connection:
        with database_errors(path), transaction(connection):
            refuse_running(connection, path)
            found = held(connection)
            columns = "process, model, at, micro_usd"
            rows = "SELECT process, model, ?, reserved_micro_usd FROM spend WHERE reserved_micro_usd > 0"
            connection.execute(f"INSERT INTO released ({columns}) {rows}", (now(),))
            connection.execute("UPDATE spend SET reserved_micro_usd = 0")
        return found


def accepted(connection: sqlite3.Connection) -> list[str]:
    """What was released, in words, by day."""
    sql = "SELECT substr(at, 1, 10), sum(micro_usd) FROM released GROUP BY 1 ORDER BY 1"
    return [f"up to ${usd / 1e6:.4f} of unknown cost, accepted on {day}" for day, usd in connection.execute(sql)]


def beside_the_cap(connection: sqlite3.Connection) -> list[str]:
    """What a cap that is reached holds or leaves out beside what was spent; sentences without their full stop."""
    total = sum(each.micro_usd for each in held(connection))
    found = []
    if total:
        found.append(
            f"${total / 1e6:.4f} of the budget is held for requests of runs that were killed; if the provider's bill "
            "says that they cost less, `mtpa-run data release` frees it"
        )
    return found + [f"The budget does not count {words}" for words in accepted(connection)]
