"""`mtpa.run`: a run from Python, with a bar where it is a notebook that asks."""

import asyncio
import sys
from contextlib import suppress

from tqdm.auto import tqdm

from runner.engine.run import run as run_quietly
from runner.engine.state import State
from runner.progress.bars import under
from runner.study.config import Study

LOOK_SECONDS = 0.2


async def run(
    study: Study,
    state: State | None = None,
    stop: asyncio.Event | None = None,
    *,
    limit: int | None = None,
    pilot: bool = True,
    acknowledge: bool = False,
    progress: bool | None = None,
) -> State:
    """Ask what the study asks and the file does not answer yet; a second run sends nothing.

    Parameters
    ----------
    study : Study
        What is asked, of whom.
    state : State, optional
        Filled while the run goes on: how many trials are planned, answered and failed, and what they cost.
    stop : asyncio.Event, optional
        Once it is set, the run ends after what is in flight.
    limit : int, optional
        Only the first trials of each model.
    pilot : bool
        Whether a new model's first 50 requests run alone.
    acknowledge : bool
        Agrees that the terms of restricted surveys allow their answers to be sent to the study's endpoints, and that
        its keys belong there.
    progress : bool, optional
        Whether a bar is shown; if absent, in a notebook alone.

    Raises
    ------
    MtpaError
        One sentence that names the file, the key or the model, and the remedy.
    """
    state = state or State()
    shown = _in_a_notebook() if progress is None else progress
    watching = asyncio.create_task(_bar(state)) if shown else None
    try:
        return await run_quietly(study, state, stop, limit=limit, pilot=pilot, acknowledge=acknowledge)
    finally:
        if watching:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


async def _bar(state: State) -> None:
    with tqdm(unit=" trials", desc="starting") as bar:
        try:
            while True:
                _show(state, bar)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            _show(state, bar)


def _show(state: State, bar: "tqdm[None]") -> None:
    planned = state.total("planned") - state.total("spared")
    bar.total = planned or None
    bar.set_description_str("asking" if planned else state.phase or "starting", refresh=False)
    bar.set_postfix_str("; ".join(under(state)), refresh=False)
    bar.update(state.total("done") + state.total("failed") - bar.n)
    bar.refresh()


def _in_a_notebook() -> bool:
    """Whether IPython runs in a kernel that draws what it prints, as Jupyter's does, and not in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
