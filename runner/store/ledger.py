"""The ledger behind a budget: what is spent of a cap, what is held, and what is left, over every run of the file.

What a killed run had reserved stays held: nobody knows what its last requests cost. A person who has looked, such as at
the provider's bill, may release it. Where the provider reports what the key was charged since the run began, that less
what is settled since then is the most that they cost: others who use the key only add to it.
"""

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from personas.errors import InputError, MachineError
from runner.backends.keys import Account
from runner.store.database import database_errors, last_run_row, now, opened, transaction
from runner.store.leases import refuse_running

MOST = 10**15  # micro-dollars that a row may name
_AMOUNTS = (
    ("spend", "reserved_micro_usd"),
    ("spend", "settled_micro_usd"),
    ("spend", "estimated_micro_usd"),
    ("job", "reserved_micro_usd"),
    ("job", "settled_micro_usd"),
    ("released", "micro_usd"),
    ("completion", "micro_usd"),
)
POSTED = timedelta(minutes=15)  # after which a killed run's last requests are answered, and on the provider's account
Usage = Mapping[Account, float]  # dollars


class Held(NamedTuple):
    """What a run has reserved of a model and not settled, and the most of it that was spent (micro-dollars).

    By what the provider says of the key; None where it says nothing.
    """

    run: int
    started: str
    model: str
    micro_usd: int
    spent: int | None = None


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


def note_usage(connection: sqlite3.Connection, run: int, models: Iterable[tuple[int, Account, float]]) -> None:
    """Keep what the keys of a run's models had been charged (dollars) before it sent anything."""
    rows = [(run, model, *account, now(), math.floor(dollars * 1e6)) for model, account, dollars in models]
    sql = "INSERT INTO key_usage (process, model, origin, mark, at, micro_usd) VALUES (?, ?, ?, ?, ?, ?)"
    connection.executemany(sql, rows)


def held(connection: sqlite3.Connection, usage: Usage | None = None) -> list[Held]:
    """What runs hold of the caps; `usage` is what the keys have been charged by now."""
    sql = (
        "SELECT spend.process, coalesce(run.started, ''), coalesce(model.name, ''), reserved_micro_usd, spend.model "
        "FROM spend LEFT JOIN run ON run.id = spend.process LEFT JOIN model ON model.id = spend.model "
        "WHERE reserved_micro_usd > 0 ORDER BY spend.process, spend.model"
    )
    spent: dict[tuple[int, int], int] = {}
    for account, dollars in (usage or {}).items():
        spent |= _spent(connection, account, dollars)
    rows = connection.execute(sql).fetchall()
    return [Held(run, at, name, amount, spent.get((run, model))) for run, at, name, amount, model in rows]


def _spent(connection: sqlite3.Connection, account: Account, dollars: float) -> dict[tuple[int, int], int]:
    """The most of what is held that was spent, by run and model: none where the account cannot tell yet, or never."""
    rows = "FROM spend JOIN key_usage USING (process, model) WHERE origin = ? AND mark = ?"
    columns = "process, model, reserved_micro_usd, micro_usd, (SELECT heartbeat FROM run WHERE id = process)"
    sql = f"SELECT {columns} {rows} AND reserved_micro_usd > 0 ORDER BY process, model"
    found = connection.execute(sql, account).fetchall()
    if not found or any(_is_recent(beat) for *_, beat in found):
        return {}
    first, before = found[0][0], min(row[3] for row in found if row[0] == found[0][0])
    # a run that began earlier may have settled before, too: that is not taken off
    sql = f"SELECT sum(settled_micro_usd) {rows} AND process >= ?"
    (settled,) = connection.execute(sql, (*account, first)).fetchone()
    risen = math.ceil(dollars * 1e6) - before
    if risen < 0:  # the provider has given something back, or counts anew
        return {}
    left, spent = max(0, risen - settled), {}
    for run, model, reserved, *_ in found:
        spent[run, model] = min(reserved, left)
        left -= spent[run, model]
    return spent


def _is_recent(beat: str | None) -> bool:
    """Whether a run was heard of within `POSTED`; one that was never heard of sent nothing to wait for."""
    at = json.loads(beat or "{}").get("at")
    return bool(at) and datetime.now(UTC) - datetime.fromisoformat(at) < POSTED


def release(path: Path, usage: Usage | None = None, last_run: int | None = None) -> list[Held]:
    """Let go of what killed runs hold of the caps, and note the day; returns what that was.

    What the `usage` of the keys covers is settled by it, as an estimate. `last_run` is the run after which it was
    read. Raises MachineError while a run is on, whose requests are in flight, or where another began meanwhile.
    """
    with opened(path) as connection:
        with database_errors(path), transaction(connection):
            refuse_running(connection, path)
            if usage and last_run != newest_run(connection):
                raise MachineError(f"{path}: a run began meanwhile; look again")
            found = held(connection, usage)
            _settle(connection, usage or {})
            columns = "process, model, at, micro_usd"
            rows = "SELECT process, model, ?, reserved_micro_usd FROM spend WHERE reserved_micro_usd > 0"
            connection.execute(f"INSERT INTO released ({columns}) {rows}", (now(),))
            connection.execute("UPDATE spend SET reserved_micro_usd = 0")
        return found


def newest_run(connection: sqlite3.Connection) -> int:
    """The number of the last run; 0 before the first."""
    return int((last_run_row(connection, "id") or (0,))[0])


def _settle(connection: sqlite3.Connection, usage: Usage) -> None:
    """Count as spent, and as an estimate, what the usage of the keys leaves open of what is held; free the rest."""
    where = "WHERE process = ? AND model = ?"
    for account, dollars in usage.items():
        for place, spent in _spent(connection, account, dollars).items():
            sql = f"SELECT reserved_micro_usd FROM spend {where}"
            (reserved,) = connection.execute(sql, place).fetchone()
            sql = "read_at = ?, counted_micro_usd = counted_micro_usd + ?, freed_micro_usd = freed_micro_usd + ?"
            connection.execute(f"UPDATE key_usage SET {sql} {where}", (now(), spent, reserved - spent, *place))
            sql = "reserved_micro_usd = 0, settled_micro_usd = settled_micro_usd + ?, "
            sql += f"estimated_micro_usd = estimated_micro_usd + ? {where}"
            connection.execute(f"UPDATE spend SET {sql}", (spent, spent, *place))


def accepted(connection: sqlite3.Connection) -> list[str]:
    """What was released, in words, by day."""
    sql = "SELECT substr(at, 1, 10), sum(micro_usd) FROM released GROUP BY 1 ORDER BY 1"
    return [f"up to ${usd / 1e6:.4f} of unknown cost, accepted on {day}" for day, usd in connection.execute(sql)]


def by_usage(connection: sqlite3.Connection) -> list[str]:
    """What killed runs held and the usage of the keys told of, in words, by day."""
    sums = "sum(counted_micro_usd), sum(freed_micro_usd)"
    sql = f"SELECT substr(read_at, 1, 10), origin, {sums} FROM key_usage WHERE read_at != '' GROUP BY 1, 2"
    return [
        f"of what killed runs held, ${spent / 1e6:.4f} was counted as spent and ${freed / 1e6:.4f} freed on {day}, by "
        f"what {origin} had charged the key"
        for day, origin, spent, freed in connection.execute(f"{sql} ORDER BY 1, 2")
    ]


def cap_remarks(connection: sqlite3.Connection, run: int) -> list[str]:
    """What a cap that is reached holds or leaves out beside what was spent; sentences without their full stop.

    What `run`, which is still on, has reserved is settled as it ends.
    """
    total = sum(each.micro_usd for each in held(connection) if each.run != run)
    found = []
    if total:
        found.append(
            f"${total / 1e6:.4f} of the budget is held for requests of runs that were killed; if the provider's bill "
            "says that they cost less, `mtpa-run data release` frees it"
        )
    return found + [f"The budget does not count {words}" for words in accepted(connection)]
