"""A run that is stopped again and again, until nothing is left to send."""

import asyncio

from runner.engine.run import run
from runner.engine.state import State
from runner.study.config import Study


async def run_in_pieces(study: Study, after: int) -> None:
    """Start a study, stop it once so many requests were sent, and go on in this way to its end."""
    while True:
        state, stop = State(), asyncio.Event()
        task = asyncio.create_task(run(study, state, stop))
        while state.sent < after and not task.done():
            await asyncio.sleep(0.002)
        stop.set()
        await task
        if not state.sent:
            break
