"""What a run that is not whole has to say before anything else: what is missing, and why."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from personas.people.pseudonyms import TWIN
from runner.store.database import last_run_row, opened
from runner.store.foreign import reads_file
from runner.store.runs import NOT_MERGED, LastRun, SelectionRows, last_run

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10
_ASKED = """SELECT EXISTS (SELECT 1 FROM score WHERE model = ? AND persona = ? AND variant IN (SELECT value FROM
json_each(?)) AND item IN (SELECT value FROM json_each(?)))"""
Counts = Mapping[tuple[str, str], int]  # by model and benchmark


@dataclass(frozen=True)
class Completeness:
    """The trials that a run wanted and those that have an answer.

    Likewise the respondents; countries of which nobody was asked; models and benchmarks without any answer; failed
    trials and those that wait for a judge; and why the run ended.
    """

    trials: int
    done: int
    people: int = 0
    asked: int = 0
    not_asked: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    failed: int = 0
    pending: int = 0
    reason: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether everything that was wanted has an answer; what parts that are not here want is not known."""
        return self.done >= self.trials and not self._lacks_parts

    @property
    def _lacks_parts(self) -> bool:
        return self.reason.startswith(NOT_MERGED)

    @property
    def sentence(self) -> str:
        """What is missing, in a line; "" where nothing is."""
        if self.is_whole:
            return ""
        here = " in the parts that are here" if self._lacks_parts else ""
        parts = [f"{self.done:,} of {self.trials:,} trials{here}"]
        if self.asked < self.people:
            parts.append(f"{self.asked:,} of {self.people:,} people")
        for words, names in (("not asked", self.not_asked), ("no answer yet", self.unanswered)):
            if names:
                parts.append(f"{words}: {', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}")
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"{self.pending:,} waiting for a judge"] if self.pending else []
        return f"INCOMPLETE: {'; '.join([*parts, *([self.reason] if self.reason else [])])}"


@reads_file
def of_scores(path: str | Path, scores: "pd.DataFrame") -> Completeness:
    """How whole the last run of a file is, by the scores of what it selected (`load_scores`).

    Raises InputError or MachineError.
    """
    path = Path(path)
    with opened(path) as connection:
        return by_scores(connection, scores)


@reads_file
def of_last_run(path: str | Path) -> Completeness:
    """The same by the run's own account, which takes no reading of scores where there is one.

    Raises InputError or MachineError.
    """
    path = Path(path)
    with opened(path) as connection:
        found = by_account(connection)
    if found:
        return found
    from runner.store.scores import last_selection, load_scores  # takes pandas with it

    return of_scores(path, load_scores(path, last_selection(path), answers=False))


def by_account(connection: sqlite3.Connection) -> Completeness | None:
    """How whole the last run is, as it counts itself; None where it does not, as a merged one."""
    for run in last_run(connection):
        (beat,) = last_run_row(connection, "heartbeat") or ("{}",)
        rows = json.loads(beat).get("rows", [])
        if not rows:
            return None
        (pending,) = connection.execute("SELECT count(*) FROM score WHERE status = 'pending'").fetchone()
        done = {(row["model"], row["benchmark"]): row["hits"] + row["answered"] for row in rows}
        people = dict(_respondents(connection, run.selection))
        asked = set(_asked(connection, run.selection, people))
        found = _of_run(run, _wanted(connection, run), done, people, asked)
        return replace(found, failed=sum(row["failed"] for row in rows), pending=pending)
    return Completeness(0, 0)


def by_scores(connection: sqlite3.Connection, scores: "pd.DataFrame") -> Completeness:
    """How whole the last run is, by its scores."""
    status = scores["status"].astype(str)
    read = scores[~status.isin(["failed", "pending"])]
    counts = read.groupby([read["model"].astype(str), read["benchmark"].astype(str)]).size()
    for run in last_run(connection):
        people = dict(_respondents(connection, run.selection))
        asked = {str(name) for name in read["persona_id"].unique()}
        done = {(str(model), str(name)): int(count) for (model, name), count in counts.items()}
        found = _of_run(run, _wanted(connection, run), done, people, asked)
        return replace(found, failed=int((status == "failed").sum()), pending=int((status == "pending").sum()))
    return Completeness(0, 0)


def _wanted(connection: sqlite3.Connection, run: LastRun) -> Counts:
    """The trials that the run wanted of each model that it asked; judges are asked as it comes."""
    sql = "SELECT name FROM model WHERE id IN (SELECT value FROM json_each(?))"
    models = {name for (name,) in connection.execute(sql, (json.dumps(run.selection["models"]),))}
    found: Counter[tuple[str, str]] = Counter()
    for row in json.loads(run.planned):  # a merged run has one for each shard
        if row["model"] in models:
            found[row["model"], row["benchmark"]] += row["trials"] - row["spared"]
    return found


def _of_run(run: LastRun, wanted: Counts, done: Counts, people: Mapping[str, str], asked: set[str]) -> Completeness:
    there = {name: country for name, country in people.items() if name in asked}
    unanswered = [
        f"{model} on {name}" for (model, name), trials in wanted.items() if trials and not done.get((model, name))
    ]
    reason = run.ending if run.ended else "the run is still going, or was killed"
    return Completeness(
        trials=sum(wanted.values()),
        done=sum(min(done.get(key, 0), trials) for key, trials in wanted.items()),
        people=len(people),
        asked=len(there),
        not_asked=tuple(sorted({*people.values()} - {*there.values()} - {""})),
        unanswered=tuple(unanswered) if there else (),
        reason=reason,
    )


def _respondents(connection: sqlite3.Connection, selection: SelectionRows) -> Iterable[tuple[str, str]]:
    """Those whom the run was to ask, each with the country; twins are not respondents."""
    sql = "SELECT persona_id, country FROM persona WHERE id IN (SELECT value FROM json_each(?))"
    numbers = selection.get("here", selection["personas"])
    return ((name, country) for name, country in connection.execute(sql, (json.dumps(numbers),)) if TWIN not in name)


def _asked(connection: sqlite3.Connection, selection: SelectionRows, people: Iterable[str]) -> Iterable[str]:
    """Those of the people of whom the file has an answer to anything that the run selected."""
    variants, items = (json.dumps(selection[name]) for name in ("variants", "items"))
    numbers = dict(connection.execute("SELECT persona_id, id FROM persona"))
    for name in people:
        place = numbers[name]
        if any(
            connection.execute(_ASKED, (each, place, variants, items)).fetchone()[0] for each in selection["models"]
        ):
            yield name
