"""What a run shows while it goes."""

import asyncio
import io

import pytest
from rich.console import Console
from waiting import until

from runner.backends.errors import BadRequest, Transient
from runner.engine.state import State, Tally
from runner.progress import bars


async def test_a_notice_is_shown_at_once_and_a_line_carries_the_last_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "LINE_SECONDS", 0.01)
    state, stream = State(), io.StringIO()
    state.notices.append("m waits 3 minutes [sic]")
    state.failed("other", Transient("500", "old"))
    state.failed("m", Transient("429", "daily\nlimit of [free] tier"))
    watching = asyncio.create_task(bars.watch(state, Console(file=stream, width=400)))
    try:
        await until(lambda: "m waits" in stream.getvalue(), watching)
        assert "trials" not in stream.getvalue()  # nothing is known of them yet
        state.tallies["m", "b"] = Tally(planned=5)
        await until(lambda: "0 of 5 trials" in stream.getvalue(), watching)
        state.notices.append("the second")
        await until(lambda: "the second" in stream.getvalue(), watching)
    finally:
        watching.cancel()
    assert stream.getvalue().count("m waits 3 minutes [sic]\n") == 1
    assert "m failed last with 429: daily limit of [free] tier" in stream.getvalue()


def test_what_may_be_mended_is_kept_apart_from_what_may_not() -> None:
    state = State()
    state.failed("m", Transient("timeout", "late"))
    state.failed("m", BadRequest("400", "never"))
    assert (state.mendable, state.last_failure) == ({("m", "timeout")}, {"m": "400: never"})
