"""What the last run of a file is doing: read while somebody looks, and remembered for a few minutes."""

import json
import sqlite3
import tomllib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from runner.progress.status import Status, run_status
from runner.store.completeness import by_account

RECENT_SECONDS = 30.0
REMEMBERED = 900
SILENT_SECONDS = 10.0
MESSAGES = 1000


@dataclass(frozen=True)
class Failed:
    """Failures of one model and kind: how many in this run, and the last message in the file."""

    model: str
    kind: str
    count: int
    message: str
    at: str


class Moment(NamedTuple):
    """What a heartbeat said: seconds since the run began, trials answered, and the slots of each model."""

    seconds: float
    answered: int
    slots: Mapping[str, float]


@dataclass(frozen=True)
class Live:
    """A run as the page shows it.

    `caps` are the budgets in US$ by model, "" being the study's own; `spent` in millionths by model; `silent` says for
    how many seconds nothing was heard of a run that has not ended; `incomplete` what is missing of it, None where it
    keeps no account.
    """

    status: Status
    rate: float
    minutes_left: float | None
    silent: float | None
    stopping: bool
    caps: Mapping[str, float]
    spent: Mapping[str, int]
    failures: list[Failed]
    moments: list[Moment] = field(default_factory=list)
    incomplete: str | None = None

    @property
    def is_going(self) -> bool:
        """Whether the run has been heard of lately and has not ended."""
        return bool(self.status.run) and not self.status.ended and self.silent is None


class RunHeartbeat:
    """The heartbeats that were seen, so that a rate is one of now and not of the whole run."""

    def __init__(self) -> None:
        self._run = 0
        self._moments: deque[Moment] = deque(maxlen=REMEMBERED)

    def read(self, connection: sqlite3.Connection) -> Live:
        """The last run of the file as it is now."""
        status = run_status(connection)
        if status.run != self._run:
            self._run, self._moments = status.run, deque(maxlen=REMEMBERED)
        answered = sum(row.answered for row in status.rows)
        if status.beat and (not self._moments or self._moments[-1].seconds < status.seconds):
            limits = status.beat.get("limits", {})
            slots = {model: each["concurrency"] for model, each in limits.items()}
            self._moments.append(Moment(status.seconds, answered, slots))
        rate = 0.0 if status.ended else self._rate() or status.rate
        sql = "SELECT stop_requested, study, selection FROM run WHERE id = ?"
        row = connection.execute(sql, (status.run,)).fetchone() or (0, "", "{}")
        return Live(
            status,
            rate,
            _left(status) / rate / 60 if rate else None,
            _silence(status),
            bool(row[0]) and not status.ended,
            _caps(row[1], json.loads(row[2]).get("shard", [1, 1])[1]),
            _spent(connection),
            _failures(connection, status.beat),
            list(self._moments),
            None if (known := by_account(connection)) is None else known.sentence,
        )

    def _rate(self) -> float:
        """Trials answered a second over the last half minute that was watched."""
        recent = [each for each in self._moments if each.seconds >= self._moments[-1].seconds - RECENT_SECONDS]
        if len(recent) < 3:
            return 0.0
        return (recent[-1].answered - recent[0].answered) / (recent[-1].seconds - recent[0].seconds)


def _left(status: Status) -> int:
    return sum(max(0, row.planned - row.spared - row.hits - row.answered - row.failed) for row in status.rows)


def _silence(status: Status) -> float | None:
    """Seconds since the last heartbeat, where a run that has not ended should have had one."""
    if not status.run or status.ended:
        return None
    heard = datetime.fromisoformat(status.beat.get("at", status.started))
    seconds = (datetime.now(UTC) - heard).total_seconds()
    return seconds if seconds > SILENT_SECONDS else None


def _caps(study: str, shards: int) -> dict[str, float]:
    """The budgets that the run's study names, in US$: a shard's share of them."""
    try:
        tables = tomllib.loads(study)
    except tomllib.TOMLDecodeError:
        return {}
    caps = {str(model.get("name")): model.get("usd") for model in tables.get("models", [])}
    caps[""] = tables.get("budget", {}).get("usd")
    return {name: float(cap) / shards for name, cap in caps.items() if isinstance(cap, int | float)}


def _spent(connection: sqlite3.Connection) -> dict[str, int]:
    """Millionths of a dollar by model, over all runs of the file: the ledger behind the budget."""
    ledger = "SELECT model, settled_micro_usd AS settled FROM spend UNION ALL SELECT model, settled_micro_usd FROM job"
    sql = f"SELECT m.name, sum(s.settled) FROM ({ledger}) AS s JOIN model AS m ON m.id = s.model GROUP BY 1"
    return dict(connection.execute(sql).fetchall())


def _failures(connection: sqlite3.Connection, beat: Mapping[str, Any]) -> list[Failed]:
    """The run's failures by model and kind, each with its last message."""
    newest = f"(SELECT * FROM failure ORDER BY id DESC LIMIT {MESSAGES}) AS f JOIN model AS m ON m.id = f.model"
    sql = f"SELECT m.name, f.kind, substr(f.message, 1, 500), f.at, max(f.id) FROM {newest} GROUP BY 1, 2"
    last = {(name, kind): (message, at) for name, kind, message, at, _ in connection.execute(sql)}
    return [
        Failed(each["model"], each["kind"], each["count"], *last.get((each["model"], each["kind"]), ("", "")))
        for each in beat.get("failures", [])
    ]
