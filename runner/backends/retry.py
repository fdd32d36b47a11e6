"""Which failures are retried, and for how long.

BackendError            a request was not answered
├── Transient           worth another try: rate limits, time-outs, resets, 5xx, a body that is no answer
├── BadRequest          this one request is wrong: recorded, the rest goes on
└── ModelUnavailable    no retry mends it (bad key, unknown model): this model stops, with a sentence
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from runner.backends.surrogates import without_surrogates

T = TypeVar("T")
ATTEMPTS = 8
LONGEST_WAIT = 300.0
_full_jitter = wait_random_exponential(multiplier=0.5, max=60)


class BackendError(Exception):
    """A request was not answered; `kind` is a short word for the failure table, `charged` says that it may have cost
    what an answer costs."""

    def __init__(self, kind: str, message: str, charged: bool = False) -> None:
        message = without_surrogates(message)
        super().__init__(kind, message, charged)  # all of them, so that it can be pickled
        self.kind = kind
        self.message = message
        self.charged = charged

    def __str__(self) -> str:
        return self.message


class Transient(BackendError):
    """Worth another try, after `retry_after` seconds where the server names them."""

    def __init__(self, kind: str, message: str, charged: bool = False, retry_after: float | None = None) -> None:
        super().__init__(kind, message, charged)
        self.retry_after = retry_after


class BadRequest(BackendError):
    """This request will never be answered as it is."""


class ModelUnavailable(BackendError):
    """This model will never answer as it is asked."""


def _wait(state: RetryCallState) -> float:
    """The server's Retry-After if it names one, else exponential with full jitter, at most a minute."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, Transient) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_WAIT)
    return _full_jitter(state)


async def retrying(
    first: Transient,
    again: Callable[[], Awaitable[T]],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> T:
    """The result of the first further attempt that is not `Transient`, or the last error after eight in all."""
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(Transient),
        wait=_wait,
        stop=stop_after_attempt(ATTEMPTS),
        sleep=sleep,
        reraise=True,
    )
    async for attempt in attempts:
        with attempt:
            if attempt.retry_state.attempt_number == 1:
                raise first
            return await again()
    raise first
