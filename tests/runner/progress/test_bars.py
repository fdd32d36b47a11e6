"""What a run shows while it goes."""

import asyncio
import io

import pytest
from rich.console import Console
from waiting import until

from runner.backends.errors import BadRequest, Transient
from runner.engine.state import State, Tally
from runner.progress import bars


async def test_a_line_carries_the_last_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "LINE_SECONDS", 0.01)
    state, stream = State(), io.StringIO()
    state.tallies["m", "b"] = Tally(planned=5)
    state.failed("other", Transient("500", "old"))
    state.failed("m", Transient("429", "daily\nlimit of [free] tier"))
    watching = asyncio.create_task(bars.watch(state, Console(file=stream, width=400)))
    try:
        await until(lambda: "0 of 5 trials" in stream.getvalue(), watching)
    finally:
        watching.cancel()
    assert "m failed last with 429: daily limit of [free] tier" in stream.getvalue()


async def test_nothing_is_said_before_there_is_something_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "LINE_SECONDS", 0.001)
    state, stream = State(), io.StringIO()
    watching = asyncio.create_task(bars.watch(state, Console(file=stream, width=400)))
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert stream.getvalue() == ""
    state.tallies["m", "b"] = Tally(planned=5)
    await until(lambda: "0 of 5 trials" in stream.getvalue(), watching)
    watching.cancel()


async def test_a_terminal_shows_the_phase_then_one_bar_with_money_and_the_last_problem() -> None:
    state, stream = State(cap=2_000_000, micro_usd=500_000), io.StringIO()
    state.enter("loading m")
    watching = asyncio.create_task(bars.watch(state, Console(file=stream, width=100, force_terminal=True)))
    await until(lambda: "loading m, 0 s" in stream.getvalue(), watching)
    state.tallies["m", "b"] = Tally(planned=50, answered=20)
    state.tallies["m", "c"] = Tally(planned=50, answered=10, failed=2)
    state.failed("m", Transient("429", "slow down"))
    await until(lambda: "asking" in stream.getvalue() and "32 of 100" in stream.getvalue(), watching)
    await until(lambda: "2 failed; m failed last with 429: slow down" in stream.getvalue(), watching)
    assert "$0.5000 of $2.00 spent" in stream.getvalue()
    watching.cancel()


def test_the_time_left_is_that_of_the_whole_run_so_far() -> None:
    state = State()
    state.tallies["m", "b"] = Tally(planned=1000, hits=100, answered=300)
    assert bars.pace(state, 60) == "400 of 1,000, 5.0/s, about 2 min 0 s left"
    assert bars.pace(state, 1) == "400 of 1,000"
    assert bars.duration(7500) == "2 h 5 min"


def test_what_may_be_mended_is_kept_apart_from_what_may_not() -> None:
    state = State()
    state.failed("m", Transient("timeout", "late"))
    state.failed("m", BadRequest("400", "never"))
    assert (state.mendable, state.last_failure) == ({("m", "timeout")}, {"m": "400: never"})
