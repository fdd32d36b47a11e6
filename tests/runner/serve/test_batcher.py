"""The batcher: what goes together, memory that runs out, callers who leave."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

torch = pytest.importorskip("torch")

from waiting import HUNG, until  # noqa: E402

from runner.serve.batcher import Batcher, QueuedWork, TooLarge, fill, generation_batch  # noqa: E402
from runner.serve.generation import Generated, GenerationRequest, Left  # noqa: E402
from runner.serve.prompts import PromptRow, RowScores  # noqa: E402
from runner.serve.token_budget import PATIENCE, TokenBudget  # noqa: E402


class Model:
    """Tells each row its last token; has memory for so many tokens."""

    def __init__(self, memory: int = 1 << 30) -> None:
        self.memory, self.started, self.gate = memory, 0, threading.Event()
        self.batches: list[list[list[int]]] = []
        self.gate.set()

    def tell(self, rows: Sequence[PromptRow]) -> list[RowScores]:
        self.started += 1
        self.gate.wait(HUNG)
        self.batches.append([row.tokens for row in rows])
        if sum(len(row.tokens) for row in rows) > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [RowScores([float(row.tokens[-1])], []) for row in rows]

    def write(self, wanted_all: Sequence[GenerationRequest], left: Left) -> list[Generated]:
        self.left = left
        self.started += 1
        self.gate.wait(HUNG)
        self.batches.append([wanted.tokens for wanted in wanted_all])
        if any(13 in wanted.tokens for wanted in wanted_all):
            raise RuntimeError("this one breaks")
        return [Generated(wanted.tokens) for wanted in wanted_all]


@asynccontextmanager
async def working(model: Model, budget: int) -> AsyncIterator[Batcher]:
    batcher = Batcher(model, TokenBudget(budget))
    task = asyncio.create_task(batcher.work())
    try:
        yield batcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_memory_that_runs_out_halves_the_batch_and_loses_nothing() -> None:
    rows = [PromptRow([number, *range(1000, 1039), number]) for number in range(100)]
    model = Model(memory=200)
    async with working(model, 4096) as batcher:
        told = await asyncio.gather(*(batcher.tell([row]) for row in rows))
    assert [each[0].logprobs for each in told] == [[float(number)] for number in range(100)]
    assert batcher.counts.prompts == 100 and batcher.counts.out_of_memory >= 3
    assert batcher.budget.size <= 400
    answered = [row for batch in model.batches if sum(map(len, batch)) <= 200 for row in batch]
    assert len(answered) == 100, "a prompt was answered twice"


async def test_one_prompt_that_does_not_fit_is_said_and_the_others_go_on() -> None:
    async with working(Model(memory=500), 4096) as batcher:
        small = [batcher.tell([PromptRow([number] * 100)]) for number in range(8)]
        found = await asyncio.gather(batcher.tell([PromptRow([9] * 600)]), *small, return_exceptions=True)
    assert isinstance(found[0], TooLarge) and "600 tokens" in str(found[0])
    assert [each[0].logprobs for each in found[1:]] == [[float(number)] for number in range(8)]  # type: ignore[index]


async def test_who_leaves_is_not_computed() -> None:
    model = Model()
    model.gate.clear()
    async with working(model, 4096) as batcher:
        first = asyncio.create_task(batcher.tell([PromptRow([1])]))
        await until(lambda: model.started == 1)
        gone, stays = (asyncio.create_task(batcher.tell([PromptRow([number])])) for number in (2, 3))
        await until(lambda: batcher.waiting == 2)
        gone.cancel()
        model.gate.set()
        assert (await first)[0].logprobs == [1.0] and (await stays)[0].logprobs == [3.0]
    assert [2] not in [row for batch in model.batches for row in batch]


async def test_what_fails_is_nobody_elses_failure() -> None:
    async with working(Model(), 4096) as batcher:
        bad, *good = await asyncio.gather(
            *(batcher.write(GenerationRequest([token], 1)) for token in (13, 5, 6)), return_exceptions=True
        )
    assert isinstance(bad, RuntimeError) and "breaks" in str(bad)
    assert [each.tokens for each in good if isinstance(each, Generated)] == [[5], [6]]


async def test_the_model_is_told_whose_caller_left() -> None:
    model = Model()
    model.gate.clear()
    async with working(model, 4096) as batcher:
        gone, stays = (asyncio.create_task(batcher.write(GenerationRequest([number], 1))) for number in (2, 3))
        await until(lambda: model.started == 1)
        gone.cancel()
        await until(lambda: model.left() == [True, False])
        model.gate.set()
        assert (await stays).tokens == [3]


async def test_small_prompts_that_do_not_fit_together_go_one_by_one() -> None:
    async with working(Model(memory=20), 4096) as batcher:
        told = await asyncio.gather(*(batcher.tell([PromptRow([number] * 20)]) for number in range(4)))
    assert [each[0].logprobs for each in told] == [[0.0], [1.0], [2.0], [3.0]]


async def test_a_batch_is_the_longest_waiting_prompt_and_its_neighbours() -> None:
    rows = {2: [1] * 50 + [2], 1: [1] * 50 + [3], 3: [1] * 50 + [4], 4: [2] * 50, 5: [0] * 50}
    entries: list[QueuedWork[PromptRow, RowScores]] = [
        QueuedWork(PromptRow(tokens), number) for number, tokens in rows.items()
    ]
    assert {entry.number for entry in fill(entries, 53)} == {1, 2, 3}
    assert {entry.number for entry in fill(entries, 10)} == {1}
    assert {entry.number for entry in fill(entries, 1000)} == {1, 2, 3, 4, 5}


async def test_texts_go_together_with_the_same_stop_strings_and_like_lengths() -> None:
    wanted_all = {
        1: GenerationRequest([1] * 10, 5),
        2: GenerationRequest([1] * 90, 5),
        3: GenerationRequest([1] * 11, 5),
        4: GenerationRequest([1] * 10, 5, stop=("x",)),
    }
    entries: list[QueuedWork[GenerationRequest, Generated]] = [
        QueuedWork(wanted, number) for number, wanted in wanted_all.items()
    ]
    assert {entry.number for entry in generation_batch(entries, 32)} == {1, 3}
    assert {entry.number for entry in generation_batch(entries, 1000)} == {1, 2, 3}


def test_a_budget_grows_again_after_a_quiet_while() -> None:
    budget = TokenBudget(1000, most=1000)
    budget.halve(600)
    assert budget.size == 300
    for _ in range(10 * PATIENCE):
        budget.grow()
    assert 800 < budget.size <= 1000
