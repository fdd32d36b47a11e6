"""Concurrency that adapts, rates that are learnt, a breaker that trips."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import HUNG

from runner.backends.errors import BadRequest, ModelUnavailable, Transient
from runner.backends.http import failure, retry_after
from runner.engine.limits import LEAST_CALLS, REFUSALS, Breaker, Gate, Rates, Refusals


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


def test_limits_are_learnt_from_headers_unless_the_study_names_them() -> None:
    headers = {"x-ratelimit-limit-requests": "500", "x-ratelimit-limit-tokens": "30000"}
    learning, named = Rates(None, None), Rates(60, None)
    assert not learning.limited
    learning.learn(headers)
    named.learn(headers)
    assert (learning.requests_per_minute, learning.tokens_per_minute) == (500, 30000)
    assert (named.requests_per_minute, named.tokens_per_minute) == (60, 30000)
    learning.learn({"x-ratelimit-limit-requests": "nonsense"})
    assert learning.requests_per_minute == 500


async def test_the_breaker_closes_the_gate_and_then_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.engine.limits.OPEN_SECONDS", 0.0)
    breaker = Breaker(Gate(4))
    given_up = [breaker.failed() for _ in range(3 * LEAST_CALLS)]
    assert given_up.index(True) == 3 * LEAST_CALLS - 1
    breaker = Breaker(Gate(4))
    for _ in range(10 * LEAST_CALLS):
        assert not breaker.failed()
        breaker.succeeded()


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after("1.5") == 1.5
    assert retry_after("-3") == 0.0
    assert retry_after(None) is retry_after("") is retry_after("soon") is None
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 27 < (retry_after(later) or 0) <= 30


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
