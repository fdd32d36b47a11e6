"""A run's state on the terminal: bars on a terminal, a line every ten seconds elsewhere."""

import asyncio
import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from runner.engine.state import State, Tally, counted

LINE_SECONDS = 10.0


async def watch(state: State, console: Console) -> None:
    """Show the state until cancelled."""
    if console.is_terminal:
        await _bars(state, console)
    else:
        await _lines(state, console)


async def _bars(state: State, console: Console) -> None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        tasks = {}
        while True:
            for key, tally in state.tallies.items():
                if key not in tasks:
                    tasks[key] = progress.add_task(escape(" · ".join(key)), total=None, note="")
                progress.update(
                    tasks[key],
                    completed=tally.done + tally.failed,
                    total=tally.planned - tally.spared,
                    note=_note(tally, state.jobs.get(key[0])),
                )
            await asyncio.sleep(0.2)


async def _lines(state: State, console: Console) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(LINE_SECONDS)
        console.print(_line(state, time.monotonic() - began), highlight=False, soft_wrap=True)


def _line(state: State, seconds: float) -> str:
    done = state.total("done")
    rate = state.total("answered") / seconds if seconds else 0.0
    failed = state.total("failed")
    jobs = "".join(f"; {name}: {_at_provider(each)}" for name, each in state.jobs.items() if each[0])
    return (
        f"{done:,} of {state.total('planned'):,} trials, {state.sent:,} requests sent, {failed:,} failed, "
        f"{rate:.1f}/s{jobs}"
    )


def _note(tally: Tally, jobs: tuple[int, int, int] | None) -> str:
    effect = "" if tally.effect is None else f"Δ {tally.effect:+.3f}"
    failed = f"[red]{tally.failed} failed[/]" if tally.failed else ""
    return " ".join(filter(None, (effect, failed, _at_provider(jobs) if jobs and jobs[0] else "")))


def _at_provider(jobs: tuple[int, int, int]) -> str:
    number, requests, answered = jobs
    return f"{counted(number, 'job')} at the provider, {answered:,} of {requests:,} answered"
