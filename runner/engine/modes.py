"""How a model is asked: live, in batches, or a pilot live and the rest in batches."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

from runner.backends.catalogue.prices import batch_price_of
from runner.crossing.trials import Asked, AskedModel
from runner.engine.batches.batch import BatchRun
from runner.engine.context import Context
from runner.engine.live import LiveRun
from runner.engine.pilot import REQUESTS
from runner.engine.recorder import Judge, Recorder
from runner.engine.resolving import first_trial, resolved
from runner.engine.rounds import Rounds
from runner.engine.state import Tally


async def ask(context: Context, model: AskedModel, judges: Mapping[str, Judge]) -> None:
    """Run one model as its section says: live, in batches, or a pilot live and the rest in batches.

    A live run looks after jobs that an earlier one left, because their keys may be sent by nobody else.
    """
    if model.section.kind.from_logs:  # what is in the file is all there is
        context = replace(context, options=replace(context.options, send=False, target=None))
    section, options = model.section, context.options
    _plan(context, model)
    recorder = Recorder(context, model, judges)
    try:
        if section.has_batches and options.send and section.mode != "live":
            await _ask_in_batches(context, model, judges, recorder)
            return
        live = LiveRun(context, model, recorder, options.pilot)
        trials = _trials(context, model, recorder, live)
        if section.has_batches and options.send:
            await _ask_while_jobs_run(context, model, live, trials)
        else:
            await live.run(trials)
        if section.kind.from_logs:
            _remark_on_logs(context, section.name)
    finally:
        context.pace.leave(model)


def _remark_on_logs(context: Context, name: str) -> None:
    """Say what is in no log that was imported: it is not asked."""
    tallies = [tally for (model, _), tally in context.state.tallies.items() if model == name]
    if missing := sum(tally.planned - tally.done for tally in tallies):
        context.state.remark(
            f"{name}: {missing:,} trials are in no log that was imported, and are left without an answer; "
            "`mtpa-run import LOG` reads another."
        )


async def _trials(context: Context, model: AskedModel, recorder: Recorder, live: LiveRun) -> AsyncIterator[list[Asked]]:
    """Blocks of the trials of the model, as its endpoint takes it."""
    model = await resolved(context, model, live, partial(first_trial, context))
    if context.options.target and not model.share.all_groups:  # a covariate is asked everything
        trials = Rounds(context, model, recorder, live).blocks()
    else:
        trials = context.pace.blocks(context.crossing, model, context.options.limit)
    async for block in trials:
        yield block


def _plan(context: Context, model: AskedModel) -> None:
    """Count the trials that there will be."""
    for question, count in context.crossing.counts(model):
        context.state.tallies.setdefault((model.section.name, question.measure), Tally()).planned += count


async def _ask_while_jobs_run(
    context: Context, model: AskedModel, live: LiveRun, trials: AsyncIterator[list[Asked]]
) -> None:
    """Live, beside the open jobs; where these can be looked after no more, their requests are not waited for."""
    jobs = BatchRun(context, model, Recorder(context, model, price=batch_price_of(model.section)))
    tending = asyncio.create_task(jobs.tend())
    tending.add_done_callback(lambda task: setattr(live, "waits", False))
    try:
        await live.run(trials)
    finally:
        failed = tending.exception() if tending.done() and not tending.cancelled() else None
        tending.cancel()
        await asyncio.gather(tending, return_exceptions=True)
        await jobs.close()
    if failed:
        raise failed


async def _ask_in_batches(context: Context, model: AskedModel, judges: Mapping[str, Judge], recorder: Recorder) -> None:
    """In jobs; where the section says so, after a pilot that is sent live and is on the disk before they are made."""
    trials: Iterator[Asked] | None = None

    async def pilot(live: LiveRun) -> AsyncIterator[list[Asked]]:
        nonlocal trials
        asked = await resolved(context, model, live, partial(first_trial, context))
        trials = islice(context.crossing.trials(asked), context.options.limit)
        while live.is_piloting and not live.stopping.due and (block := list(islice(trials, REQUESTS))):
            yield block

    if model.section.mode == "auto":
        live = LiveRun(context, model, recorder, context.options.pilot)
        await _ask_while_jobs_run(context, model, live, pilot(live))
        await recorder.until_committed()
        if live.stopping.due:
            return
        model = live.model
    batched = Recorder(context, model, judges, batch_price_of(model.section))
    await BatchRun(context, model, batched).run(trials or islice(context.crossing.trials(model), context.options.limit))
