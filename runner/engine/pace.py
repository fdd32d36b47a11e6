"""The models of a run keep step, so that a run that stops early has asked all of them of the same people."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from itertools import islice

from runner.crossing.trials import BLOCK, Asked, AskedModel, Crossing

LEAD = 0.02  # of the people: as far as one model may be ahead of another
POLL_SECONDS = 0.5


class Pace:
    """How many people each of the models has come to. One that is ahead waits; one that has ended is not waited for."""

    def __init__(self, models: Iterable[AskedModel], people: int, stop: asyncio.Event) -> None:
        self._reached = dict.fromkeys((model.id for model in models), 0)
        self._lead, self._stop = max(1, round(LEAD * people)), stop
        self._moved = asyncio.Event()

    def leave(self, model: AskedModel) -> None:
        """A model has ended."""
        self._reached.pop(model.id, None)
        self._move()

    def is_kept_by(self, model: AskedModel) -> bool:
        """Whether there is another model to keep step with."""
        return model.id in self._reached and len(self._reached) > 1

    def has_room(self, person: int, lead: int = 0) -> bool:
        """Whether a model may go on to the person of this number without being too far ahead."""
        return person <= min(self._reached.values(), default=person) + max(self._lead, lead)

    async def come_to(self, model: AskedModel, person: int, lead: int = 0) -> None:
        """Say that a model has come to the person of this number, and wait for those that are too far behind."""
        if model.id not in self._reached:
            return
        self._reached[model.id] = person
        self._move()
        while not self.has_room(person, lead) and not self._stop.is_set():
            moved = self._moved
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await moved.wait()

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def blocks(self, crossing: Crossing, model: AskedModel, limit: int | None) -> AsyncIterator[list[Asked]]:
        """The first `limit` trials of a model, a few hundred at a time, or fewer where models keep step."""
        block: list[Asked] = []
        left, since = limit, 0
        for person, trials in enumerate(crossing.people_of(model)):
            if block and self.is_kept_by(model) and person - since >= self._lead:
                yield block
                block, since = [], person
            await self.come_to(model, person)
            trials = islice(trials, left)
            while part := list(islice(trials, BLOCK - len(block))):
                left = None if left is None else left - len(part)
                block += part
                if len(block) == BLOCK:
                    await asyncio.sleep(0)  # a replay waits for nothing, and a stop must have its turn
                    yield block
                    block, since = [], person
            if left == 0:
                break
        if block:
            yield block
