"""Blocks of trials: as many as are wanted, and others have their turn between them."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from runner.crossing.trials import BLOCK
from runner.engine.pace import Pace

SIZES = (0, 3, 2 * BLOCK, BLOCK - 3, 7)


@pytest.mark.parametrize("limit", [None, 0, 2, BLOCK, BLOCK + 5, 10_000])
async def test_blocks_hold_every_trial_once_up_to_the_limit(limit: int | None) -> None:
    trials: list[Any] = [(person, number) for person, size in enumerate(SIZES) for number in range(size)]
    crossing: Any = SimpleNamespace(
        people_of=lambda model: (iter([each for each in trials if each[0] == person]) for person in range(len(SIZES)))
    )
    model: Any = SimpleNamespace(id=1)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    blocks = [block async for block in Pace((), len(SIZES), asyncio.Event()).blocks(crossing, model, limit)]
    other.cancel()
    assert [each for block in blocks for each in block] == trials[:limit]
    full = [block for block in blocks if len(block) == BLOCK]
    assert all(len(block) == BLOCK for block in blocks[:-1]) and turns >= len(full)
