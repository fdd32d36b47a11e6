"""How often, and for how long, a failed request is tried again."""

import asyncio

import pytest

from runner.backends.errors import Transient
from runner.backends.retry import ATTEMPTS, LONGEST_WAIT, MOST_ATTEMPTS, TWO_WINDOWS, retrying


async def _tried(error: Transient, ends_after: float | None = None) -> tuple[int, float]:
    """Attempts after the first, and seconds slept, until the error stands or the server has recovered."""
    attempts, slept = 0, 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        slept += seconds
        await asyncio.sleep(0)

    async def again() -> None:
        nonlocal attempts
        attempts += 1
        if ends_after is None or slept < ends_after:
            raise error

    if ends_after is not None:
        await retrying(error, again, sleep)
    else:
        with pytest.raises(Transient):
            await retrying(error, again, sleep)
    return attempts, slept


@pytest.mark.parametrize("kind", ["429", "503", "529"])
async def test_a_rate_limit_is_waited_out_for_two_windows_of_a_minute(kind: str) -> None:
    attempts, slept = await _tried(Transient(kind, "too many"))
    assert slept >= TWO_WINDOWS or attempts == MOST_ATTEMPTS - 1
    await _tried(Transient(kind, "too many", retry_after=1.0), ends_after=119.0)


async def test_another_failure_is_given_up_after_eight_attempts() -> None:
    attempts, _ = await _tried(Transient("500", "broken"))
    assert attempts == ATTEMPTS - 1


async def test_a_server_that_says_at_once_for_ever_is_not_asked_for_ever() -> None:
    attempts, _ = await _tried(Transient("429", "now", retry_after=0.0))
    assert ATTEMPTS <= attempts < MOST_ATTEMPTS


async def test_what_the_server_asks_for_is_obeyed() -> None:
    _, slept = await _tried(Transient("429", "later", retry_after=400.0), ends_after=1.0)
    assert slept == 400.0 < LONGEST_WAIT
