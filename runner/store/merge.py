"""Merging: what several files of one study hold, in one file.

Rows are matched by their content, never by their number. Each file is brought in by one transaction, so a merge that is
killed has brought in whole files or nothing, and merging again adds what is missing.
"""

import json
import sqlite3
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from personas.errors import InputError
from runner.store.assigned import profile_rows
from runner.store.assigned.deals import in_other_numbers
from runner.store.database import attached, database_errors, make_private, opened, refuse_redacted, transaction
from runner.store.foreign import in_time, refuse_code, refuse_odd_contents
from runner.store.identity import identity
from runner.store.leases import refuse_open_jobs, refuse_running
from runner.store.ledger import refuse_false_amounts
from runner.store.resolutions import refuse_other_resolutions
from runner.store.runs import (
    NAMED,
    RUNS,
    LastRun,
    SelectionRows,
    add_registration,
    add_run,
    is_answered,
    last_run,
    registered,
    same_rows,
    select_together,
)
from runner.study.logs import logger

log = logger(__name__)
SHOWN_CONFLICTS = 20
SMALLEST = 512  # bytes of a database with nothing in it
_TRIAL = ("model", "persona", "variant", "item", "rotation", "replicate")


@dataclass
class Merged:
    """What a merge brought in: rows by table, and what it could not take.

    `conflicts` lists the first keys that both files have with another answer (the one that was there is kept), as (key,
    kept, other); `left_out` counts scores of answers that were not kept, which the next run makes anew from the file.
    """

    brought: dict[str, int] = field(default_factory=dict)
    conflicting: int = 0
    conflicts: list[tuple[str, str, str]] = field(default_factory=list)
    left_out: int = 0
    remarks: list[str] = field(default_factory=list)


def merge(sources: Sequence[Path], into: Path) -> Merged:
    """Bring what `sources` hold into the file `into`, which is made if it is absent.

    Of two answers to one request the one that is there first is kept. Raises InputError for a file that is no database
    of ours, is redacted or is being run on, or where two files have answers of other versions of a model; MachineError
    for one that is damaged or from a newer version.
    """
    if into.exists() and any(identity(source) == identity(into) for source in sources):
        raise InputError(f"{into}: cannot be merged into itself; name another file with --into")
    found = Merged()
    for source in sources:
        _check(source)
    if not all(stat.S_IMODE(source.stat().st_mode) & 0o077 for source in sources):
        make_private(into)
    with opened(into, create=True) as connection:
        refuse_redacted(connection, into)
        refuse_running(connection, into)
        with database_errors(into), transaction(connection, undo=True):  # what cannot be written is said of this file
            connection.execute("DELETE FROM main.text WHERE false")
        selected = last_run(connection)
        for source in sources:
            log.info("merging %s", source)
            with database_errors(source), attached(connection, source, "source"), in_time(connection, source):
                selected += _bring(connection, source, found)
        with database_errors(into), transaction(connection):
            found.remarks += select_together(connection, selected)
    return found


def _check(source: Path) -> None:
    """A source that cannot be merged is refused before anything is written."""
    if source.is_file() and source.stat().st_size < SMALLEST:  # which SQLite would make a file of ours
        raise InputError(f"{source}: not an SQLite database; name a file that a study has written")
    if source.exists():
        refuse_code(source)
    with opened(source) as connection:
        refuse_redacted(connection, source)
        with database_errors(source), in_time(connection, source):
            refuse_open_jobs(connection, source)
            refuse_false_amounts(connection, source)
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError("malformed")
            refuse_odd_contents(connection, source)


def _bring(connection: sqlite3.Connection, source: Path, found: Merged) -> list[LastRun]:
    """Everything of the attached file; returns its last run, in our numbers."""
    with transaction(connection):
        _refuse_other_versions(connection, source)
        refuse_other_resolutions(connection, source)
        found.remarks += _bring_registration(connection, source)
        for table in ("text", *NAMED):
            _count(found, table, _bring_named(connection, table))
        connection.execute("INSERT OR IGNORE INTO main.trait_label SELECT * FROM source.trait_label")
        _bring_rounds(connection)
        last = _bring_runs(connection, found)
        _count(found, "completion", _bring_completions(connection))
        _list_conflicts(connection, found)
        _count(found, "score", _bring_scores(connection, found))
        _count(found, "failure", _bring_failures(connection))
        _bring_spend(connection)
        _bring_jobs(connection)
    return last


def _bring_registration(connection: sqlite3.Connection, source: Path) -> list[str]:
    """The registration of the attached file, if no answers stand here that it came after; else what to know of it."""
    ours, theirs = registered(connection), registered(connection, "source")
    if theirs is None or ours == theirs:
        return []
    if ours is not None:
        return [f"{source}: its registration of {theirs.at} is left out, for that of {ours.at} is kept"]
    if is_answered(connection):
        return [
            f"{source}: its registration of {theirs.at} is left out, for there are answers here that were not "
            "registered; merge that file first"
        ]
    add_registration(connection, theirs)
    return []


def _count(found: Merged, table: str, rows: int) -> None:
    found.brought[table] = found.brought.get(table, 0) + rows


def _refuse_other_versions(connection: sqlite3.Connection, source: Path) -> None:
    sql = (
        "SELECT ours.name, ours.served, theirs.served FROM main.model AS ours JOIN source.model AS theirs "
        "ON ours.sha = theirs.sha WHERE ours.served != theirs.served AND '' NOT IN (ours.served, theirs.served)"
    )
    for name, ours, theirs in connection.execute(sql):
        raise InputError(
            f"{source}: its answers of {name!r} are from {theirs!r}, those merged before from {ours!r}; "
            "versions of a model are not mixed: leave one of the files out"
        )


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table but its row number."""
    return [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})") if row[1] != "id"]


def _bring_named(connection: sqlite3.Connection, table: str) -> int:
    """Rows known by the hash of their content; which of ours each of theirs is goes into the table `map_…`."""
    names = ", ".join(_columns(connection, table))
    sql = f"INSERT OR IGNORE INTO main.{table} ({names}) SELECT {names} FROM source.{table} ORDER BY id"
    rows = connection.execute(sql).rowcount
    _make_map(connection, table)
    connection.execute(
        f"INSERT INTO temp.map_{table} SELECT theirs.id, ours.id FROM source.{table} AS theirs "
        f"JOIN main.{table} AS ours ON ours.sha = theirs.sha"
    )
    if table == "model":
        connection.execute(
            "UPDATE main.model SET served = theirs.served FROM source.model AS theirs "
            "WHERE model.sha = theirs.sha AND model.served = ''"
        )
        connection.execute(
            "UPDATE main.model SET resolved = json_patch(theirs.resolved, model.resolved) FROM source.model AS theirs "
            "WHERE model.sha = theirs.sha AND theirs.resolved != model.resolved"
        )
        checked = "(coalesce({0}.exactness ->> '$.checked', 0), coalesce({0}.exactness ->> '$.largest_difference', 0))"
        connection.execute(  # the check of most answers stands for all
            "UPDATE main.model SET exactness = theirs.exactness FROM source.model AS theirs "
            f"WHERE model.sha = theirs.sha AND {checked.format('theirs')} > {checked.format('model')}"
        )
    if table == "persona":  # the columns by which either file breaks results down
        connection.execute(
            "UPDATE main.persona SET subgroups = json_patch(theirs.subgroups, persona.subgroups) "
            "FROM source.persona AS theirs WHERE persona.sha = theirs.sha AND persona.subgroups != theirs.subgroups"
        )
    return rows


def _bring_rounds(connection: sqlite3.Connection) -> None:
    from runner.store.assigned.drawn_rounds import copy_rounds  # takes pandas with it

    of = (dict(connection.execute(f"SELECT theirs, ours FROM temp.map_{table}")) for table in ("model", "persona"))
    copy_rounds(connection, *of)


def _make_map(connection: sqlite3.Connection, table: str) -> None:
    """An empty table of which row of ours each of theirs is; 0, which is none, is 0."""
    connection.execute(f"DROP TABLE IF EXISTS temp.map_{table}")
    connection.execute(f"CREATE TEMP TABLE map_{table} (theirs INTEGER PRIMARY KEY, ours INTEGER NOT NULL)")
    connection.execute(f"INSERT INTO temp.map_{table} VALUES (0, 0)")


def _bring_runs(connection: sqlite3.Connection, found: Merged) -> list[LastRun]:
    """Runs, known by what they ran and when they began; of one that was going on, the later state is kept."""
    _make_map(connection, "run")
    last: list[LastRun] = []
    for number, heartbeat, *row in connection.execute(f"SELECT {RUNS} FROM source.run ORDER BY id").fetchall():
        theirs = LastRun.read(row)
        last = [theirs._replace(selection=_in_our_numbers(connection, theirs.selection))]
        ours = _same_run(connection, last[0])
        if ours is None:
            ours = (add_run(connection, last[0], heartbeat), "")
            _count(found, "run", 1)
        elif _at(heartbeat) > _at(ours[1]):
            values = (theirs.ended, heartbeat, ours[0])
            connection.execute("UPDATE main.run SET ended = ?, heartbeat = ? WHERE id = ?", values)
        connection.execute("INSERT INTO temp.map_run VALUES (?, ?)", (number, ours[0]))
    return last


def _same_run(connection: sqlite3.Connection, run: LastRun) -> tuple[int, str] | None:
    """Ours that is the same; each of ours stands for one of theirs: two may have begun in the same second."""
    sql = "SELECT id, heartbeat, selection FROM main.run WHERE study = ? AND code = ? AND packages = ? AND seed = ?"
    sql += " AND started = ? AND id NOT IN (SELECT ours FROM temp.map_run) ORDER BY id"
    for number, heartbeat, selection in connection.execute(sql, run[:5]):
        if same_rows(json.loads(selection), run.selection):
            return number, heartbeat
    return None


def _in_our_numbers(connection: sqlite3.Connection, selection: SelectionRows) -> SelectionRows:
    chosen, maps = dict(selection), {}
    for table in NAMED:
        maps[table] = dict(connection.execute(f"SELECT theirs, ours FROM temp.map_{table}"))
        names = (f"{table}s", *(["here"] if table == "persona" and "here" in chosen else []))
        for name in names:
            chosen[name] = sorted(maps[table][number] for number in chosen.get(name, []) if number in maps[table])
    if "deals" in chosen:
        chosen["deals"] = in_other_numbers(chosen["deals"], maps)
    if "profiles" in chosen:
        chosen["profiles"] = profile_rows.in_other_numbers(chosen["profiles"], maps)
    return chosen


def _at(heartbeat: str) -> str:
    return str(json.loads(heartbeat or "{}").get("at", ""))


_SAME_ANSWER = "ours.answer IS theirs.answer AND ours.letters IS theirs.letters AND ours.finish = theirs.finish"


_UNMAPPED = "NOT IN (SELECT theirs FROM temp.map_completion)"


def _list_conflicts(connection: sqlite3.Connection, found: Merged) -> None:
    """Answers that stand here otherwise, which are those that have no number of ours."""
    (count,) = connection.execute(f"SELECT count(*) FROM source.completion WHERE id {_UNMAPPED}").fetchone()
    found.conflicting += count
    shown = (
        "SELECT hex(theirs.key), ours.answer, ours.letters IS NULL, theirs.answer FROM source.completion AS theirs "
        f"CROSS JOIN main.completion AS ours ON ours.key = theirs.key WHERE theirs.id {_UNMAPPED} LIMIT ?"
    )
    for key, ours, plain, theirs in connection.execute(shown, (SHOWN_CONFLICTS - len(found.conflicts),)):
        numbers = "" if plain else " (probabilities)"
        found.conflicts.append((key.lower(), f"{ours or ''!r:.60}{numbers}", f"{theirs or ''!r:.60}{numbers}"))


_MAPS = {each: each for each in NAMED} | dict.fromkeys(("persona_text", "item_text", "system_text"), "text")


def _in_ours(row: str, name: str) -> str:
    """SQL for a column of theirs with our number in it, where it is one."""
    table = _MAPS.get(name)
    return f"(SELECT ours FROM temp.map_{table} WHERE theirs = {row}.{name})" if table else f"{row}.{name}"


def _bring_completions(connection: sqlite3.Connection) -> int:
    """Answers to requests that have none here; `map_completion` gets those that are here now, and as they are there."""
    names = _columns(connection, "completion")
    values = ", ".join(_in_ours("c", name) for name in names)
    head = f"INSERT OR IGNORE INTO main.completion ({', '.join(names)})"
    rows = connection.execute(f"{head} SELECT {values} FROM source.completion AS c ORDER BY c.id").rowcount
    _make_map(connection, "completion")
    connection.execute(
        "INSERT INTO temp.map_completion SELECT theirs.id, ours.id FROM source.completion AS theirs "
        f"CROSS JOIN main.completion AS ours ON ours.key = theirs.key WHERE {_SAME_ANSWER}"
    )
    return rows


def _bring_scores(connection: sqlite3.Connection, found: Merged) -> int:
    """Scores of the answers that were kept. One that is there stays, unless it is waiting for a judge."""
    other = f"SELECT count(*) FROM source.score WHERE completion {_UNMAPPED}"
    found.left_out += connection.execute(other).fetchone()[0]
    names = _columns(connection, "score")
    values = ["kept.ours" if name == "completion" else _in_ours("s", name) for name in names]
    update = ", ".join(f"{name} = excluded.{name}" for name in names if name not in _TRIAL)
    before = connection.total_changes
    connection.execute(
        f"INSERT INTO main.score ({', '.join(names)}) SELECT {', '.join(values)} FROM source.score AS s "
        f"CROSS JOIN temp.map_completion AS kept ON kept.theirs = s.completion WHERE true ORDER BY s.id "
        f"ON CONFLICT ({', '.join(_TRIAL)}) DO UPDATE SET {update} "
        "WHERE score.status = 'pending' AND excluded.status != 'pending'"
    )
    return connection.total_changes - before


def _bring_failures(connection: sqlite3.Connection) -> int:
    names = _columns(connection, "failure")
    values = ", ".join(f"{_in_ours('f', name)} AS {name}" for name in names)
    same = " AND ".join(f"ours.{name} = new.{name}" for name in names)
    return connection.execute(
        f"INSERT INTO main.failure ({', '.join(names)}) "
        f"SELECT * FROM (SELECT {values} FROM source.failure AS f ORDER BY f.id) AS new "
        f"WHERE NOT EXISTS (SELECT 1 FROM main.failure AS ours WHERE {same})"
    ).rowcount


def _bring_spend(connection: sqlite3.Connection) -> None:
    """The ledger of each run; of one that was going on, that of the later state.

    What was released counts again, unless it was released here: that is for whoever owns this file to accept.
    """
    later = "CASE WHEN excluded.settled_micro_usd > settled_micro_usd THEN excluded.reserved_micro_usd "
    later += "WHEN excluded.settled_micro_usd < settled_micro_usd THEN reserved_micro_usd "
    later += "ELSE max(reserved_micro_usd, excluded.reserved_micro_usd) END"
    connection.execute(
        "INSERT INTO main.spend (process, model, reserved_micro_usd, settled_micro_usd, estimated_micro_usd) "
        f"SELECT r.ours, m.ours, max(0, s.reserved_micro_usd + {_released('source', 's.process', 's.model')} - "
        f"{_released('main', 'r.ours', 'm.ours')}), s.settled_micro_usd, s.estimated_micro_usd FROM source.spend AS s "
        "JOIN temp.map_run AS r ON r.theirs = s.process JOIN temp.map_model AS m ON m.theirs = s.model WHERE true "
        f"ON CONFLICT (process, model) DO UPDATE SET reserved_micro_usd = {later}, "
        "settled_micro_usd = max(settled_micro_usd, excluded.settled_micro_usd), "
        "estimated_micro_usd = max(estimated_micro_usd, excluded.estimated_micro_usd)"
    )


def _released(schema: str, run: str, model: str) -> str:
    return f"(SELECT coalesce(sum(micro_usd), 0) FROM {schema}.released WHERE process = {run} AND model = {model})"


def _bring_jobs(connection: sqlite3.Connection) -> None:
    """What closed jobs cost; a job is known by its marker."""
    names = _columns(connection, "job")
    ours = {"process": "r.ours", "model": "m.ours"}
    connection.execute(
        f"INSERT OR IGNORE INTO main.job ({', '.join(names)}) "
        f"SELECT {', '.join(ours.get(name, f'j.{name}') for name in names)} FROM source.job AS j "
        "JOIN temp.map_run AS r ON r.theirs = j.process JOIN temp.map_model AS m ON m.theirs = j.model"
    )
