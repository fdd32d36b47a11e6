"""How far a run is, read from its database."""

import json
import sqlite3
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.store.completeness import of_last_run
from runner.store.database import file_size, last_run_row, opened
from runner.store.foreign import reads_file
from runner.store.leases import is_running
from runner.store.ledger import accepted, by_usage
from runner.store.prompt_caching import Caching, caching
from runner.study.amounts import counted, dollars_spent

FEWEST = 1000  # scores, under which what they take says nothing on a million


@dataclass(frozen=True)
class StatusRow:
    """One model and benchmark of the run."""

    model: str
    benchmark: str
    planned: int
    hits: int
    answered: int
    failed: int
    unparsed: int
    effect: float | None
    spared: int = 0


@dataclass(frozen=True)
class Status:
    """The last run of a file, as it accounts for itself every second."""

    run: int = 0
    started: str = ""
    ended: str = ""
    beat: dict[str, Any] = field(default_factory=dict)
    rows: list[StatusRow] = field(default_factory=list)
    settled_micro_usd: int = 0
    reserved_micro_usd: int = 0
    estimated_micro_usd: int = 0
    completions: int = 0
    scores: int = 0
    bytes: int = 0
    jobs: list[str] = field(default_factory=list)
    caching: Caching = field(default_factory=Caching)
    accepted: list[str] = field(default_factory=list)
    incomplete: str = ""
    ending: str = ""
    is_on: bool = True

    @property
    def seconds(self) -> float:
        """How long the run has been going."""
        if not self.started or not self.beat.get("at"):
            return 0.0
        try:
            return (datetime.fromisoformat(self.beat["at"]) - datetime.fromisoformat(self.started)).total_seconds()
        except (TypeError, ValueError):  # of a file from elsewhere
            return 0.0

    @property
    def rate(self) -> float:
        """Trials answered a second, over the run."""
        return sum(row.answered for row in self.rows) / self.seconds if self.seconds else 0.0

    @property
    def minutes_left(self) -> float | None:
        """What is left at this rate, at most; None where nothing moves or the run has ended."""
        left = sum(row.planned - row.spared - row.hits - row.answered - row.failed for row in self.rows)
        return left / self.rate / 60 if self.rate and not self.ended else None

    def _why_it_stopped(self) -> list[str]:
        """Why nothing more is asked, and what to do, where a run did not simply finish."""
        if self.ending:
            over = "raise [budget] usd, and " if "budget" in self.ending else ""
            return [f"it ended early: {self.ending}; {over}run it again to go on"]
        if not self.ended and not self.is_on:
            return ["no process works on it: it was killed, or its machine went down; run it again to go on"]
        return []

    def lines(self) -> list[str]:
        """The account in words."""
        size = f"{self.bytes / 1e6:,.1f} MB on the disk"
        if self.scores >= FEWEST:
            size += f", {self.bytes / self.scores:,.0f} MB a million trials"
        found = [self.incomplete] if self.incomplete else []
        found += [f"{self.completions:,} completions, {self.scores:,} scores, {size}"]
        if not self.run:
            return [*found, "no run yet"]
        if self.beat.get("merged"):
            return [*found, f"merged from several files; the newest run started {self.started}"]
        when = f"ended {self.ended}" if self.ended else f"last heard of {self.beat.get('at', 'never')}"
        found += [f"run {self.run} started {self.started}, {when}", *self._why_it_stopped()]
        targets: dict[str, str] = self.beat.get("targets", {})
        about = "at most" if targets else "about"
        left = "" if self.minutes_left is None else f", {about} {self.minutes_left:.1f} minutes left"
        found.append(
            f"{self.beat.get('sent', 0):,} requests sent, {self.beat.get('in_flight', 0)} in flight, "
            f"{self.rate:.1f} trials/s{left}"
        )
        if self.settled_micro_usd or self.reserved_micro_usd or self.beat.get("micro_usd"):
            held = f", ${self.reserved_micro_usd / 1e6:.4f} held for requests whose cost is not known"
            spent = max(self.settled_micro_usd, self.beat.get("micro_usd", 0))
            estimated = max(self.estimated_micro_usd, self.beat.get("estimated_micro_usd", 0))
            found.append(f"{dollars_spent(spent, estimated)}{held if self.reserved_micro_usd > 0 else ''}")
        found += self.accepted
        if cached := self.caching.sentence():
            found.append(cached)
        found += self.jobs
        for each in self.beat.get("failures", []):
            last = self.beat.get("last_failure", {}).get(each["model"], "")
            found.append(f"{each['model']}: {each['count']:,} failed with {each['kind']} (last: {last})")
        found += [f"{name}: {words}" for name, words in targets.items()]
        found += self.beat.get("remarks", [])
        return found + [f"{model} stopped: {reason}" for model, reason in self.beat.get("stopped", {}).items()]


@reads_file
def read_status(path: Path) -> Status:
    """The last run of the file. Raises InputError or MachineError."""
    with opened(path) as connection:
        (completions,) = connection.execute("SELECT count(*) FROM completion").fetchone()
        (scores,) = connection.execute("SELECT count(*) FROM score").fetchone()
        counts = {"completions": completions, "scores": scores, "bytes": file_size(path)}
        found = replace(run_status(connection), **counts, jobs=_jobs(connection), caching=caching(connection))
        found = replace(found, accepted=by_usage(connection) + accepted(connection), is_on=is_running(connection, path))
    found = replace(found, incomplete=of_last_run(path).sentence)
    found.lines()  # what of it cannot be said is in the file, whose fault is named here
    return found


def run_status(connection: sqlite3.Connection) -> Status:
    """The last run without counting what is in the file, which takes long in a big one."""
    row = last_run_row(connection, "id, started, ended, heartbeat, ending")
    if row is None:
        return Status()
    amounts = "SELECT settled_micro_usd AS settled, reserved_micro_usd AS reserved, "
    amounts += "estimated_micro_usd AS estimated FROM"
    sums = "coalesce(sum(settled), 0), coalesce(sum(reserved), 0), coalesce(sum(estimated), 0)"
    sql = f"SELECT {sums} FROM ({amounts} spend UNION ALL {amounts} job)"
    amounts = connection.execute(sql).fetchone()
    beat = json.loads(row[3])
    rows = [StatusRow(**each) for each in beat.get("rows", [])]
    return replace(Status(row[0], row[1], row[2] or "", beat, rows, *amounts), ending=row[4])


def _jobs(connection: sqlite3.Connection) -> list[str]:
    """A line for every open job, and one for those that are closed."""
    columns = "job.id, model.name, state, provider_state, provider_id, answered, requests, made, settled_micro_usd"
    sql = f"SELECT {columns} FROM job JOIN model ON model.id = job.model ORDER BY job.id"
    rows = connection.execute(sql).fetchall()
    found = []
    for number, name, state, provider_state, known_as, answered, requests, made, _ in rows:
        if state != "closed":
            shown = state if state == "cancelling" else provider_state or state
            place = f"{shown} at the provider ({known_as})" if known_as else shown
            told = f"{answered:,} of {counted(requests, 'request')} answered, made {made}"
            found.append(f"job {number} of {name}: {place}, {told}")
    if closed := [row for row in rows if row[2] == "closed"]:
        requests, dollars = sum(row[6] for row in closed), sum(row[8] for row in closed) / 1e6
        told = f"{counted(len(closed), 'job')} of {counted(requests, 'request')}"
        found.append(f"{told} through, for ${dollars:.4f}")
    return found
