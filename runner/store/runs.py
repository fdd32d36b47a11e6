"""What the runs of a file selected, and what a report on several of them together is about."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from personas.people.draws import RULE
from runner.store.database import last_run_row, opened

NAMED = ("model", "item", "persona", "variant")
SelectionRows = dict[str, Any]
NOT_MERGED = "not merged yet"
RUNS = "id, heartbeat, study, code, packages, seed, started, selection, ended, sampling, planned, ending, prices"
# What a report tells the rows of a table apart by: two rows that share it cannot stand in one report.
_LABELS: Mapping[str, str] = {
    "model": "name",
    "item": "benchmark || ' ' || part || ' ' || item_id || ifnull(' ' || (record ->> '$.elicitation'), '')",
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
    sampling: int
    planned: str
    ending: str
    prices: str

    @classmethod
    def read(cls, row: Sequence[Any]) -> "LastRun":
        """From the values of `RUNS` after the heartbeat."""
        study, code, packages, seed, started, selection, *rest = row
        return cls(study, code, packages, seed, started, json.loads(selection), *rest)


def last_run(connection: sqlite3.Connection) -> list[LastRun]:
    """The last run of the file; none before the first."""
    row = last_run_row(connection, RUNS)
    return [LastRun.read(row[2:])] if row else []


def add_run(connection: sqlite3.Connection, run: LastRun, heartbeat: str) -> int:
    """A row of `run`; returns its number."""
    row = run._replace(selection=json.dumps(run.selection))  # type: ignore[arg-type]
    sql = f"INSERT INTO main.run ({', '.join(LastRun._fields)}, heartbeat) VALUES "
    return int(connection.execute(f"{sql}({', '.join('?' * (len(row) + 1))})", (*row, heartbeat)).lastrowid or 0)


def sampling_rule(database: Path, others: Iterable[Path] = ()) -> int:
    """The rule by which the people of a study are drawn: that of the last run in its file.

    Else in one of `others`, which are of the same study; the newest rule where there is none. Raises InputError or
    MachineError.
    """
    for path in (database, *others):
        if not path.exists() or path.stat().st_size == 0:
            continue
        with opened(path) as connection:
            row = last_run_row(connection, "sampling")
        if row:
            return int(row[0])
    return RULE


SELECTED = " AND ".join(
    f"({name} = 0 OR {name} IN (SELECT id FROM temp.chosen WHERE kind = '{name}'))" for name in NAMED
)


def choose(connection: sqlite3.Connection, selection: SelectionRows) -> None:
    """Put a selection into the table temp.chosen (kind, id), which the condition `SELECTED` of a trial's row reads."""
    chosen = [(name, number) for name in NAMED for number in set(selection.get(f"{name}s", []))]
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
    from runner.store.assigned.deals import all_deals  # takes pandas with it
    from runner.store.assigned.profile_rows import together as profiles_together

    if deals := all_deals([run.selection for run in runs]):
        together["deals"] = deals
    if profiles := profiles_together([run.selection for run in runs]):
        together["profiles"] = profiles
    if twice := _named_twice(connection, together):
        together = {name: rows for name, rows in newest.selection.items() if name != "shard"}
        remarks.append(
            f"the files describe {twice} in different ways, so the report is on the run of {newest.started} alone; "
            "run the study that you mean once more, which sends only what is new"
        )
    ended = max((run.ended for run in runs if run.ended), default=None)
    planned = _planned_by_all(runs)
    missing = "; ".join(remark for remark in remarks if remark.startswith(NOT_MERGED))
    # a merge that lacked a part ended for that alone, and the part may be here now
    endings = {run.started: run.ending for run in runs if not run.ending.startswith(NOT_MERGED)}
    prices = " and ".join(dict.fromkeys(run.prices for run in runs if run.prices))
    merged = newest._replace(
        selection={"shard": [1, 1], **together},
        ended=ended,
        planned=planned,
        ending=missing or endings.get(max(endings, default=""), ""),
        prices=prices,
    )
    last = last_run(connection)[0]
    if not same_rows(last.selection, merged.selection) or last.planned != merged.planned:
        add_run(connection, merged, json.dumps({"merged": True}))
    return remarks


def _missing(connection: sqlite3.Connection, runs: Sequence[LastRun]) -> list[str]:
    """The shards, of as many as these runs are of, that the file has no run of."""
    there = {_shard(json.loads(selection)) for (selection,) in connection.execute("SELECT selection FROM main.run")}
    lines = []
    for count in sorted({count for _, count in map(_shard, (run.selection for run in runs))}):
        if absent := [f"{each}/{count}" for each in range(1, count + 1) if (each, count) not in there]:
            lines.append(f"{NOT_MERGED}: part {', '.join(absent)}")
    return lines


def _planned_by_all(runs: Sequence[LastRun]) -> str:
    """What the runs planned, shard by shard, the newest for each model and benchmark; a whole study's stands alone."""
    found: dict[tuple[str, str], dict[tuple[int, int], dict[str, Any]]] = {}
    for run in sorted(runs, key=lambda run: run.started):
        for row in json.loads(run.planned):
            number, count = row.get("shard", _shard(run.selection))
            of_shard = found.setdefault((row["model"], row["benchmark"]), {})
            of_shard[number, count] = {**row, "shard": [number, count]}
    rows = [[shards[1, 1]] if (1, 1) in shards else list(shards.values()) for shards in found.values()]
    return json.dumps([row for each in rows for row in each])


def _shard(selection: SelectionRows) -> tuple[int, int]:
    number, count = selection.get("shard", [1, 1])
    return number, count


def _named_twice(connection: sqlite3.Connection, selection: SelectionRows) -> str:
    """A name that two selected rows share, such as "model 'gpt'"; "" where there is none."""
    for table, label in _LABELS.items():
        if table == "variant" and selection.get("profiles"):
            label = f"{label} || ' ' || traits"  # one wording has many texts
        chosen = set(selection[f"{table}s"])
        seen: set[str] = set()
        for number, name in connection.execute(f"SELECT id, {label} FROM main.{table}"):
            if number in chosen and name in seen:
                return f"{table} {name!r}"
            if number in chosen:
                seen.add(name)
    return ""


class Registration(NamedTuple):
    """What was registered before the first request: when (UTC), its SHA-256, and the canonical JSON that it is of."""

    at: str
    sha256: str
    document: str


def registered(connection: sqlite3.Connection, schema: str = "main") -> Registration | None:
    """The registration of the file, or of the one attached as `schema`, if it has one."""
    row = connection.execute(f"SELECT at, sha256, document FROM {schema}.registration").fetchone()
    return Registration(*row) if row else None


def add_registration(connection: sqlite3.Connection, entry: Registration) -> None:
    """Keep the file's registration, which has none yet."""
    connection.execute("INSERT INTO main.registration (at, sha256, document) VALUES (?, ?, ?)", entry)


def is_answered(connection: sqlite3.Connection) -> bool:
    """Whether any answer is in the file, or on its way in a job at a provider."""
    sql = " OR ".join(f"EXISTS (SELECT 1 FROM main.{table})" for table in ("completion", "score", "job"))
    sql = f"SELECT {sql}"
    return bool(connection.execute(sql).fetchone()[0])


def selected_people(connection: sqlite3.Connection, selection: SelectionRows) -> list[str]:
    """The ids of the personas of a selection."""
    sql = "SELECT persona_id FROM main.persona WHERE id IN (SELECT value FROM json_each(?))"
    return [name for (name,) in connection.execute(sql, (json.dumps(selection["personas"]),))]


def selected_items(connection: sqlite3.Connection, selection: SelectionRows) -> list[tuple[str, str, str, str]]:
    """Benchmark, part, way of asking ("letter" if not said) and SHA of every item of a selection."""
    sql = (
        "SELECT benchmark, part, ifnull(record ->> '$.elicitation', 'letter'), hex(sha) FROM main.item "
        "WHERE id IN (SELECT value FROM json_each(?))"
    )
    return connection.execute(sql, (json.dumps(selection["items"]),)).fetchall()
