"""One model's live part of a run: look up, single flight, limits, backend, score, record."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import nullcontext, suppress

from runner.backends.base import Answer, Batching, Remarking
from runner.backends.catalogue.prices import worst_cost
from runner.backends.catalogue.probe import is_about_parameters
from runner.backends.errors import BackendError, BadRequest, BrokenOff, ModelUnavailable, PromptRefused, Transient
from runner.backends.replies.waiting import in_words
from runner.backends.request import Request, Usage
from runner.backends.retry import LONGEST_WAIT, retrying
from runner.crossing.trials import Asked, AskedModel, blocks
from runner.engine.budget import Budget, BudgetReached, Charge, Reservation, charge
from runner.engine.context import Context
from runner.engine.flights import Flight, Flights
from runner.engine.limits import ALL_REFUSED, FIRST_SLOTS, NONE_READABLE, Admission, Breaker, Gate, RateLimits, Refusals
from runner.engine.pilot import REQUESTS, Piloted, letters_verdict, verdict
from runner.engine.recorder import Recorder, declined
from runner.engine.stopping import Stopped, Stopping, WaitingTasks

POLL_SECONDS = 0.5
LONGEST_POLL_SECONDS = 15.0
LOCAL_SECONDS = 10.0  # that a run which is to stop waits for a local model, which costs nothing to ask again
LONG_WAIT = 60.0  # seconds from which on the user is told why nothing happens
NO_LIMIT, NOTHING_RESERVED = Admission(0.0, 0.0), Reservation()


class LiveRun:
    """Feeds one model's trials through its workers; what they bring goes to the recorder."""

    def __init__(self, context: Context, model: AskedModel, recorder: Recorder, pilot: bool = True) -> None:
        self._context, self._model, self._recorder = context, model, recorder
        self._state, section = context.state, model.section
        self.stopping = Stopping(context, section.name)
        first = None if section.is_local else FIRST_SLOTS
        self._gate = Gate(context.slots.get(section.name, section.concurrency), first)
        self._rates = RateLimits(section.requests_per_minute, section.tokens_per_minute)
        self._breaker = Breaker(self._gate)
        is_new = recorder.is_new()
        self._refusals = Refusals(answered=not is_new)
        self._backend = context.make_backend(section, model.identity, self._rates.learn)
        self._budget = Budget(context.cache, context.process, model.id, context.study_cap, section.cap)
        self._deferred: list[Asked] = []
        self._queue: asyncio.Queue[Flight] = asyncio.Queue()
        self._flights = Flights(section.concurrency)
        self._workers: list[asyncio.Task[None]] = []
        self._admitting, self._computing = WaitingTasks(), WaitingTasks()
        self._letting_go = asyncio.Event()
        self._said_until = 0.0
        self._error: Exception | None = None
        self._is_probing, self._is_local = False, section.is_local
        self.waits = True  # for what others are asking; not where nobody will bring it any more
        if pilot and is_new:
            recorder.pilot = []
        self._state.limits[section.name] = self._limits

    @property
    def model(self) -> AskedModel:
        """The model as it is asked."""
        return self._model

    def adopt(self, model: AskedModel) -> None:
        """Ask with other parameters from now on."""
        self._model = model
        self._recorder.adopt(model)

    async def probe(self, asked: Asked, fits: Callable[[Answer], bool]) -> Answer | BackendError | None:
        """The answer to a trial asked alone, kept if it `fits`; or why there is none; None if the model is to stop."""
        flight, self._is_probing = Flight([asked]), True
        try:
            try:
                answer, price = await self._unless_stopped(flight)
            except Transient as error:
                answer, price = await retrying(error, lambda: self._unless_stopped(flight), self._pause)
            if fits(answer):
                self._store(flight, answer, price)
                self._recorder.probed = asked.trial
        except Stopped:
            return None
        except BackendError as error:
            return error
        finally:
            self._is_probing = False
        return answer

    @property
    def is_piloting(self) -> bool:
        """Whether the first answers of a new model are still to be judged."""
        return self._recorder.pilot is not None

    @property
    def deferred(self) -> bool:
        """Whether trials are left to another process."""
        return bool(self._deferred)

    def _limits(self) -> dict[str, float | None]:
        """How much may be sent at once as of now: `concurrency` of at most `most`, requests and tokens a minute."""
        rates = {"requests": self._rates.requests_per_minute, "tokens": self._rates.tokens_per_minute}
        return {"in_use": self._gate.active, "concurrency": int(self._gate.limit), "most": self._gate.most, **rates}

    async def run(self, trials: AsyncIterator[list[Asked]]) -> None:
        """Ask what is not answered yet of these blocks. Raises MtpaError for what ends the whole run."""
        letting_go = asyncio.create_task(self._let_go())
        try:
            async for block in trials:
                self._deferred += await self._take(block)
            await self.settle()
            if self._recorder.pilot and (reason := letters_verdict(self._recorder.pilot, self._is_local)):
                self.stopping.halt(reason)  # also after a short run: few answers are enough for this
            await self._note_exactness()
        finally:
            self._recorder.remark_on_ends()
            letting_go.cancel()
            for task in (*self._workers, *self._flights.retries()):
                task.cancel()
            await self._budget.close()
            await self._backend.close()
            if isinstance(self._backend, Remarking):
                self._state.remark(*self._backend.remarks())

    async def _let_go(self) -> None:
        """Once the model is to stop, nothing is waited for that takes minutes: a limit, another try, a local model."""
        while not self.stopping.due:
            await self.stopping.sleep(POLL_SECONDS)
        self._letting_go.set()
        self._admitting.let_go()
        await asyncio.sleep(LOCAL_SECONDS)
        self._computing.let_go()

    async def _note_exactness(self) -> None:
        """Keep what a backend that batches knows of its batches' exactness."""
        if isinstance(self._backend, Batching):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOCAL_SECONDS if self.stopping.due else None):
                    if found := await self._backend.exactness():
                        self._recorder.note_exactness(found)

    async def settle(self) -> None:
        """Wait until everything taken so far is answered, here or by another process."""
        pause = POLL_SECONDS
        while self._deferred and self.waits and not self.stopping.due:
            await self.stopping.sleep(pause)
            before = len(self._deferred)
            self._deferred = [asked for block in blocks(self._deferred) for asked in await self._take(block)]
            pause = POLL_SECONDS if len(self._deferred) < before else min(1.5 * pause, LONGEST_POLL_SECONDS)
        await self._until_landed()

    async def _take(self, block: Sequence[Asked]) -> list[Asked]:
        """Look a block up and send what is not answered; returns the trials that another process is asking."""
        if self.stopping.due:
            return []
        fresh = self._recorder.look_up(block)
        if not fresh or not self._context.options.send:
            return []
        keys = [asked.key for asked in fresh]
        held = await self._context.leases.take(self._context.cache, keys)
        later = []
        for asked in fresh:
            if asked.key not in held:
                await self._send(asked)
            elif not self._recorder.record_if_on_its_way(asked):  # else it was answered here meanwhile
                later.append(asked)
        await asyncio.sleep(0)
        return later

    async def _send(self, asked: Asked) -> None:
        """Put a trial's request on its way, or let the trial wait for the one that is."""
        if self._flights.joined_by(asked):
            return
        if self._recorder.record_if_on_its_way(asked):  # answered since the block was looked up
            return
        await self._flights.room()
        if self.stopping.due:
            return
        flight = self._flights.begin(asked)
        if not self._workers:
            count = self._model.section.concurrency
            self._workers = [asyncio.create_task(self._work()) for _ in range(count)]
        self._queue.put_nowait(flight)
        self._check()
        if (pilot := self._recorder.pilot) is not None and len(pilot) + len(self._flights) >= REQUESTS:
            await self._until_landed()
            self._finish_pilot(pilot)

    def _finish_pilot(self, pilot: Sequence[Piloted]) -> None:
        if len(pilot) >= REQUESTS:
            if reason := verdict(pilot, self._is_local):
                self.stopping.halt(reason)
            self._recorder.pilot = None

    async def _until_landed(self) -> None:
        """Wait until nothing is in flight."""
        while self._flights:
            try:
                async with asyncio.timeout(POLL_SECONDS):  # wait_for may swallow a cancellation in Python 3.11
                    await self._flights.next_landing()
            except TimeoutError:
                self._check()
        self._check()

    def _check(self) -> None:
        """What no worker could go on from ends the run."""
        if self._error is not None:
            raise self._error

    async def _work(self) -> None:
        """Make first attempts; a request that must be tried again goes on in a task of its own."""
        while True:
            flight = await self._queue.get()
            try:
                await self._try(flight)
            except Transient as error:
                flight.retries = asyncio.create_task(self._retry(flight, error))
            except Exception as error:  # the worker goes on, to let go of what waits
                self._end(flight, error)
            else:
                self._flights.land(flight)

    async def _retry(self, flight: Flight, first: Transient) -> None:
        """Make the further attempts; between them the flight holds neither a worker nor a slot."""
        try:
            await retrying(first, lambda: self._try(flight), self._pause)
        except Stopped:
            self._end(flight, flight.failure or first)
        except Exception as error:
            self._end(flight, error)
        else:
            self._flights.land(flight)

    async def _try(self, flight: Flight) -> None:
        """Attempt a request. Raises Stopped where the model is to stop, BackendError where this attempt failed."""
        try:
            self._store(flight, *await self._unless_stopped(flight))
        except ModelUnavailable as error:
            self.stopping.halt(str(error))
            raise Stopped from None

    async def _unless_stopped(self, flight: Flight) -> tuple[Answer, Charge]:
        """The answer to an attempt, and what it cost. Raises Stopped where the model is to stop, else BackendError."""
        if self.stopping.due:
            raise Stopped
        try:
            return await self._attempt(flight)
        except BudgetReached:
            self.stopping.halt_over_budget()
            raise Stopped from None
        except Transient as error:
            flight.failure = error
            if not self._may_wait(error):
                raise Stopped from None
            raise

    async def _attempt(self, flight: Flight) -> tuple[Answer, Charge]:
        """Send a request once: limits and budget first, then a slot."""
        request = flight.first.request
        reserved, admission = await self._admit(request)
        self._state.sent += 1
        self._state.in_flight += 1
        flight.attempts += 1
        try:
            with self._computing.here() if self._is_local else nullcontext():
                answer = await self._backend.answer(request)
            answer = self._recorder.ends.admit(answer, isinstance(flight.failure, BrokenOff))
        except PromptRefused as error:
            answer = declined(error)
        except Stopped:
            self._budget.settle(reserved, Charge())
            raise
        except BackendError as error:
            self._settle_costs(request, reserved, error.usage, error.charged)
            self._count_failure(error, flight.first)
            raise
        finally:
            self._state.in_flight -= 1
            self._gate.leave()
        self._gate.grow()
        self._breaker.succeeded()
        self._refusals.answered()
        if used := answer.usage.total:
            self._rates.settle(admission, used)
        return answer, self._settle_costs(request, reserved, answer.usage)

    def _store(self, flight: Flight, answer: Answer, price: Charge) -> None:
        self._recorder.store(flight.key, self._recorder.texts(flight.first), flight.waiting, answer, price)

    def _settle_costs(
        self, request: Request, reserved: Reservation, usage: Usage | None, charged: bool = True
    ) -> Charge:
        """Book what an attempt cost, if it was `charged`: what was used, else what was reserved."""
        unknown = charged and not (usage and usage.known)
        worst = reserved.amount or (self._recorder.worst(request) if unknown else 0)
        price = charge(self._recorder.price, usage, worst) if charged else Charge()
        self._state.spend(*price)
        self._budget.settle(reserved, price)
        return price

    async def _admit(self, request: Request) -> tuple[Reservation, Admission]:
        """Wait until the budget, a slot and the rates, in this order, allow a request.

        What is let through is sent at once. Returns what was reserved for it, in money and tokens. Raises Stopped.
        """
        if not self._budget.capped and not self._rates.limited and self._gate.enter_at_once():
            return NOTHING_RESERVED, NO_LIMIT
        reserved, inside = NOTHING_RESERVED, False
        try:
            with self._admitting.here():
                if self._budget.capped:
                    worst = worst_cost(self._recorder.price, self._model.identity, request)
                    reserved = await self._budget.reserve(worst)
                await self._gate.enter()
                inside, rates = True, self._rates
                admission = await rates.admit(self._recorder.most_tokens(request)) if rates.limited else NO_LIMIT
                if self.stopping.due:  # while it waited
                    raise Stopped
        except (asyncio.CancelledError, Stopped):
            self._budget.settle(reserved, Charge())
            if inside:
                self._gate.leave()
            raise
        return reserved, admission

    def _may_wait(self, error: Transient) -> bool:
        """Whether the wait that an endpoint asks for is one that a run makes; a long one is said at once."""
        seconds, name = error.retry_after or 0.0, self._model.section.name
        if seconds > LONGEST_WAIT:
            self.stopping.halt(f"the endpoint asks to wait {in_words(seconds)}: {error}; run again then")
            return False
        if seconds > LONG_WAIT and time.monotonic() > self._said_until:
            self._said_until = time.monotonic() + seconds
            self._state.notice(f"{name} waits {in_words(seconds)}, as its endpoint asks: {error}")
        return True

    def _count_failure(self, error: BackendError, asked: Asked) -> None:
        name = self._model.section.name
        self._state.failed(name, error)
        if isinstance(error, Transient):
            if error.kind == "429":
                self._gate.shrink()
            elif self._breaker.failed():
                self.stopping.halt(f"most calls fail, the last with {error}")
        if self._is_probing:
            return
        if is_about_parameters(error, self._model.section, asked.request.parameters):
            self.stopping.halt(f"its endpoint refuses a parameter that it is asked with: {error}")
        if self._refusals.refused(error, asked.persona_text):
            reason = ALL_REFUSED if isinstance(error, BadRequest) else NONE_READABLE
            self.stopping.halt(f"{reason}: {error}")

    async def _pause(self, seconds: float) -> None:
        """Wait for another try, but not once the model is to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._letting_go.wait()

    def _end(self, flight: Flight, error: Exception) -> None:
        """Land a flight without an answer: it failed, was not sent, or cannot be recorded, which ends the run."""
        try:
            if isinstance(error, BackendError):
                self._recorder.record_failure(flight.key, flight.waiting, flight.attempts, error)
            elif not isinstance(error, Stopped):
                raise error
        except Exception as broken:
            self._break_off(broken)
        self._flights.land(flight)

    def _break_off(self, error: Exception) -> None:
        """End the run with the first such error."""
        self._error = self._error or error
        self.stopping.halted = True
