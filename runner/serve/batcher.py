"""Collects what waits for the model and runs what belongs together, as much as memory allows."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

from runner.serve.generation import Generated, GenerationRequest, Left
from runner.serve.prefix_tree import common
from runner.serve.prompts import PromptRow, RowScores
from runner.serve.token_budget import TokenBudget, is_out_of_memory

LINGER = 0.002  # seconds without a new prompt, after which a batch that has room for more is run as it is
WRITING = 4  # a token that is written beside others costs less memory than one in a pass

Asked = TypeVar("Asked", PromptRow, GenerationRequest)
Given = TypeVar("Given", RowScores, Generated)
T = TypeVar("T")


class TooLarge(Exception):
    """One prompt alone does not fit into memory."""


class Answering(Protocol):
    """The two things that the batcher asks of a model, from one thread."""

    def tell(self, rows: Sequence[PromptRow]) -> list[RowScores]:
        """What is asked of each row."""
        ...

    def write(self, generations: Sequence[GenerationRequest], left: Left) -> list[Generated]:
        """The answers to prompts that want the same stop strings; `left` says whose caller is gone."""
        ...


@dataclass
class Counts:
    """What the batcher did since it was started."""

    prompts: int = 0
    passes: int = 0
    given_tokens: int = 0
    computed_tokens: int = 0
    written_tokens: int = 0
    busy_seconds: float = 0.0
    out_of_memory: int = 0


@dataclass(eq=False)
class QueuedWork(Generic[Asked, Given]):
    """A prompt that waits; `number` says how early it came."""

    asked: Asked
    number: int
    future: "asyncio.Future[Given]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """One worker over one model.

    Memory decides how much is run at once: a budget of tokens that is halved where memory runs out and grows again.
    """

    def __init__(self, model: Answering, budget: TokenBudget) -> None:
        self._model, self.budget, self.counts = model, budget, Counts()
        self._rows: list[QueuedWork[PromptRow, RowScores]] = []
        self._generations: list[QueuedWork[GenerationRequest, Generated]] = []
        self._arrived = asyncio.Event()
        self._number = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mtpa-model")

    @property
    def waiting(self) -> int:
        """How many prompts wait."""
        return len(self._rows) + len(self._generations)

    async def tell(self, rows: Sequence[PromptRow]) -> list[RowScores]:
        """What is asked of each row. Raises TooLarge."""
        entries: list[QueuedWork[PromptRow, RowScores]] = [QueuedWork(row, self._next()) for row in rows]
        self._rows += entries
        self._arrived.set()
        return await _all(entries)

    async def write(self, generation: GenerationRequest) -> Generated:
        """The answer to a prompt. Raises TooLarge."""
        entry: QueuedWork[GenerationRequest, Generated] = QueuedWork(generation, self._next())
        self._generations.append(entry)
        self._arrived.set()
        return (await _all([entry]))[0]

    async def alone(self, job: Callable[[], T]) -> T:
        """Run something else on the model, between the batches."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    async def work(self) -> None:
        """Run batches until cancelled."""
        while True:
            await self._arrived.wait()
            await self._gather()
            if rows := _live(self._rows):
                batch = fill(rows, self.budget.size)
                self._rows = _without(rows, batch)
                await self._run(batch, self._rows, self._tell)
            if generations := _live(self._generations):
                texts = generation_batch(generations, WRITING * self.budget.size)
                self._generations = _without(generations, texts)
                await self._run(texts, self._generations, self._write)
            self._rows, self._generations = _live(self._rows), _live(self._generations)
            if not self.waiting:
                self._arrived.clear()

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _gather(self) -> None:
        """Wait while prompts keep coming and the batch has room for them."""
        seen = -1
        while seen < self._number and sum(len(entry.asked.tokens) for entry in self._rows) < self.budget.size:
            seen = self._number
            await asyncio.sleep(LINGER)

    async def _run(
        self,
        batch: list[QueuedWork[Asked, Given]],
        waiting: list[QueuedWork[Asked, Given]],
        job: Callable[[Sequence[QueuedWork[Asked, Given]]], list[Given]],
    ) -> None:
        """Answer a batch.

        One that does not fit into memory waits again, to be tried in smaller parts. One that fails otherwise is run one
        by one, so that what is wrong with a prompt is nobody else's failure.
        """
        began = time.monotonic()
        try:
            given = await self.alone(lambda: job(batch))
        except Exception as error:
            failure: Exception = error
            if is_out_of_memory(error):
                self.counts.out_of_memory += 1
                if len(batch) > 1:
                    self.budget.halve(sum(len(entry.asked.tokens) for entry in batch))
                    waiting += batch
                    return
                tokens = len(batch[0].asked.tokens)
                failure = TooLarge(f"the prompt of {tokens} tokens does not fit into this machine's memory")
            elif len(batch) > 1:
                for entry in batch:
                    await self._run([entry], waiting, job)
                return
            if not batch[0].future.done():
                batch[0].future.set_exception(failure)
            return
        self.budget.grow()
        self.counts.busy_seconds += time.monotonic() - began
        self.counts.passes += 1
        self.counts.prompts += len(batch)
        for entry, answer in zip(batch, given, strict=True):
            if not entry.future.done():
                entry.future.set_result(answer)

    def _tell(self, entries: Sequence[QueuedWork[PromptRow, RowScores]]) -> list[RowScores]:
        rows = [entry.asked for entry in entries]
        ranked = sorted(row.tokens for row in rows)
        shared = sum(common(one, other) for one, other in pairwise(ranked))
        given = sum(map(len, ranked))
        told = self._model.tell(rows)
        self.counts.given_tokens += given
        self.counts.computed_tokens += given - shared
        return told

    def _write(self, entries: Sequence[QueuedWork[GenerationRequest, Generated]]) -> list[Generated]:
        generations = [entry.asked for entry in entries]
        written = self._model.write(generations, lambda: [entry.future.done() for entry in entries])
        self.counts.written_tokens += sum(len(each.tokens) for each in written)
        return written


async def _all(entries: Sequence[QueuedWork[Asked, Given]]) -> list[Given]:
    """Every answer; where one fails or the caller is gone, the others are not waited for."""
    futures = [entry.future for entry in entries]
    try:
        return await asyncio.gather(*futures)
    finally:
        for future in futures:
            future.cancel()


def _live(entries: Sequence[QueuedWork[Asked, Given]]) -> list[QueuedWork[Asked, Given]]:
    return [entry for entry in entries if not entry.future.done()]


def _without(
    entries: Sequence[QueuedWork[Asked, Given]], taken: Sequence[QueuedWork[Asked, Given]]
) -> list[QueuedWork[Asked, Given]]:
    gone = {entry.number for entry in taken}
    return [entry for entry in entries if entry.number not in gone]


def fill(entries: Sequence[QueuedWork[PromptRow, RowScores]], budget: int) -> list[QueuedWork[PromptRow, RowScores]]:
    """The entry that has waited longest and its neighbours in sorted order, the nearest first.

    They are taken while their distinct tokens fit into the budget; the entry alone where it does not fit.
    """
    ranked = sorted(entries, key=lambda entry: entry.asked.tokens)
    low = high = min(range(len(ranked)), key=lambda place: ranked[place].number)
    used = _cost(ranked[low].asked, 0)
    while True:
        sides = []
        if low > 0:
            sides.append((_added_tokens(ranked[low - 1], ranked[low]), -1))
        if high + 1 < len(ranked):
            sides.append((_added_tokens(ranked[high + 1], ranked[high]), 1))
        if not sides or used + min(sides)[0] > budget:
            return ranked[low : high + 1]
        cost, side = min(sides)
        used, low, high = used + cost, low - (side < 0), high + (side > 0)


def _added_tokens(entry: QueuedWork[PromptRow, RowScores], neighbour: QueuedWork[PromptRow, RowScores]) -> int:
    return _cost(entry.asked, common(entry.asked.tokens, neighbour.asked.tokens))


def _cost(row: PromptRow, shared: int) -> int:
    """A row's tokens behind the shared ones, and as many again for each place whose logits are wanted beyond one."""
    return len(row.tokens) - shared + len(row.places) - 1


def generation_batch(
    entries: Sequence[QueuedWork[GenerationRequest, Generated]], budget: int
) -> list[QueuedWork[GenerationRequest, Generated]]:
    """The entry that waits longest and those of like length that want the same stop strings, while they fit, padded."""
    oldest = min(entries, key=lambda entry: entry.number)
    same = [entry for entry in entries if entry.asked.stop == oldest.asked.stop and entry is not oldest]
    same.sort(key=lambda entry: abs(len(entry.asked.tokens) - len(oldest.asked.tokens)))
    chosen, width, room = [oldest], len(oldest.asked.tokens), oldest.asked.max_tokens
    for entry in same:
        width, room = max(width, len(entry.asked.tokens)), max(room, entry.asked.max_tokens)
        if (len(chosen) + 1) * (width + room) > budget:
            break
        chosen.append(entry)
    return chosen
