"""How far a run is, read from its database."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from runner.database import database_errors, open_database


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


@dataclass(frozen=True)
class Status:
    """The last run of a file, as it accounts for itself every second."""

    completions: int
    scores: int
    run: int = 0
    started: str = ""
    ended: str = ""
    beat: dict[str, Any] = field(default_factory=dict)
    rows: list[StatusRow] = field(default_factory=list)
    settled_micro_usd: int = 0
    reserved_micro_usd: int = 0

    @property
    def seconds(self) -> float:
        """How long the run has been going."""
        if not self.started or not self.beat.get("at"):
            return 0.0
        return (datetime.fromisoformat(self.beat["at"]) - datetime.fromisoformat(self.started)).total_seconds()

    @property
    def rate(self) -> float:
        """Trials answered a second, over the run."""
        return sum(row.answered for row in self.rows) / self.seconds if self.seconds else 0.0

    @property
    def minutes_left(self) -> float | None:
        """What is left at this rate; None where nothing moves or the run has ended."""
        left = sum(row.planned - row.hits - row.answered - row.failed for row in self.rows)
        return left / self.rate / 60 if self.rate and not self.ended else None

    def lines(self) -> list[str]:
        """The account in words."""
        found = [f"{self.completions:,} completions, {self.scores:,} scores"]
        if not self.run:
            return [*found, "no run yet"]
        when = f"ended {self.ended}" if self.ended else f"last heard of {self.beat.get('at', 'never')}"
        found.append(f"run {self.run} started {self.started}, {when}")
        left = "" if self.minutes_left is None else f", about {self.minutes_left:.1f} minutes left"
        found.append(
            f"{self.beat.get('sent', 0):,} requests sent, {self.beat.get('in_flight', 0)} in flight, "
            f"{self.rate:.1f} trials/s{left}"
        )
        if self.settled_micro_usd or self.reserved_micro_usd or self.beat.get("micro_usd"):
            held = f", ${self.reserved_micro_usd / 1e6:.4f} held for requests whose cost is not known"
            spent = max(self.settled_micro_usd, self.beat.get("micro_usd", 0))
            found.append(f"${spent / 1e6:.4f} spent{held if self.reserved_micro_usd else ''}")
        for each in self.beat.get("failures", []):
            last = self.beat.get("last_failure", {}).get(each["model"], "")
            found.append(f"{each['model']}: {each['count']:,} failed with {each['kind']} (last: {last})")
        found += self.beat.get("remarks", [])
        return found + [f"{model} stopped: {reason}" for model, reason in self.beat.get("stopped", {}).items()]


def read_status(path: Path) -> Status:
    """The last run of the file. Raises InputError or MachineError."""
    connection = open_database(path, create=False)
    with database_errors(path):
        sql = "SELECT id, started, ended, heartbeat FROM run ORDER BY id DESC LIMIT 1"
        row = connection.execute(sql).fetchone()
        (completions,) = connection.execute("SELECT count(*) FROM completion").fetchone()
        (scores,) = connection.execute("SELECT count(*) FROM score").fetchone()
        sql = "SELECT coalesce(sum(settled_micro_usd), 0), coalesce(sum(reserved_micro_usd), 0) FROM spend"
        settled, reserved = connection.execute(sql).fetchone()
        connection.close()
    if row is None:
        return Status(completions, scores)
    beat = json.loads(row[3])
    rows = [StatusRow(**each) for each in beat.get("rows", [])]
    return Status(completions, scores, row[0], row[1], row[2] or "", beat, rows, settled, reserved)
