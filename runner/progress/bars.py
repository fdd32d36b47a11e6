"""A run's state: the phase it is in, then one bar, on a terminal; a line every ten seconds elsewhere."""

import asyncio
import time
from collections.abc import Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from runner.engine.state import State
from runner.study.amounts import counted

LINE_SECONDS, LOOK_SECONDS = 10.0, 0.2
LEAST_SECONDS = 3.0  # of asking before a rate says anything
LINE_LENGTH = 200  # characters of what an endpoint said last


async def watch(state: State, console: Console) -> None:
    """Show the state until cancelled; what cannot wait is logged, which the command shows above the bar."""
    await (_bars if console.is_terminal else _lines)(state, console)


async def _bars(state: State, console: Console) -> None:
    """One bar over everything, a line of what it costs and of what goes wrong under it."""
    began = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}"))
    progress = Progress(*columns, console=console)
    bar = progress.add_task("", total=None, pace="")
    with Live(console=console, transient=True) as live:
        asking = None
        while True:
            seconds = time.monotonic() - began
            planned = state.total("planned") - state.total("spared")
            if planned and state.total("answered"):
                asking = asking or seconds
                progress.update(bar, description="asking", total=planned, completed=_through(state))
                progress.update(bar, pace=escape(pace(state, seconds - asking)))
            else:
                since = time.monotonic() - state.phase_began if state.phase else seconds
                progress.update(bar, description=f"{escape(state.phase or 'starting')}, {duration(since)}")
            live.update(Group(progress, *(Text(line, style="dim") for line in under(state))))
            await asyncio.sleep(LOOK_SECONDS)


def _through(state: State) -> int:
    return state.total("done") + state.total("failed")


def pace(state: State, seconds: float) -> str:
    """How far, how fast, and about how long it takes at the rate since the first answer, which does not jump."""
    left = state.total("planned") - state.total("spared") - _through(state)
    rate = state.total("answered") / seconds if seconds > 0 else 0.0
    far = f"{_through(state):,} of {state.total('planned') - state.total('spared'):,}"
    if seconds < LEAST_SECONDS or not rate:
        return far
    return f"{far}, {rate:,.1f}/s, about {duration(left / rate)} left"


def duration(seconds: float) -> str:
    """A time in words: 45 s, 3 min 20 s, 2 h 5 min."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def under(state: State) -> Iterator[str]:
    """Money of the cap, jobs at a provider, failures and the last problem in words: a line each, where there is any."""
    if state.cap:
        yield f"${state.micro_usd / 1e6:.4f} of ${state.cap / 1e6:,.2f} spent"
    elif state.micro_usd:
        yield f"${state.micro_usd / 1e6:.4f} spent"
    yield from (f"{name}: {_at_provider(each)}" for name, each in state.jobs.items() if each[0])
    if state.last_failure:
        name, last = next(reversed(state.last_failure.items()))
        failed = f"{state.total('failed'):,} failed; " if state.total("failed") else ""
        yield f"{failed}{name} failed last with {in_a_line(last, LINE_LENGTH)}"


async def _lines(state: State, console: Console) -> None:
    """A line every ten seconds, once there is something to ask: what goes wrong before stands alone."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(LINE_SECONDS)
        if state.total("planned"):
            console.print(escape(_line(state, time.monotonic() - began)), highlight=False, soft_wrap=True)


def _line(state: State, seconds: float) -> str:
    done = state.total("done")
    rate = state.total("answered") / seconds if seconds else 0.0
    said = "".join(f"; {line}" for line in under(state))
    counts = f"{done:,} of {state.total('planned'):,} trials, {state.sent:,} requests sent"
    return f"{counts}, {state.total('failed'):,} failed, {rate:.1f}/s{said}"


def in_a_line(text: str, most: int) -> str:
    """A text without line breaks, cut where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _at_provider(jobs: tuple[int, int, int]) -> str:
    number, requests, answered = jobs
    return f"{counted(number, 'job')} at the provider, {answered:,} of {requests:,} answered"
