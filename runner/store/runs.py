"""What the runs of a file selected, and what a report on several of them together is about."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

NAMED = ("model", "item", "persona", "variant")
SelectionRows = dict[str, list[int]]
RUNS = "SELECT id, heartbeat, study, code, packages, seed, started, selection, ended"
# What a report tells the rows of a table apart by: two rows that share it cannot stand in one report.
_LABELS: Mapping[str, str] = {
    "model": "name",
    "item": "benchmark || ' ' || part || ' ' || item_id",
    "persona": "persona_id",
    "variant": "format || ' ' || frame || ' ' || placement || ' ' || trait_order",
}


class LastRun(NamedTuple):
    """The run that a file's report is about."""

    study: str
    code: str
    packages: str
    seed: int
    started: str
    selection: SelectionRows
    ended: str | None

    @classmethod
    def read(cls, row: Sequence[Any]) -> "LastRun":
        """From the columns of `RUNS` after the id."""
        study, code, packages, seed, started, selection, ended = row
        return cls(study, code, packages, seed, started, json.loads(selection), ended)


def last_run(connection: sqlite3.Connection) -> list[LastRun]:
    """The last run of the file; none before the first."""
    rows = connection.execute(f"{RUNS} FROM main.run ORDER BY id DESC LIMIT 1").fetchall()
    return [LastRun.read(row) for _, _, *row in rows]


def add_run(connection: sqlite3.Connection, run: LastRun, heartbeat: str) -> int:
    """A row of `run`; returns its number."""
    row = run._replace(selection=json.dumps(run.selection))  # type: ignore[arg-type]
    sql = "INSERT INTO main.run (study, code, packages, seed, started, selection, ended, heartbeat) VALUES "
    return int(connection.execute(f"{sql}(?, ?, ?, ?, ?, ?, ?, ?)", (*row, heartbeat)).lastrowid or 0)


SELECTED = " AND ".join(
    f"({name} = 0 OR {name} IN (SELECT id FROM temp.chosen WHERE kind = '{name}'))" for name in NAMED
)


def choose(connection: sqlite3.Connection, selection: SelectionRows) -> None:
    """Put a selection into the table temp.chosen (kind, id), which the condition `SELECTED` of a trial's row reads."""
    chosen = [(name, number) for name in NAMED for number in selection.get(f"{name}s", [])]
    connection.execute("CREATE TEMP TABLE chosen (kind TEXT, id INTEGER, PRIMARY KEY (kind, id)) WITHOUT ROWID")
    sql = "INSERT INTO temp.chosen SELECT value ->> 0, value ->> 1 FROM json_each(?)"
    connection.execute(sql, (json.dumps(chosen),))


def same_rows(one: SelectionRows, other: SelectionRows) -> bool:
    """Whether two selections are of the same rows, and of the same shard."""
    names = [f"{table}s" for table in NAMED]
    same = (set(one.get(name, [])) == set(other.get(name, [])) for name in names)
    return _shard(one) == _shard(other) and all(same)


def select_together(connection: sqlite3.Connection, runs: Sequence[LastRun]) -> list[str]:
    """Have the file's report be about all of these runs: a row of `run` that selects what any of them did.

    Where two of them call different things by one name, the report is about the newest alone. Returns remarks.
    """
    if not runs:
        return []
    newest = max(runs, key=lambda run: (run.started, run.study))
    together: SelectionRows = {
        f"{table}s": sorted({number for run in runs for number in run.selection.get(f"{table}s", [])})
        for table in NAMED
    }
    remarks = _missing(connection, runs)
    if twice := _named_twice(connection, together):
        together = {name: rows for name, rows in newest.selection.items() if name != "shard"}
        remarks.append(
            f"the files describe {twice} in different ways, so the report is on the run of {newest.started} alone; "
            "run the study that you mean once more, which sends only what is new"
        )
    ended = max((run.ended for run in runs if run.ended), default=None)
    merged = newest._replace(selection={"shard": [1, 1], **together}, ended=ended)
    if not same_rows(last_run(connection)[0].selection, merged.selection):
        add_run(connection, merged, json.dumps({"merged": True}))
    return remarks


def _missing(connection: sqlite3.Connection, runs: Sequence[LastRun]) -> list[str]:
    """The shards, of as many as these runs are of, that the file has no run of."""
    there = {_shard(json.loads(selection)) for (selection,) in connection.execute("SELECT selection FROM main.run")}
    lines = []
    for count in sorted({count for _, count in map(_shard, (run.selection for run in runs))}):
        if absent := [f"{each}/{count}" for each in range(1, count + 1) if (each, count) not in there]:
            lines.append(f"not merged yet: part {', '.join(absent)}")
    return lines


def _shard(selection: SelectionRows) -> tuple[int, int]:
    number, count = selection.get("shard", [1, 1])
    return number, count


def _named_twice(connection: sqlite3.Connection, selection: SelectionRows) -> str:
    """A name that two selected rows share, such as "model 'gpt'"; "" where there is none."""
    for table, label in _LABELS.items():
        chosen = set(selection[f"{table}s"])
        seen: set[str] = set()
        for number, name in connection.execute(f"SELECT id, {label} FROM main.{table}"):
            if number in chosen and name in seen:
                return f"{table} {name!r}"
            if number in chosen:
                seen.add(name)
    return ""
