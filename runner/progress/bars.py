"""A run's state on the terminal: bars on a terminal, a line every ten seconds elsewhere."""

import asyncio
import time

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from runner.engine.state import State, Tally, counted

LINE_SECONDS, LOOK_SECONDS = 10.0, 0.2
NOTE_LENGTH, LINE_LENGTH = 60, 200  # characters of what an endpoint said last


async def watch(state: State, console: Console) -> None:
    """Show the state until cancelled, and what cannot wait at once."""
    told = asyncio.create_task(_notices(state, console))
    try:
        if console.is_terminal:
            await _bars(state, console)
        else:
            await _lines(state, console)
    finally:
        told.cancel()


async def _notices(state: State, console: Console) -> None:
    shown = 0
    while True:
        for notice in state.notices[shown:]:
            console.print(escape(notice), highlight=False, soft_wrap=True)
        shown = len(state.notices)
        await asyncio.sleep(LOOK_SECONDS)


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
                    note=_note(tally, state.jobs.get(key[0]), state.last_failure.get(key[0], "")),
                )
            await asyncio.sleep(LOOK_SECONDS)


async def _lines(state: State, console: Console) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(LINE_SECONDS)
        if state.tallies:  # before, the study is still being prepared
            console.print(escape(_line(state, time.monotonic() - began)), highlight=False, soft_wrap=True)


def _line(state: State, seconds: float) -> str:
    done = state.total("done")
    rate = state.total("answered") / seconds if seconds else 0.0
    failed = state.total("failed")
    jobs = "".join(f"; {name}: {_at_provider(each)}" for name, each in state.jobs.items() if each[0])
    name, last = next(reversed(state.last_failure.items()), ("", ""))
    said = f"; {name} failed last with {in_a_line(last, LINE_LENGTH)}" if last else ""
    return (
        f"{done:,} of {state.total('planned'):,} trials, {state.sent:,} requests sent, {failed:,} failed, "
        f"{rate:.1f}/s{jobs}{said}"
    )


def in_a_line(text: str, most: int) -> str:
    """A text without line breaks, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _note(tally: Tally, jobs: tuple[int, int, int] | None, last: str) -> str:
    effect = "" if tally.effect is None else f"Δ {tally.effect:+.3f}"
    failed = f"[red]{tally.failed} failed[/]" if tally.failed else ""
    said = f"[dim]{escape(in_a_line(last, NOTE_LENGTH))}[/]" if last else ""
    return " ".join(filter(None, (effect, failed, _at_provider(jobs) if jobs and jobs[0] else "", said)))


def _at_provider(jobs: tuple[int, int, int]) -> str:
    number, requests, answered = jobs
    return f"{counted(number, 'job')} at the provider, {answered:,} of {requests:,} answered"
