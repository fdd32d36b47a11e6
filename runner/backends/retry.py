"""How often a failed request is tried again, and after how long."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_random_exponential,
)

from runner.backends.errors import Transient

T = TypeVar("T")
ATTEMPTS = 8
LONGEST_WAIT = 300.0
_full_jitter = wait_random_exponential(multiplier=0.5, max=60)


def _wait(state: RetryCallState) -> float:
    """The server's Retry-After if it names one, else exponential with full jitter, at most a minute."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Transient) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    return _full_jitter(state)


def _stop(state: RetryCallState) -> bool:
    """After eight attempts, or as many as the last failure is worth."""
    error = state.outcome.exception() if state.outcome else None
    tries = error.tries if isinstance(error, Transient) else None
    return state.attempt_number >= min(ATTEMPTS, tries or ATTEMPTS)


async def retrying(
    first: Transient,
    again: Callable[[], Awaitable[T]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The result of the first further attempt that is not `Transient`, or the last error after as many as are worth
    it, eight at most."""
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
