"""What a file no longer needs: rows that its study does not ask for any more, and the space that they left."""

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from personas.errors import MachineError
from runner.store.database import database_errors, file_size, opened, transaction
from runner.store.leases import refuse_open_jobs, refuse_running
from runner.store.runs import NAMED, SELECTED, choose, last_run


@dataclass(frozen=True)
class Pruned:
    """Rows that go, by table, and what their answers cost (micro-dollars)."""

    rows: dict[str, int]
    micro_usd: int

    @property
    def total(self) -> int:
        """All rows."""
        return sum(self.rows.values())


_ANSWERED = """EXISTS (SELECT 1 FROM score AS s WHERE s.model = failure.model AND s.persona = failure.persona
    AND s.variant = failure.variant AND s.item = failure.item AND s.rotation = failure.rotation
    AND s.replicate = failure.replicate)"""
# Judges' answers have no score of their own, and no link to what they judged: they stay.
_ASKED = """SELECT DISTINCT model FROM score EXCEPT SELECT m.id FROM model AS m
    JOIN (SELECT DISTINCT scorer FROM score) ON substr(scorer, -length(m.name) - 1) = ':' || m.name"""
_ORPHANS = "model IN (SELECT id FROM temp.asked) AND id NOT IN (SELECT completion FROM score)"
_UNREAD = " AND ".join(
    f"id NOT IN (SELECT {name} FROM completion)" for name in ("persona_text", "item_text", "system_text")
)


def prune(path: Path, delete: bool = False) -> Pruned:
    """The rows that the file's last run did not select, and failures answered since; deleted if `delete`.

    Answers go where no score is of them any more; runs, spending and what judges answered stay. Raises InputError or
    MachineError, also while a run is on.
    """
    with opened(path) as connection, transaction(connection, undo=not delete):
        refuse_running(connection, path)
        refuse_open_jobs(connection, path)
        return _prune(connection)


def _prune(connection: sqlite3.Connection) -> Pruned:
    runs = last_run(connection)
    if not runs:
        return Pruned({}, 0)
    choose(connection, runs[0].selection)
    connection.execute(f"CREATE TEMP TABLE asked AS SELECT model AS id FROM ({_ASKED})")
    rows = {"score": _delete(connection, "score", f"NOT ({SELECTED})")}
    (cost,) = connection.execute(f"SELECT coalesce(sum(micro_usd), 0) FROM completion WHERE {_ORPHANS}").fetchone()
    rows["completion"] = _delete(connection, "completion", _ORPHANS)
    rows["failure"] = _delete(connection, "failure", f"NOT ({SELECTED}) OR {_ANSWERED}")
    rows["text"] = _delete(connection, "text", _UNREAD)
    for name in NAMED:
        unused = (
            f"id NOT IN (SELECT id FROM temp.chosen WHERE kind = '{name}') AND id NOT IN (SELECT {name} FROM score)"
        )
        kept = (
            " AND id NOT IN (SELECT model FROM completion UNION SELECT model FROM spend UNION SELECT model FROM job)"
            if name == "model"
            else ""
        )
        rows[name] = _delete(connection, name, unused + kept)
    connection.execute("DELETE FROM drawn_round WHERE model NOT IN (SELECT id FROM model)")
    connection.execute("DELETE FROM lease")
    return Pruned({name: count for name, count in rows.items() if count}, int(cost))


def _delete(connection: sqlite3.Connection, table: str, where: str) -> int:
    return connection.execute(f"DELETE FROM main.{table} WHERE {where}").rowcount


def vacuum(path: Path) -> tuple[int, int]:
    """Rewrite the file without the space that deleted rows left; its bytes before and after.

    Raises InputError or MachineError, also while a run is on or where the disk has no room for the copy.
    """
    with opened(path) as connection:
        refuse_running(connection, path)
        before, free = file_size(path), shutil.disk_usage(path.parent).free
        if free < 2 * before:
            raise MachineError(
                f"{path}: the copy that vacuum makes needs up to {2 * before / 1e6:,.0f} MB, and the disk has "
                f"{free / 1e6:,.0f} MB; free some space first"
            )
        with database_errors(path):
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return before, file_size(path)
