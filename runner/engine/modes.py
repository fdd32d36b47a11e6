"""How a model is asked: live, in batches, or a pilot live and the rest in batches."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import islice

from runner.engine.batch import BatchRun
from runner.engine.context import Context
from runner.engine.live import ModelRun
from runner.engine.pilot import REQUESTS
from runner.engine.recorder import Judge
from runner.engine.target import TargetedRun
from runner.engine.trials import Asked, AskedModel


async def ask(context: Context, model: AskedModel, judges: Mapping[str, Judge]) -> None:
    """Run one model as its section says: live, in batches, or a pilot live and the rest in batches.

    A live run looks after jobs that an earlier one left, because their keys may be sent by nobody else.
    """
    section = model.section
    live = TargetedRun if context.options.target else ModelRun
    try:
        if not section.has_batches or not context.options.send:
            await live(context, model, judges).run()
        elif section.mode == "live":
            await _ask_live(context, model, live(context, model, judges))
        else:
            await _ask_in_batches(context, model, judges)
    finally:
        context.pace.leave(model)


async def _ask_live(context: Context, model: AskedModel, live: ModelRun) -> None:
    """Live, beside the open jobs; where these can be looked after no more, their requests are not waited for."""
    jobs = BatchRun(context, model)
    looking_after = asyncio.create_task(jobs.look_after())
    looking_after.add_done_callback(lambda task: setattr(live, "waits", False))
    try:
        await live.run()
    finally:
        failed = looking_after.exception() if looking_after.done() and not looking_after.cancelled() else None
        looking_after.cancel()
        await asyncio.gather(looking_after, return_exceptions=True)
        await jobs.close()
    if failed:
        raise failed


async def _ask_in_batches(context: Context, model: AskedModel, judges: Mapping[str, Judge]) -> None:
    trials = islice(context.crossing.trials(model), context.options.limit)
    if model.section.mode == "auto":
        pilot = Pilot(context, model, judges, trials)
        await _ask_live(context, model, pilot)
        if not pilot.passed:
            return
    batches = BatchRun(context, model, judges)
    if model.section.mode == "batch":
        batches.plan()
    await batches.run(trials)


class Pilot(ModelRun):
    """The first requests of a new model, sent live: blocks of the run's trials until the pilot is over."""

    def __init__(
        self, context: Context, model: AskedModel, judges: Mapping[str, Judge] | None, trials: Iterator[Asked]
    ) -> None:
        super().__init__(context, model, judges)
        self._trials = trials

    async def _blocks(self) -> AsyncIterator[list[Asked]]:
        while self._pilot is not None and not self._stopping and (block := list(islice(self._trials, REQUESTS))):
            yield block

    async def run(self) -> None:
        """Ask the first requests; on return they are on the disk."""
        await super().run()
        await self._until_committed()

    @property
    def passed(self) -> bool:
        """Whether the rest may go up."""
        return not self._stopping and self._model.section.name not in self._state.over_budget
