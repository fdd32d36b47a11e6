"""ResultCache: every completion by its key, in one SQLite file with one writer."""

import asyncio
import queue
import sqlite3
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from personas.errors import MachineError, MtpaError
from runner.backends.request import Usage, without_surrogates
from runner.store.database import database_errors, is_locked, now, open_database, opened, transaction
from runner.store.rows import insert, select_many, text_ids
from runner.study.masking import scrub
from scoring.answers.responses import Outcome, Response

GROUP_ROWS = 512
GROUP_SECONDS = 0.05
QUEUED = 64 * GROUP_ROWS  # what the writer may be behind: more than what is in flight when the file gets locked
LOOK_AGAIN_MS = 5_000
PATIENCE = 1800.0  # seconds for which answers are kept in memory while another program holds the file

T = TypeVar("T")


class Trial(NamedTuple):
    """One cell of the cross product, by the ids of its rows; persona and variant are 0 in the baseline."""

    model: int
    persona: int
    variant: int
    item: int
    rotation: int
    replicate: int


class Texts(NamedTuple):
    """The texts that an answer is kept with."""

    persona: str
    item: str
    system: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for a key, and the texts that it answers."""

    key: bytes
    model: int
    persona_text: str
    item_text: str
    system_text: str
    response: Response
    usage: Usage
    micro_usd: int = 0
    saved_micro_usd: int = 0
    estimated: bool = False  # the cost: the provider did not say what was used


class Score(NamedTuple):
    """A trial's outcome, and which code it is from.

    `key` names the answer where it is not the one recorded with it, because that is a judge's.
    """

    trial: Trial
    outcome: Outcome
    expected: float | None
    scorer: str
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class Failure:
    """A trial that was asked and not answered."""

    key: bytes
    trial: Trial
    attempt: int
    kind: str
    message: str


ScoreName = tuple[int, int, int, bytes, str]  # item, rotation, replicate, the answer's key, scorer version


class Known(NamedTuple):
    """A completion that is in the file."""

    id: int
    response: Response


_COMPLETION = (
    "id key model persona_text item_text system_text answer letters mass ceiling finish "
    "prompt_tokens completion_tokens reasoning_tokens cached_tokens micro_usd saved_micro_usd latency_ms "
    "written_tokens estimated"
).split()
_SCORE = (
    "model persona variant item rotation replicate completion "
    "chosen_by_text chosen_by_probability value expected status scorer"
).split()
_FAILURE = "key model persona variant item rotation replicate attempt kind message at".split()


class _Reply(NamedTuple):
    """What the writer is to compute within a transaction, and who waits for it."""

    compute: Callable[[sqlite3.Connection], Any]
    result: Future[Any]


class _Job(NamedTuple):
    """What one call hands to the writer."""

    key: bytes = b""
    completion: Completion | None = None
    scores: Sequence[Score] = ()
    failures: Sequence[Failure] = ()
    statement: tuple[str, Sequence[Any]] | None = None
    reply: _Reply | None = None


class ResultCache:
    """Look-ups on the caller's connection; one thread writes, in groups of up to 512 jobs or 50 ms."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = open_database(path)
        self.error: MtpaError | None = None
        self.committed = 0
        self.is_kept_waiting = False  # by another program that holds the file
        self._handed = 0
        self._is_closed = False
        self._texts: dict[bytes, int] = {}
        self._jobs: queue.Queue[_Job | None] = queue.Queue(maxsize=QUEUED)
        self._is_due = threading.Event()  # a group is not to wait for more
        self._thread = threading.Thread(target=self._write_until_closed, name="mtpa-writer", daemon=True)
        self._thread.start()

    def find(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """The completion ids of those keys that are in the file."""
        sql = "SELECT key, id FROM completion WHERE key IN ({})"
        with database_errors(self.path):
            return dict(select_many(self.connection, sql, keys))

    def responses(self, ids: Iterable[int], loglik: bool = False) -> dict[int, Known]:
        """The responses of these completions; `loglik` says that their numbers are log-likelihoods, not letters."""
        sql = "SELECT id, answer, letters, finish, ceiling FROM completion WHERE id IN ({})"
        with database_errors(self.path):
            rows = list(select_many(self.connection, sql, ids))
        return {
            row: Known(row, _response(answer, blob, finish, ceiling, loglik))
            for row, answer, blob, finish, ceiling in rows
        }

    def scored(self, model: int, persona: int, variant: int, first: int, last: int) -> dict[ScoreName, float | None]:
        """The values of this persona's scores on the items from `first` to `last`, but of those that await a judge."""
        sql = (
            "SELECT item, rotation, replicate, key, scorer, value FROM score "
            "JOIN completion ON completion.id = score.completion WHERE score.model = ? AND persona = ? "
            "AND variant = ? AND item BETWEEN ? AND ? AND status != 'pending'"
        )
        with database_errors(self.path):
            rows = self.connection.execute(sql, (model, persona, variant, first, last)).fetchall()
        return {row[:5]: row[5] for row in rows}

    def served(self, model: int) -> str:
        """The version that the model's answers in the file are from; "" before the first."""
        row = self.connection.execute("SELECT served FROM model WHERE id = ?", (model,)).fetchone()
        return str(row[0]) if row else ""

    def record(
        self,
        key: bytes,
        completion: Completion | None = None,
        scores: Sequence[Score] = (),
        failures: Sequence[Failure] = (),
    ) -> int:
        """Hand a completion and the scores of the trials that share it to the writer, which commits them together.

        Without a completion, the key's is in the file or on its way. Returns the number that `committed` reaches once
        this is on the disk. Blocks while the writer is far behind; raises what stopped the writer, such as a full disk.
        """
        return self._put(_Job(key, completion, scores, failures))

    def execute(self, sql: str, values: Sequence[Any]) -> int:
        """Have the writer run one statement with its next group."""
        return self._put(_Job(statement=(sql, values)))

    async def compute(self, compute: Callable[[sqlite3.Connection], T]) -> T:
        """What a short write returns, which the writer makes at once, in the transaction of its next group.

        It comes after everything that was handed over before. Raises what stopped the writer.
        """
        result: Future[T] = Future()
        self._put(_Job(reply=_Reply(compute, result)))
        self._is_due.set()
        return await asyncio.wrap_future(result)

    def _put(self, job: _Job) -> int:
        if self._is_closed:
            raise ValueError(f"{self.path} is closed: nothing more is recorded there")
        if self.error:
            raise self.error
        self._handed += 1
        self._jobs.put(job)
        return self._handed

    async def until_committed(self) -> None:
        """Wait until everything that was handed over is on the disk, or the writer has stopped."""
        while self.error is None and self.committed < self._handed:
            await asyncio.sleep(0.01)

    def close(self) -> None:
        """Commit what is waiting and close the file; whoever records afterwards gets a ValueError.

        Raises what stopped the writer. To close twice does no more than to close once.
        """
        if not self._is_closed:
            self._is_closed = True
            self._jobs.put(None)
            self._is_due.set()
            self._thread.join()
            self.connection.close()
            if self.error:
                raise self.error

    def _write_until_closed(self) -> None:
        group: list[_Job | None] = []
        try:
            with opened(self.path, create=True) as connection:
                connection.execute(f"PRAGMA busy_timeout = {LOOK_AGAIN_MS}")
                self._texts = dict(connection.execute("SELECT sha, id FROM text"))
                while group[-1:] != [None]:
                    group = self._next_group()
                    self._commit_when_free(connection, [job for job in group if job is not None])
        except Exception as error:  # whatever it is, the run must hear of it
            unknown = MachineError(f"{self.path}: an answer cannot be written: {type(error).__name__}: {error}")
            self.error = error if isinstance(error, MtpaError) else unknown
            while True:  # nobody may wait for a writer that is gone
                for job in group:
                    if job is not None and job.reply and job.reply.result.set_running_or_notify_cancel():
                        job.reply.result.set_exception(self.error)
                if group[-1:] == [None]:
                    break
                group = [self._jobs.get()]

    def _next_group(self) -> list[_Job | None]:
        """What is handed over within 50 ms, taken in one go: to wake for each job would cost the event loop time."""
        group = [self._jobs.get()]
        if self._jobs.qsize() < GROUP_ROWS:
            self._is_due.wait(GROUP_SECONDS)
        self._is_due.clear()
        with suppress(queue.Empty):
            while group[-1] is not None and len(group) < GROUP_ROWS:
                group.append(self._jobs.get_nowait())
        return group

    def _commit_when_free(self, connection: sqlite3.Connection, group: Sequence[_Job]) -> None:
        """Commit once no other program holds the file, or give up after `PATIENCE`."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._commit(connection, group)
            except sqlite3.OperationalError as error:
                if not is_locked(error) or time.monotonic() > deadline:
                    raise
                self.is_kept_waiting = True
            else:
                self.is_kept_waiting = False
                return

    def _commit(self, connection: sqlite3.Connection, group: Sequence[_Job]) -> None:
        with transaction(connection):
            ids = self._completion_ids(connection, group)
            scores = [_score_row(score, ids[score.key or job.key]) for job in group for score in job.scores]
            insert(connection, "INSERT OR REPLACE", "score", _SCORE, scores)
            failures = [_failure_row(failure) for job in group for failure in job.failures]
            insert(connection, "INSERT", "failure", _FAILURE, failures)
            answered = [job.key for job in group if job.completion or job.failures]
            for _ in select_many(connection, "DELETE FROM lease WHERE key IN ({})", answered):
                pass
            for job in group:
                if job.statement:
                    connection.execute(*job.statement)
            replies = [(job.reply.result, job.reply.compute(connection)) for job in group if job.reply]
        self.committed += len(group)
        for result, value in replies:
            if result.set_running_or_notify_cancel():
                result.set_result(value)

    def _completion_ids(self, connection: sqlite3.Connection, group: Sequence[_Job]) -> dict[bytes, int]:
        """Key → id; a completion that is there already, from another process, is kept as it is."""
        sql = "SELECT key, id FROM completion WHERE key IN ({})"
        keys = {job.key for job in group if job.completion or job.scores}
        keys |= {score.key for job in group for score in job.scores if score.key}
        ids = {bytes(key): row for key, row in select_many(connection, sql, keys)}
        fresh = {job.key: job.completion for job in group if job.completion and job.key not in ids}
        said = {text for each in fresh.values() for text in (each.persona_text, each.item_text, each.system_text)}
        texts = text_ids(connection, said, self._texts)
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM completion").fetchone()
        rows = []
        for number, each in enumerate(fresh.values(), start=last + 1):
            ids[each.key] = number
            rows.append(_completion_row(number, each, texts))
        insert(connection, "INSERT", "completion", _COMPLETION, rows)
        return ids


def pack(values: Sequence[float] | None) -> bytes | None:
    """Numbers as the file keeps them: float32, in the machine's (little-endian) order; NULL where there are none."""
    return array("f", values).tobytes() if values else None


def unpack(blob: bytes | None) -> tuple[float, ...] | None:
    """The inverse of `pack`."""
    return None if blob is None else tuple(array("f", blob))


def as_stored(response: Response) -> Response:
    """The response as a later look-up gives it, so that a score does not depend on when it was made.

    It holds no key that an endpoint echoes.
    """
    text = response.text and scrub(without_surrogates(response.text))
    letters, logliks = unpack(pack(response.letter_logprobs)), unpack(pack(response.logliks))
    finish = scrub(response.finish)
    if (text, letters, logliks, finish) == (response.text, response.letter_logprobs, response.logliks, response.finish):
        return response  # as most texts are
    return replace(response, text=text, letter_logprobs=letters, logliks=logliks, finish=finish)


def _response(answer: str | None, blob: bytes | None, finish: str, ceiling: float | None, loglik: bool) -> Response:
    numbers = unpack(blob)
    return Response(answer, None if loglik else numbers, numbers if loglik else None, finish, ceiling)


def _completion_row(number: int, each: Completion, texts: dict[str, int]) -> tuple[Any, ...]:
    response, usage = each.response, each.usage
    numbers = response.letter_logprobs if response.logliks is None else response.logliks
    return (
        number,
        each.key,
        each.model,
        texts[each.persona_text],
        texts[each.item_text],
        texts[each.system_text],
        response.text,
        pack(numbers),
        response.mass,
        response.ceiling,
        response.finish,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.reasoning_tokens,
        usage.cached_tokens,
        each.micro_usd,
        each.saved_micro_usd,
        usage.latency_ms,
        usage.written_tokens,
        each.estimated,
    )


def _score_row(score: Score, completion: int) -> tuple[Any, ...]:
    outcome = score.outcome
    chosen = (outcome.chosen_by_text, outcome.chosen_by_probability)
    return (*score.trial, completion, *chosen, outcome.value, score.expected, outcome.status, score.scorer)


def _failure_row(failure: Failure) -> tuple[Any, ...]:
    return (failure.key, *failure.trial, failure.attempt, failure.kind, failure.message[:2000], now())
