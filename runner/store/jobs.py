"""Jobs: what is at a provider as a batch, and which trials wait for it.

A job is in the file, with a marker of its own, before the provider hears of it: whoever comes after a kill finds it at
the provider by that marker instead of sending it again.

preparing → uploaded → submitted → cancelling (where that was asked for) → closed
    └──────────┴─→ closed, where the provider knows no such marker
"""

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from runner.store.cache import Texts, Trial
from runner.store.database import now, transaction
from runner.store.leases import Leases
from runner.store.ledger import room_left
from runner.store.rows import insert, select_many, text_ids
from runner.study.masking import scrub

OPEN = "state != 'closed'"


@dataclass(frozen=True)
class Job:
    """A row of `job`; `provider_state` is the provider's word, `requests` to `failed` are counts."""

    id: int
    marker: str
    process: int
    state: str
    provider_state: str
    file_id: str
    provider_id: str
    requests: int
    answered: int
    failed: int
    changed: str

    @property
    def age(self) -> float:
        """Seconds since its state changed."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.changed)).total_seconds()


class Entry(NamedTuple):
    """A request for a job: its line, the most that it can cost (micro-dollars), and the trials that wait for it."""

    key: bytes
    line: bytes
    worst: int
    attempt: int
    options: tuple[str, ...]
    texts: Texts
    trials: list[Trial]


class Waiting(NamedTuple):
    """A trial that waits for a request of a job; `process` is the run that met it, `texts` are ids."""

    trial: Trial
    process: int
    attempt: int
    worst: int
    options: tuple[str, ...]
    texts: tuple[int, int, int]


_JOB = "id, marker, process, state, provider_state, file_id, provider_id, requests, answered, failed, changed"
_OF_TWINS = (
    f"SELECT DISTINCT model, process FROM job WHERE {OPEN} AND model IN (SELECT twin.id FROM model AS ours "
    "JOIN model AS twin USING (provider, model, revision, dtype, parameters) WHERE ours.id = ?)"
)
_WAITING = (
    "key persona variant item rotation replicate job process attempt reserved_micro_usd options "
    "persona_text item_text system_text"
).split()


class Jobs:
    """The jobs of one model, as one run sees them.

    `caps` are the study's and the model's, in micro-dollars; `others` are the run's other models.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        leases: Leases,
        process: int,
        model: int,
        caps: tuple[int | None, int | None],
        others: Sequence[int] = (),
    ) -> None:
        self._connection, self._leases = connection, leases
        self._process, self._model, self._caps, self._others = process, model, caps, others
        self._texts: dict[bytes, int] = {}

    @property
    def capped(self) -> bool:
        """Whether there is a cap at all."""
        return self._caps != (None, None)

    def make(self, entries: Sequence[Entry]) -> Job | None:
        """A job of as many of these entries, from the first on, as the caps leave room for; None where not even one."""
        with transaction(self._connection):
            chosen = self._affordable(entries)
            if not chosen:
                return None
            columns = "marker, model, process, state, requests, reserved_micro_usd, made, changed"
            marker, reserved = f"mtpa-{secrets.token_hex(12)}", sum(entry.worst for entry in chosen)
            values = (marker, self._model, self._process, "preparing", len(chosen), reserved, now(), now())
            sql = f"INSERT INTO job ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            number = int(self._connection.execute(sql, values).lastrowid or 0)
            texts = text_ids(self._connection, {text for entry in chosen for text in entry.texts}, self._texts)
            rows = []
            for entry in chosen:
                numbers = (texts[entry.texts.persona], texts[entry.texts.item], texts[entry.texts.system])
                rest = (self._process, entry.attempt, entry.worst, entry.options, numbers)
                rows += [_row(entry.key, number, Waiting(trial, *rest)) for trial in entry.trials]
            self._insert(rows)
        return self._select("id = ?", number)[0]

    def _affordable(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        if not self.capped:
            return entries
        room = room_left(self._connection, self._model, *self._caps)
        for place, entry in enumerate(entries):
            room -= entry.worst
            if room < 0:
                return entries[:place]
        return entries

    def mine(self) -> list[Job]:
        """The open jobs that this run looks after."""
        return self._select(f"{OPEN} AND process = ?", self._process)

    def adopt(self) -> None:
        """Look after the open jobs of runs that have ended, too.

        Also after those of a twin that nobody asks any more: only what is read of its answers was another, so that its
        jobs hold requests of this model.
        """
        found = self._connection.execute(_OF_TWINS, (self._model,)).fetchall()
        for model, process in found:
            if model not in self._others and process != self._process and not self._leases.lives(process):
                sql = f"UPDATE job SET process = ?, model = ? WHERE model = ? AND process = ? AND {OPEN}"
                self._connection.execute(sql, (self._process, self._model, model, process))

    def held(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """Those of these keys that are in this run's open jobs, each with its job."""
        mine = {job.id for job in self.mine()}
        sql = "SELECT DISTINCT key, job FROM job_trial WHERE key IN ({})"
        found = select_many(self._connection, sql, keys) if mine else ()
        return {bytes(key): job for key, job in found if job in mine}

    def join(self, job: int, trials: Sequence[tuple[bytes, Trial]]) -> None:
        """Let trials of this run wait for requests, by their keys, that are in an open job."""
        known = self.waiting(job, {key for key, _ in trials})
        joining = [(key, known[key][0]._replace(trial=trial, process=self._process)) for key, trial in trials]
        self._insert([_row(key, job, waiting) for key, waiting in joining])

    def waiting(self, job: int, keys: Iterable[bytes]) -> dict[bytes, list[Waiting]]:
        """The trials that wait for these keys of a job."""
        sql = f"SELECT {', '.join(_WAITING)} FROM job_trial WHERE job = ? AND key IN ({{}})"
        found: dict[bytes, list[Waiting]] = {}
        for row in select_many(self._connection, sql, keys, before=(job,)):
            found.setdefault(bytes(row[0]), []).append(_waiting(row, self._model))
        return found

    def keys(self, job: int) -> list[bytes]:
        """The keys of a job."""
        sql = "SELECT DISTINCT key FROM job_trial WHERE job = ?"
        return [bytes(key) for (key,) in self._connection.execute(sql, (job,))]

    def texts(self, numbers: tuple[int, int, int]) -> Texts:
        """Texts by their ids."""
        found = dict(select_many(self._connection, "SELECT id, text FROM text WHERE id IN ({})", set(numbers)))
        return Texts(*(found.get(number, "") for number in numbers))

    def change(self, job: Job, **columns: Any) -> Job:
        """Write columns of a job; a state is dated, also where it is the old one."""
        if "state" in columns:
            columns["changed"] = now()
        columns = {name: scrub(value) if isinstance(value, str) else value for name, value in columns.items()}
        changes = ", ".join(f"{name} = ?" for name in columns)
        self._connection.execute(f"UPDATE job SET {changes} WHERE id = ?", (*columns.values(), job.id))
        return replace(job, **columns)

    def close(self, job: Job, provider_state: str, charged: int = 0, estimated: int = 0) -> None:
        """Let go of a job: its keys are free, and what it cost replaces what was reserved, all at once.

        `charged` is what requests cost that were answered, but not so that the answer can be read; `estimated` is how
        much of it is not the provider's own figure.
        """
        cost = (
            "SELECT coalesce(sum(micro_usd), 0), coalesce(sum(micro_usd * estimated), 0) FROM completion "
            "WHERE key IN (SELECT key FROM job_trial WHERE job = ?)"
        )
        with transaction(self._connection):
            settled, unsure = self._connection.execute(cost, (job.id,)).fetchone()
            columns = {"settled_micro_usd": settled + charged, "reserved_micro_usd": 0, "changed": now()}
            columns |= {"estimated_micro_usd": unsure + estimated, "state": "closed", "provider_state": provider_state}
            changes = ", ".join(f"{name} = ?" for name in columns)
            self._connection.execute(f"UPDATE job SET {changes} WHERE id = ?", (*columns.values(), job.id))
            self._connection.execute("DELETE FROM job_trial WHERE job = ?", (job.id,))

    def _select(self, where: str, *values: int) -> list[Job]:
        sql = f"SELECT {_JOB} FROM job WHERE model = ? AND {where} ORDER BY id"
        return [Job(*row) for row in self._connection.execute(sql, (self._model, *values)).fetchall()]

    def _insert(self, rows: Sequence[Sequence[Any]]) -> None:
        insert(self._connection, "INSERT OR REPLACE", "job_trial", _WAITING, rows)


def _row(key: bytes, job: int, waiting: Waiting) -> tuple[Any, ...]:
    trial = waiting.trial[1:]
    options = "\n".join(waiting.options)
    return (key, *trial, job, waiting.process, waiting.attempt, waiting.worst, options, *waiting.texts)


def _waiting(row: Sequence[Any], model: int) -> Waiting:
    options = tuple(row[10].split("\n")) if row[10] else ()
    return Waiting(Trial(model, *row[1:6]), row[7], row[8], row[9], options, (row[11], row[12], row[13]))
