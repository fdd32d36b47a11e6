"""How much may be sent at once: concurrency that adapts, requests and tokens a minute, and a breaker."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping

from aiolimiter import AsyncLimiter
from asyncio_throttle.throttler import Throttler

from runner.backends.errors import BadRequest

WINDOW_SECONDS = 60.0
LEAST_CALLS = 40
OPEN_SECONDS = 20.0
OPENINGS = 3
REFUSALS = 10  # alike and in a row: together with those in flight, fewer than 20 requests
FIRST_SLOTS = 8
_OF_REQUEST = ("400", "413", "422")  # what may be wrong with one prompt alone


class Gate:
    """Slots for requests in flight: halved by a rate limit, one more after as many successes as there are slots
    (additive increase, multiplicative decrease), never over `most`. Until the first success there are `first`: what
    refuses everything is asked little."""

    def __init__(self, most: int, first: int | None = None) -> None:
        self.most = most
        self.limit = float(min(most, first or most))
        self._opens = self.limit < most
        self.active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shrunk_at = 0.0
        self._closed_until = 0.0

    async def enter(self) -> None:
        """Take a slot, in the order of asking."""
        while (pause := self._closed_until - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        while self.active >= int(self.limit):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        self.active += 1

    def leave(self) -> None:
        """Give the slot back."""
        self.active -= 1
        self._wake()

    def grow(self) -> None:
        """A request succeeded."""
        if self._opens:
            self._opens = False
            self.limit = float(self.most)
            self._wake()
        elif self.limit < self.most:
            self.limit = min(self.most, self.limit + 1 / self.limit)
            self._wake()

    def shrink(self) -> None:
        """A request was turned away; what was sent before the last halving does not halve again."""
        now = time.monotonic()
        self._opens = False
        if now - self._shrunk_at > 1.0:
            self._shrunk_at = now
            self.limit = max(1.0, self.limit / 2)

    def close_for(self, seconds: float) -> None:
        """Let nobody in for a while."""
        self._closed_until = time.monotonic() + seconds

    def _wake(self) -> None:
        free = int(self.limit) - self.active
        while self._waiting and free > 0:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                free -= 1


class Rates:
    """Requests and tokens a minute; limits that the study does not name are learnt from `x-ratelimit-*` headers."""

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None) -> None:
        self._named = (requests_per_minute is not None, tokens_per_minute is not None)
        self._one = asyncio.Lock()  # a single waiter polls the throttle, however many are behind it
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self._throttle = _throttle(requests_per_minute)
        self._tokens = _token_limiter(tokens_per_minute)

    @property
    def limited(self) -> bool:
        """Whether there is anything to wait for."""
        return self._throttle is not None or self._tokens is not None

    async def admit(self, tokens: int) -> None:
        """Wait until one more request of this many tokens is allowed."""
        async with self._one:
            if self._throttle is not None:
                await self._throttle.acquire()  # type: ignore[no-untyped-call]
            if self._tokens is not None:
                await self._tokens.acquire(min(float(tokens), self._tokens.max_rate))

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over the limits that a response names."""
        requests, tokens = (_number(headers.get(f"x-ratelimit-limit-{name}")) for name in ("requests", "tokens"))
        if requests and not self._named[0] and requests != self.requests_per_minute:
            self.requests_per_minute, self._throttle = requests, _throttle(requests)
        if tokens and not self._named[1] and tokens != self.tokens_per_minute:
            self.tokens_per_minute, self._tokens = tokens, _token_limiter(tokens)


def _throttle(per_minute: float | None) -> Throttler | None:
    """A throttle of one second where at least one request a second is allowed, else of one request."""
    if per_minute is None:
        return None
    return Throttler(int(per_minute / 60)) if per_minute >= 60 else Throttler(1, period=60 / per_minute)


def _token_limiter(per_minute: float | None) -> AsyncLimiter | None:
    return None if per_minute is None else AsyncLimiter(max(1.0, per_minute / 60), 1.0)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < 1e9 else None


class Breaker:
    """Trips when most calls of a minute fail for another reason than a rate limit: closes the gate for a while, and
    gives up after it has tripped three times without a success between."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._calls: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._openings = 0

    def succeeded(self) -> None:
        """Count a success."""
        self._openings = 0
        self._count(False)

    def failed(self) -> bool:
        """Count a failure; true where the model should be given up."""
        self._count(True)
        if len(self._calls) >= LEAST_CALLS and self._failures > len(self._calls) / 2:
            self._calls.clear()
            self._failures = 0
            self._openings += 1
            self._gate.close_for(OPEN_SECONDS)
        return self._openings >= OPENINGS

    def _count(self, failed: bool) -> None:
        now = time.monotonic()
        self._calls.append((now, failed))
        self._failures += failed
        while self._calls and self._calls[0][0] < now - WINDOW_SECONDS:
            self._failures -= self._calls.popleft()[1]


class Refusals:
    """Counts refusals for good: as many as REFUSALS alike, with no answer between, are for all that a model is asked.

    Once the model has answered anything, what may be wrong with a prompt must befall more than one persona's.
    """

    def __init__(self, answered: bool) -> None:
        self._answered = answered
        self._kind, self._count = "", 0
        self._personas: set[str] = set()

    def answered(self) -> None:
        """There is an answer."""
        self._answered, self._kind = True, ""

    def refused(self, error: BadRequest, persona: str) -> bool:
        """Count a refusal of a request with this persona's text; true where the model should be given up."""
        if not error.kind.isdecimal():  # ours, not the provider's
            return False
        if error.kind != self._kind:
            self._kind, self._count = error.kind, 0
            self._personas.clear()
        self._count += 1
        self._personas.add(persona)
        one = self._answered and error.kind in _OF_REQUEST and len(self._personas) == 1
        return self._count >= REFUSALS and not one
