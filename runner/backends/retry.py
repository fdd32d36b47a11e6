"""How often a failed request is tried again, and after how long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from runner.backends.errors import Transient

T = TypeVar("T")
ATTEMPTS, MOST_ATTEMPTS = 8, 30
BUSY = frozenset({"429", "503", "529"})  # a server that has too much to do
LONGEST_WAIT = 900.0  # seconds; a provider that asks for more is not waited for
TWO_WINDOWS = 125.0  # seconds that a rate limit is waited out for at least: providers count by the minute
_full_jitter = wait_random_exponential(multiplier=0.5, max=60)


def _wait(state: RetryCallState) -> float:
    """What the server asks for, if it does; else exponential with full jitter, at most a minute.

    A server that says "at once" again and again is not believed after eight attempts.
    """
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Transient) else None
    if asked is not None and state.attempt_number < ATTEMPTS:
        return min(asked, LONGEST_WAIT)
    left = max(1.0, TWO_WINDOWS - state.idle_for)
    return max(min(asked or 0.0, LONGEST_WAIT), min(_full_jitter(state), left))


def _stop(state: RetryCallState) -> bool:
    """Stops after eight attempts, or as many as the last failure is worth.

    After a rate limit, not before two windows of a minute are over.
    """
    error = state.outcome.exception() if state.outcome else None
    tries = error.tries if isinstance(error, Transient) else None
    patient = isinstance(error, Transient) and error.kind in BUSY and state.idle_for < TWO_WINDOWS
    return state.attempt_number >= (tries or (MOST_ATTEMPTS if patient else ATTEMPTS))


async def retrying(
    first: Transient,
    again: Callable[[], Awaitable[T]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The result of the first further attempt that is not `Transient`, or the last error where they are given up."""
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=_wait,
        stop=_stop,
        sleep=sleep,
        reraise=True,
    )
    async for attempt in attempts:
        with attempt:
            if attempt.retry_state.attempt_number == 1:
                raise first
            return await again()
    raise first
