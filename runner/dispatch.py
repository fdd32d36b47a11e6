"""One model's part of a run: look up, single flight, limits, backend, score, record."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, cast

from personas.errors import MtpaError
from runner.backends.base import Answer, Batching, Remarking
from runner.budget import Budget, BudgetReached
from runner.cache import Completion, Failure, Score, ScoreState, as_stored
from runner.context import Context
from runner.estimate import estimate
from runner.limits import Breaker, Gate, Rates
from runner.pilot import REQUESTS, Piloted, verdict
from runner.prices import cost, price_of, worst_cost, worst_prompt_tokens
from runner.retry import BackendError, ModelUnavailable, Transient, retrying
from runner.state import Tally
from runner.trials import Asked, AskedModel, Judged
from scoring.answers import Outcome, Response
from scoring.benchmarks.base import Judged as JudgedBenchmark
from scoring.benchmarks.base import JudgeQuestion
from scoring.expected import expected_value

BLOCK = 512
POLL_SECONDS = 0.5


class Judge(Protocol):
    """Where answers go that a benchmark cannot score by itself."""

    def submit(self, asked: Asked, question: JudgeQuestion, judged: Judged) -> None:
        """Have an answer judged; its score is pending until then."""
        ...


@dataclass
class Flight:
    """A request on its way and every trial that waits for it; `again` is set for another attempt."""

    waiting: list[Asked]
    again: asyncio.Future[None] | None = None
    attempts: int = 0
    retry: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def first(self) -> Asked:
        """The trial that the request was made for."""
        return self.waiting[0]

    @property
    def key(self) -> bytes:
        """The request's key."""
        return self.waiting[0].request.key


class ModelRun:
    """Feeds one model's trials through its workers."""

    def __init__(self, context: Context, model: AskedModel, judges: Mapping[str, Judge] | None = None) -> None:
        self._context, self._model = context, model
        self._cache, self._state, self._judges = context.cache, context.state, judges or {}
        section = model.section
        self._price = price_of(section)
        self._estimate = estimate(model, context.cache)
        self._gate = Gate(section.concurrency)
        self._rates = Rates(section.requests_per_minute, section.tokens_per_minute)
        self._breaker = Breaker(self._gate)
        self._backend = context.make_backend(section, model.identity, self._rates.learn)
        cap = None if section.usd is None else round(section.usd * 1e6)
        self._budget = Budget(context.cache, context.process, model.id, context.study_cap, cap)
        self._queue: asyncio.Queue[Flight] = asyncio.Queue(maxsize=section.concurrency)
        self._window = asyncio.Semaphore(4 * section.concurrency)
        self._landed = asyncio.Event()
        self._flights: dict[bytes, Flight] = {}
        self._uncommitted: dict[bytes, tuple[int, Response]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._halted = False
        self._pilot: list[Piloted] | None = [] if context.options.pilot and self._is_new() else None
        self._served = context.cache.served(model.id)
        self._plan()

    def _plan(self) -> None:
        """Count the trials that there will be."""
        for question, count in self._context.crossing.counts(self._model):
            key = (self._model.section.name, question.measure)
            self._state.tallies.setdefault(key, Tally()).planned += count

    async def _blocks(self) -> AsyncIterator[list[Asked]]:
        """The trials to ask, a few hundred at a time."""
        trials = islice(self._context.crossing.trials(self._model), self._context.options.limit)
        for block in _blocks(trials):
            yield block

    async def run(self) -> None:
        """Ask everything that is not answered yet. Raises MtpaError for what ends the whole run."""
        try:
            deferred: list[Asked] = []
            async for block in self._blocks():
                deferred += await self._take(block)
            while deferred and not self._stopping:
                await asyncio.sleep(POLL_SECONDS)
                deferred = [asked for block in _blocks(deferred) for asked in await self._take(block)]
            await self._until_landed()
        finally:
            for task in (*self._workers, *(flight.retry for flight in self._flights.values() if flight.retry)):
                task.cancel()
            self._budget.close()
            await self._note_exactness()
            await self._backend.close()
            if isinstance(self._backend, Remarking):
                self._state.remarks += self._backend.remarks()

    async def _note_exactness(self) -> None:
        """Keep what a backend that batches knows of its batches' exactness."""
        if isinstance(self._backend, Batching) and (found := await self._backend.exactness()):
            self._cache.execute("UPDATE model SET exactness = ? WHERE id = ?", (json.dumps(found), self._model.id))

    @property
    def _stopping(self) -> bool:
        return self._halted or self._context.stop.is_set()

    def _is_new(self) -> bool:
        sql = "SELECT 1 FROM completion WHERE model = ? LIMIT 1"
        return self._cache.connection.execute(sql, (self._model.id,)).fetchone() is None

    async def _take(self, block: Sequence[Asked]) -> list[Asked]:
        """Look a block up and send what is not answered; returns the trials that another process is asking."""
        if self._stopping:
            return []
        fresh = self._look_up(block)
        if not fresh or not self._context.options.send:
            return []
        held = self._context.leases.take([asked.request.key for asked in fresh])
        later = [asked for asked in fresh if asked.request.key in held]
        for asked in fresh:
            if asked.request.key not in held:
                await self._send(asked)
        await asyncio.sleep(0)
        return later

    async def _send(self, asked: Asked) -> None:
        """Put a trial's request on its way, or let the trial wait for the one that is."""
        key = asked.request.key
        if key in self._flights:
            self._flights[key].waiting.append(asked)
            return
        if key in self._uncommitted:  # answered since the block was looked up
            self._tally(asked).hits += 1
            self._record(key, self._uncommitted[key][1], [asked])
            return
        await self._window.acquire()
        if self._stopping:
            self._window.release()
            return
        self._flights[key] = Flight([asked])
        if not self._workers:
            count = self._model.section.concurrency
            self._workers = [asyncio.create_task(self._work()) for _ in range(count)]
        await self._queue.put(self._flights[key])
        self._check_workers()
        if self._pilot is not None and len(self._pilot) + len(self._flights) >= REQUESTS:
            await self._finish_pilot()

    async def _finish_pilot(self) -> None:
        await self._until_landed()
        if self._pilot is not None and len(self._pilot) >= REQUESTS:
            if reason := verdict(self._pilot):
                self._halt(reason)
            self._pilot = None

    async def _until_landed(self) -> None:
        """Wait until nothing is in flight."""
        while self._flights:
            if self._stopping:
                for flight in list(self._flights.values()):
                    if flight.retry:
                        flight.retry.cancel()
            self._landed.clear()
            try:
                async with asyncio.timeout(POLL_SECONDS):  # wait_for may swallow a cancellation in Python 3.11
                    await self._landed.wait()
            except TimeoutError:
                self._check_workers()
        self._check_workers()

    def _check_workers(self) -> None:
        """What ended a worker ends the run."""
        for worker in self._workers:
            if worker.done() and not worker.cancelled() and (error := worker.exception()):
                raise error

    def _look_up(self, block: Sequence[Asked]) -> list[Asked]:
        """Score what is answered; return the trials whose request is not."""
        done = self._cache.committed  # before the look-up: what is committed meanwhile must stay in one of the two
        known = self._cache.find({asked.request.key for asked in block})
        self._uncommitted = {key: entry for key, entry in self._uncommitted.items() if entry[0] > done}
        scored: dict[tuple[int, int], Mapping[tuple[int, ...], ScoreState]] = {}
        stale: dict[int, list[Asked]] = {}
        fresh = []
        for asked in block:
            key, trial = asked.request.key, asked.trial
            if key in known:
                pair = (trial.persona, trial.variant)
                if pair not in scored:
                    scored[pair] = self._cache.scored(trial.model, *pair)
                self._tally(asked).hits += 1
                found = scored[pair].get(trial[3:])
                if found and self._is_current(asked, known[key], found):
                    self._tally(asked).add(asked, found[2])
                else:
                    stale.setdefault(known[key], []).append(asked)
            elif key in self._uncommitted:
                self._tally(asked).hits += 1
                self._record(key, self._uncommitted[key][1], [asked])
            else:
                fresh.append(asked)
        self._rescore(stale)
        return fresh

    def _is_current(self, asked: Asked, completion: int, found: ScoreState) -> bool:
        """Whether a score in the file may stay: of this answer, by today's scorer, and not waiting for a judge."""
        again = asked.judged is not None or self._context.options.rescore or found[3] == "pending"
        return not again and found[:2] == (completion, asked.question.scorer)

    def _rescore(self, stale: Mapping[int, Sequence[Asked]]) -> None:
        for loglik in (False, True):
            part = {row: asked for row, asked in stale.items() if (asked[0].question.item.ask == "loglik") is loglik}
            for row, known in self._cache.responses(part, loglik).items():
                self._record(part[row][0].request.key, known.response, part[row])

    async def _work(self) -> None:
        while True:
            flight = await self._queue.get()
            if self._stopping:
                self._drop(flight)
                continue
            try:
                await self._attempt(flight)
            except BudgetReached:
                self._state.over_budget.add(self._model.section.name)
                self._halted = True
                self._drop(flight)
            except ModelUnavailable as error:
                self._halt(str(error))
                self._drop(flight)
            except Transient as error:
                self._try_again(flight, error)
            except BackendError as error:
                self._fail(flight, error)
            except MtpaError:
                self._halted = True
                self._drop(flight)
                raise

    async def _attempt(self, flight: Flight) -> None:
        """Send a request once: limits and budget first, then a slot."""
        request = flight.first.request
        if self._rates.limited:
            await self._rates.admit(worst_prompt_tokens(request) // 4)
        reserved = worst_cost(self._price, self._model.identity, request) if self._budget.capped else 0
        await self._budget.reserve(reserved)
        await self._gate.enter()
        self._state.sent += 1
        self._state.in_flight += 1
        flight.attempts += 1
        try:
            answer = await self._backend.answer(request)
        except BackendError as error:
            self._budget.settle(reserved, reserved if error.charged else 0)
            self._count_failure(error)
            raise
        finally:
            self._state.in_flight -= 1
            self._gate.leave()
        self._gate.grow()
        self._breaker.succeeded()
        price = cost(self._price, answer.usage)
        self._state.micro_usd += price
        self._budget.settle(reserved, price)
        self._complete(flight, answer, price)

    def _count_failure(self, error: BackendError) -> None:
        name = self._model.section.name
        self._state.last_failure[name] = f"{error.kind}: {error}"[:300]
        if isinstance(error, Transient):
            if error.kind == "429":
                self._gate.shrink()
            elif self._breaker.failed():
                self._halt(f"most calls fail, the last with {error}")
        self._state.concurrency[name] = int(self._gate.limit)

    def _try_again(self, flight: Flight, error: Transient) -> None:
        """A first failure starts the flight's retries, outside of any slot; a later one goes back to them."""
        if flight.again is not None:
            again, flight.again = flight.again, None
            again.set_exception(error)
        else:
            flight.retry = asyncio.create_task(self._retry(flight, error))

    async def _retry(self, flight: Flight, error: Transient) -> None:
        async def again() -> None:
            flight.again = asyncio.get_running_loop().create_future()
            await self._queue.put(flight)
            await flight.again

        try:
            await retrying(error, again)
        except BackendError as last:
            self._fail(flight, last)
        except asyncio.CancelledError:
            if flight.key in self._flights:
                self._fail(flight, error)
            raise

    def _complete(self, flight: Flight, answer: Answer, price: int) -> None:
        if answer.served and answer.served != self._served:
            self._note_served(answer.served)
        first = flight.first
        response = as_stored(answer.response)
        completion = Completion(
            key=flight.key,
            model=self._model.id,
            persona_text="" if first.judged else first.persona_text,
            item_text=first.request.messages[-1]["content"] if first.judged else first.text,
            system_text="" if first.judged else self._context.crossing.system,
            response=response,
            usage=answer.usage,
            micro_usd=price,
        )
        for asked in flight.waiting:
            self._tally(asked).answered += 1
        self._record(flight.key, response, flight.waiting, completion)
        self._land(flight)

    def _note_served(self, served: str) -> None:
        """Baseline and persona must come from one version of the model: another one is not mixed in."""
        if self._served:
            raise ModelUnavailable(
                "version",
                f"the endpoint now serves {served!r}, but the answers in {self._cache.path} are from {self._served!r}: "
                "name that version in `id`, or use a new database",
                charged=True,
            )
        self._served = served
        self._cache.execute("UPDATE model SET served = ? WHERE id = ?", (served, self._model.id))

    def _record(
        self, key: bytes, response: Response, trials: Sequence[Asked], completion: Completion | None = None
    ) -> None:
        scores = []
        for asked in trials:
            scores.append(self._score(key, asked, response))
            outcome = scores[-1].outcome
            if completion and self._pilot is not None and asked is trials[0]:
                planned = self._estimate.cost(self._estimate.prompt_tokens(asked.request), self._estimate.high)
                self._pilot.append(Piloted(response, outcome, completion.micro_usd, planned))
        self._uncommitted[key] = (self._cache.record(key, completion, scores), response)

    def _score(self, key: bytes, asked: Asked, response: Response) -> Score:
        """A trial's score; it is pending where a judge must be asked, who is asked now."""
        question, judged = asked.question, asked.judged
        if judged is not None:
            outcome = cast(JudgedBenchmark, question.benchmark).settle(question.item, judged.response, response)
            self._tally(asked).add(asked, outcome.value)
            return Score(asked.trial, outcome, None, question.scorer, judged.key)
        found = question.benchmark.score(question.item, asked.order, response, asked.persona)
        if isinstance(found, JudgeQuestion):
            judge = self._judges[question.judge or ""]
            judge.submit(asked, found, Judged(response, key))
            return Score(asked.trial, Outcome("pending"), None, question.scorer)
        self._tally(asked).add(asked, found.value)
        return Score(asked.trial, found, expected_value(question.item, asked.order, response), question.scorer)

    def _fail(self, flight: Flight, error: BackendError) -> None:
        if flight.key not in self._flights:
            return
        self._state.failures[self._model.section.name, error.kind] += len(flight.waiting)
        for asked in flight.waiting:
            self._tally(asked).failed += 1
        attempts = max(1, flight.attempts)
        failures = [Failure(flight.key, asked.trial, attempts, error.kind, str(error)) for asked in flight.waiting]
        self._cache.record(flight.key, failures=failures)
        self._land(flight)

    def _drop(self, flight: Flight) -> None:
        """Forget a flight that was not sent."""
        if flight.retry:
            flight.retry.cancel()
        elif flight.key in self._flights:
            self._land(flight)

    def _land(self, flight: Flight) -> None:
        del self._flights[flight.key]
        self._window.release()
        self._landed.set()
        if flight.again is not None and not flight.again.done():
            flight.again.set_result(None)

    def _halt(self, reason: str) -> None:
        self._halted = True
        self._state.stopped.setdefault(self._model.section.name, reason)

    def _tally(self, asked: Asked) -> Tally:
        return self._state.tallies[self._model.section.name, asked.question.measure]


def _blocks(trials: Iterable[Asked]) -> Iterator[list[Asked]]:
    iterator = iter(trials)
    while block := list(islice(iterator, BLOCK)):
        yield block
