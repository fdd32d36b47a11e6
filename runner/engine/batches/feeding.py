"""Feeding jobs: requests that are not answered yet gather until they fill one."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import islice

from runner.backends.batches.base import Batches
from runner.backends.catalogue.prices import worst_cost
from runner.backends.errors import BadRequest
from runner.backends.request import Request
from runner.crossing.trials import Asked, AskedModel, blocks
from runner.engine.batches.tending import Tender
from runner.engine.budget import BudgetReached
from runner.engine.context import Context
from runner.engine.live import LONGEST_POLL_SECONDS, POLL_SECONDS
from runner.engine.recorder import Recorder
from runner.engine.stopping import Stopping
from runner.store.jobs import Entry, Jobs

ROUND = 0.05  # of the people
UNSUPPORTED = BadRequest("unsupported", "providers' batches tell no log-likelihoods; choose another part")


class Feeder:
    """Looks up one model's trials and hands what is not answered to the tender, a job at a time."""

    def __init__(
        self,
        context: Context,
        model: AskedModel,
        recorder: Recorder,
        jobs: Jobs,
        batches: Batches,
        stopping: Stopping,
        tender: Tender,
    ) -> None:
        self._context, self._model, self._recorder = context, model, recorder
        self._jobs, self._batches, self._stopping, self._tender = jobs, batches, stopping, tender
        self._most_bytes = min(round(model.section.batch.megabytes * 1e6), batches.limits.size)
        self._buffer: dict[bytes, Entry] = {}
        self._gathered = 0  # bytes in the buffer
        self._came_to = 0  # the person of the last round that went up

    async def run(self, trials: Iterator[Asked]) -> None:
        """Ask what is not answered yet, and wait until nothing is left at the provider."""
        deferred: list[Asked] = []
        try:
            for block in blocks(trials):
                await self._keep_step(block)
                deferred += await self._take(block)
            await self._send_up(everything=True)
            pause = POLL_SECONDS
            while (deferred or self._buffer or self._tender.again or self._jobs.mine()) and not self._stopping.due:
                await self._tender.until_moved(pause)
                before, deferred = deferred, [each for block in blocks(deferred) for each in await self._take(block)]
                pause = POLL_SECONDS if len(deferred) < len(before) else min(1.5 * pause, LONGEST_POLL_SECONDS)
                if not self._jobs.mine():
                    await self._ask_again()
                    await self._send_up(everything=True)
        except BudgetReached:
            self._context.state.reach_cap(self._model.section.name)

    async def _keep_step(self, block: Sequence[Asked]) -> None:
        """Where a cap may end the run, no model's jobs get far ahead of another's.

        What has gathered goes up in rounds, each for a share of the people.
        """
        pace, crossing = self._context.pace, self._context.crossing
        person = crossing.place_of(block[-1].trial.persona)
        lead = max(1, round(ROUND * len(crossing.in_order)))
        if pace.is_kept_by(self._model) and person - self._came_to >= lead:
            await self._send_up(everything=True)
            await pace.come_to(self._model, person, lead)
            self._came_to = person

    async def _take(self, block: Sequence[Asked]) -> list[Asked]:
        """Look a block up and gather what is not answered; returns the trials that somebody else is asking."""
        if self._stopping.due:
            return []
        fresh = self._recorder.look_up(block)
        keys = {asked.key for asked in fresh}
        before, again = self._jobs.held(keys), self._tender.again
        new = [key for key in keys if not (key in before or key in self._buffer or key in again)]
        held = await self._context.leases.take(self._context.cache, new)
        mine = self._jobs.held(keys)
        held |= {key for key in before if not (key in mine or key in again)}  # whose job has come back meanwhile
        joining: dict[int, list[Asked]] = {}
        later = []
        for asked in fresh:
            if asked.key in mine:
                joining.setdefault(mine[asked.key], []).append(asked)
            elif asked.key in held:
                later.append(asked)
            else:
                self._gather(asked)
        for job, part in joining.items():
            self._jobs.join(job, [(asked.key, asked.trial) for asked in part])
        await self._send_up()
        await asyncio.sleep(0)
        return later

    def _gather(self, asked: Asked) -> None:
        """Put a trial's request with those of the next job, or let the trial wait for the one that is there."""
        key, request = asked.key, asked.request
        if key in self._buffer:
            self._buffer[key].trials.append(asked.trial)
        elif key in self._tender.again:
            self._tender.again[key].waiting.append(asked)
        elif request.kind == "loglik":
            self._recorder.record_failure(key, [asked], 1, UNSUPPORTED)
        else:
            self._buffer[key] = self._entry([asked], 1)
            self._gathered += len(self._buffer[key].line)

    def _entry(self, waiting: Sequence[Asked], attempt: int) -> Entry:
        first = waiting[0]
        worst = self._worst(first.request)
        line, texts = self._batches.line(first.request), self._recorder.texts(first)
        trials = [asked.trial for asked in waiting]
        return Entry(first.key, line, worst, attempt, first.request.options, texts, trials)

    def _worst(self, request: Request) -> int:
        """What is reserved for a request; without a cap, the most that the plan reckons with."""
        if self._jobs.capped:
            return worst_cost(self._recorder.price, self._model.identity, request)
        return self._recorder.worst(request)

    async def _send_up(self, everything: bool = False) -> None:
        """Make jobs of what has gathered, full ones only if not `everything`. Raises BudgetReached."""
        while self._buffer and not self._stopping.due:
            if not everything and len(self._buffer) < self._tender.most_requests and self._gathered < self._most_bytes:
                return
            entries = self._job_load()
            job = self._jobs.make(entries)
            if job is None:
                if not self._jobs.mine():
                    raise BudgetReached
                await self._tender.until_moved(LONGEST_POLL_SECONDS)
                continue
            content = b"".join(self._buffer.pop(entry.key).line for entry in entries[: job.requests])
            self._gathered -= len(content)
            await self._tender.bring(job, content)

    def _job_load(self) -> list[Entry]:
        """The first of what has gathered that go into one job."""
        load: list[Entry] = []
        size = 0
        for entry in islice(self._buffer.values(), self._tender.most_requests):
            size += len(entry.line)
            if load and size > self._most_bytes:
                break
            load.append(entry)
        return load

    async def _ask_again(self) -> None:
        """Gather what failed and is worth another try; what somebody else took meanwhile is theirs."""
        again = dict(self._tender.again)  # more may come back meanwhile
        held = await self._context.leases.take(self._context.cache, again)
        self._buffer |= {key: self._entry(due.waiting, due.attempt) for key, due in again.items() if key not in held}
        self._gathered = sum(len(entry.line) for entry in self._buffer.values())
        for key in again:
            del self._tender.again[key]
