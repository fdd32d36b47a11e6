"""One model's part of a run as batches: what feeds its jobs, and what tends them."""

import asyncio
from collections.abc import Iterator

from runner.backends.batches.base import make_batches
from runner.crossing.trials import Asked, AskedModel
from runner.engine.batches.feeding import Feeder
from runner.engine.batches.tending import Tender
from runner.engine.context import Context
from runner.engine.recorder import Recorder
from runner.engine.stopping import Stopping
from runner.store.jobs import Jobs


class BatchRun:
    """Sends one model's trials as jobs, and looks after its open jobs."""

    def __init__(self, context: Context, model: AskedModel, recorder: Recorder) -> None:
        caps = (context.study_cap, model.section.cap)
        asked = [*context.crossing.models, *context.crossing.judges.values()]
        others = [each.id for each in asked if each.id != model.id]
        self._jobs = Jobs(context.cache.connection, context.leases, context.process, model.id, caps, others)
        self._batches, self._recorder = make_batches(model.section), recorder
        shared = (context, model, recorder, self._jobs, self._batches, Stopping(context, model.section.name))
        self._tender = Tender(*shared)
        self._feeder = Feeder(*shared, self._tender)

    async def run(self, trials: Iterator[Asked]) -> None:
        """Ask what is not answered yet, and wait for the answers. Raises MtpaError for what ends the whole run."""
        self._jobs.adopt()
        tending = asyncio.create_task(self.tend())
        feeding = asyncio.create_task(self._feeder.run(trials))
        try:
            await asyncio.wait({tending, feeding}, return_when=asyncio.FIRST_COMPLETED)
            if tending.done():
                await tending
            await feeding
        finally:
            for task in (tending, feeding):
                task.cancel()
            await asyncio.gather(tending, feeding, return_exceptions=True)
            self._recorder.remark_on_ends()
            await self.close()

    async def tend(self) -> None:
        """Bring open jobs forward until cancelled."""
        await self._tender.run()

    async def close(self) -> None:
        """Let go of connections."""
        await self._batches.close()
