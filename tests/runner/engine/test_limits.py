"""Concurrency that adapts, rates that are learnt, a breaker that trips."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import HUNG

from runner.backends.errors import BadRequest, ModelUnavailable, Transient
from runner.backends.http import failure
from runner.engine.limits import (
    LEAST_CALLS,
    REFUSALS,
    WINDOW_SECONDS,
    Admission,
    Breaker,
    Gate,
    RateLimits,
    Refusals,
    TokenWindow,
    fitted,
)


@given(st.integers(1, 64), st.lists(st.booleans(), max_size=200))
def test_the_limit_stays_between_one_and_most(most: int, events: list[bool]) -> None:
    gate = Gate(most)
    for success in events:
        gate.grow() if success else gate.shrink()
        gate._shrunk_at = 0.0
        assert 1 <= gate.limit <= most


async def test_never_more_than_the_limit_are_inside_and_nobody_is_forgotten() -> None:
    gate = Gate(8)
    inside = most = done = 0

    async def visit(number: int) -> None:
        nonlocal inside, most, done
        await gate.enter()
        inside += 1
        most = max(most, inside)
        if number % 10 == 0:
            gate.shrink()
            gate._shrunk_at = 0.0
        await asyncio.sleep(0.001)
        inside -= 1
        gate.leave()
        gate.grow()
        done += 1

    await asyncio.wait_for(asyncio.gather(*(visit(number) for number in range(200))), HUNG)
    assert (done, inside) == (200, 0)
    assert most <= 8


A_MINUTE = {"x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "490"}
TOKENS = {"x-ratelimit-limit-tokens": "30000", "x-ratelimit-remaining-tokens": "29000"}


def test_limits_are_learnt_from_headers_unless_the_study_names_them() -> None:
    headers = {**A_MINUTE, **TOKENS, "x-ratelimit-reset-requests": "1.2s", "x-ratelimit-reset-tokens": "2s"}
    learning, named = RateLimits(None, None), RateLimits(60, None)
    assert not learning.limited
    learning.learn(headers)
    named.learn(headers)
    assert (learning.requests_per_minute, learning.tokens_per_minute) == (500, 30000)
    assert (named.requests_per_minute, named.tokens_per_minute) == (60, 30000)
    learning.learn({"x-ratelimit-limit-requests": "nonsense"})
    assert learning.requests_per_minute == 500


@pytest.mark.parametrize(
    ("headers", "a_minute"),
    [
        ({"x-ratelimit-limit-requests-minute": "30", "x-ratelimit-limit-requests": "900"}, 30),
        ({"x-ratelimit-limit-requests": "100, 100;w=60"}, 100),
        ({"x-ratelimit-limit-requests": "10;w=1"}, 600),
        ({"x-ratelimit-limit-requests": "200;w=86400"}, None),
        ({**A_MINUTE, "x-ratelimit-reset-requests": "28m48s"}, None),  # 500 a day
        ({**A_MINUTE, "x-ratelimit-reset-requests": "72s"}, None),  # 500 an hour
        ({**A_MINUTE, "x-ratelimit-reset-requests": "1200ms"}, 500),
        ({"x-ratelimit-limit-requests": "500"}, None),
        ({"x-ratelimit-limit-requests-day": "500"}, None),
    ],
)
def test_a_limit_whose_unit_is_not_a_minute_is_not_taken_for_one(
    headers: dict[str, str], a_minute: float | None
) -> None:
    rates = RateLimits(None, None)
    rates.learn(headers)
    assert rates.requests_per_minute == a_minute


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(1, 500), st.floats(0, 1)), min_size=1, max_size=60),
    st.floats(500, 3000),
)
async def test_no_minute_holds_more_tokens_than_allowed(
    requests: list[tuple[float, float, float]], most: float
) -> None:
    """Requests of any size at any time, of which only a share is used in the end, on a clock of the test's own."""
    clock = 1000.0
    window, sent = TokenWindow(most), list[Admission]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.engine.limits.time.monotonic", lambda: clock)
        for pause, tokens, used in requests:
            clock += pause
            while (wait := window._until_room(tokens)) > 0:
                clock += wait + 1e-6
            sent.append(await window.admit(tokens))
            window.settle(sent[-1], used * tokens)
    for first in sent:
        within = sum(each.tokens for each in sent if first.at <= each.at < first.at + WINDOW_SECONDS - 1e-3)
        assert within <= most * (1 + 1e-9)


async def test_what_a_request_did_not_use_lets_the_next_one_in() -> None:
    rates = RateLimits(None, 1000)
    first = await rates.admit(1000)
    waiting = asyncio.create_task(rates.admit(600))
    await asyncio.sleep(0)
    assert not waiting.done()
    rates.settle(first, 10)
    await asyncio.wait_for(waiting, HUNG)


async def test_the_breaker_closes_the_gate_and_then_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.engine.limits.OPEN_SECONDS", 0.0)
    breaker = Breaker(Gate(4))
    given_up = [breaker.failed() for _ in range(3 * LEAST_CALLS)]
    assert given_up.index(True) == 3 * LEAST_CALLS - 1
    breaker = Breaker(Gate(4))
    for _ in range(10 * LEAST_CALLS):
        assert not breaker.failed()
        breaker.succeeded()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, b"slow down", Transient),
        (429, b'{"error": {"code": "insufficient_quota"}}', ModelUnavailable),
        (500, b"", Transient),
        (503, b"", Transient),
        (408, b"", Transient),
        (409, b"", Transient),
        (401, b"bad key", ModelUnavailable),
        (403, b"", ModelUnavailable),
        (404, b"no such model", ModelUnavailable),
        (400, b'{"error": {"code": "unsupported_parameter"}}', ModelUnavailable),
        (400, b"too long", BadRequest),
        (302, b"", BadRequest),
    ],
)
def test_each_status_has_its_class(status: int, body: bytes, kind: type) -> None:
    assert type(failure(status, {}, body)) is kind


@pytest.mark.parametrize(
    ("wanted", "room", "slots"),
    [
        ({"a": 64}, 1000, {"a": 64}),
        ({"a": 512}, 100, {"a": 100}),
        ({"a": 8, "b": 512, "c": 300}, 100, {"a": 8, "c": 46, "b": 46}),
        ({"a": 5, "b": 5}, 1, {"a": 1, "b": 1}),
    ],
)
def test_requests_at_once_fit_the_limit_of_open_files(
    wanted: dict[str, int], room: int, slots: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.engine.limits.connections", lambda: room)
    assert fitted(wanted) == slots


def test_until_the_first_success_few_are_let_in() -> None:
    gate = Gate(64, 8)
    assert gate.limit == 8
    gate.grow()
    assert gate.limit == 64
    turned_away = Gate(64, 8)
    turned_away.shrink()
    turned_away.grow()
    assert 4 < turned_away.limit < 5


def test_refusals_alike_and_in_a_row_stop_the_model_unless_they_may_be_one_personas() -> None:
    new, known = Refusals(answered=False), Refusals(answered=True)
    odd, poor = BadRequest("422", "no"), BadRequest("402", "no credit")
    assert [new.refused(odd, "") for _ in range(REFUSALS)] == [False] * (REFUSALS - 1) + [True]
    assert not any(known.refused(odd, "one persona") for _ in range(5 * REFUSALS))
    assert known.refused(odd, "another")
    assert [known.refused(poor, "one") for _ in range(REFUSALS)][-1]
    known.answered()
    assert not any(known.refused(poor, "one") for _ in range(REFUSALS - 1))
    assert not any(new.refused(BadRequest("unsupported", "ours"), "") for _ in range(5 * REFUSALS))
    assert [known.refused(BadRequest("redirect", "it has moved"), "one") for _ in range(REFUSALS)][-1]


def test_answers_that_are_none_stop_a_model_that_never_gave_one_and_busy_servers_do_not() -> None:
    new, known = Refusals(answered=False), Refusals(answered=True)
    page = Transient("not JSON", "a web page")
    assert not any(known.refused(page, "one") for _ in range(5 * REFUSALS))
    assert not any(new.refused(Transient("503", "busy"), "one") for _ in range(5 * REFUSALS))
    assert [new.refused(page, "") for _ in range(REFUSALS)] == [False] * (REFUSALS - 1) + [True]
