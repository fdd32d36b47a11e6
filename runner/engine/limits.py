"""How much may be sent at once: concurrency that adapts, requests and tokens a minute, and a breaker."""

import asyncio
import resource
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from asyncio_throttle.throttler import Throttler

from runner.backends.errors import BackendError, BadRequest
from runner.backends.replies.waiting import retry_after

WINDOW_SECONDS = 60.0
MINUTE_SEEN = (40.0, 80.0)  # seconds: what a window of a minute looks like in headers, which round
LEAST_CALLS = 40
OPEN_SECONDS = 20.0
OPENINGS = 3
SPARE_FILES = 64  # beside the connections: the database, its log, look-ups of names, what a report opens
MOST_FILES = 1 << 16
REFUSALS = 10  # alike and in a row: together with those in flight, fewer than 20 requests
FIRST_SLOTS = 8
UNREADABLE = ("not JSON", "no answer")  # of a model that has answered nothing yet, for good as well
ALL_REFUSED = "it refuses every request for the same reason"
NONE_READABLE = "what it charges for cannot be read as an answer"
OF_REQUEST = ("400", "413", "422")  # what may be wrong with one prompt alone
_OF_ENDPOINT = ("redirect", "packed", "too large")  # what it is up to the endpoint to do otherwise


def connections() -> int:
    """How many connections this process may have open: its limit of open files, raised as far as that is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < highest:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            soft = highest
    allowed = MOST_FILES if soft == resource.RLIM_INFINITY else soft
    return max(1, allowed - len(list(Path("/dev/fd").iterdir())) - SPARE_FILES)


def fitted(wanted: Mapping[str, int]) -> dict[str, int]:
    """How many requests each model may have in flight, so that all their connections fit: an even share at most."""
    left, found = connections(), {}
    for place, name in enumerate(sorted(wanted, key=wanted.__getitem__)):
        found[name] = max(1, min(wanted[name], left // (len(wanted) - place)))
        left -= found[name]
    return found


class Gate:
    """Slots for requests in flight (additive increase, multiplicative decrease), never more than `most`.

    A rate limit halves them; as many successes as there are slots add one. Until the first success there are `first`,
    so that an endpoint that refuses everything is asked little.
    """

    def __init__(self, most: int, first: int | None = None) -> None:
        self.most = most
        self.limit = float(min(most, first or most))
        self._opens = self.limit < most
        self.active = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._shrunk_at = 0.0
        self._closed_until = 0.0

    def enter_at_once(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._waiting or self.active >= int(self.limit) or self._closed_until > time.monotonic():
            return False
        self.active += 1
        return True

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


@dataclass
class Admission:
    """Tokens that were let through: at first the most that it may come to, in the end what it came to."""

    at: float
    tokens: float


class TokenWindow:
    """At most so many tokens in any minute, evenly spread but for a tenth of them that may come at once.

    A leaky bucket alone lets up to twice its rate through in a minute; and none can be told what a request came to in
    the end, which is mostly far less than what it may come to.
    """

    def __init__(self, per_minute: float) -> None:
        self.per_minute = per_minute
        self._rate, self._burst = per_minute / WINDOW_SECONDS, per_minute / 10
        self._admitted: deque[Admission] = deque()
        self._total = self._level = self._levelled_at = 0.0
        self._freed = asyncio.Event()

    async def admit(self, tokens: float) -> Admission:
        """Wait for room; a request of more than the whole limit waits for an empty minute."""
        tokens = min(tokens, self.per_minute)
        while (pause := self._until_room(tokens)) > 0:
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._freed.wait()
        found = Admission(time.monotonic(), tokens)
        self._admitted.append(found)
        self._total += tokens
        self._level += tokens
        return found

    def settle(self, admission: Admission, tokens: float) -> None:
        """What a request came to; one that ended a minute after it began counts no more."""
        if self._admitted and admission.at >= self._admitted[0].at:
            more = tokens - admission.tokens
            self._total += more
            self._level = max(0.0, self._level + more)
            admission.tokens = tokens
            self._freed.set()

    def _until_room(self, tokens: float) -> float:
        """Seconds until there may be room, both in the minute and in the even spread; 0 where there is."""
        now = time.monotonic()
        while self._admitted and self._admitted[0].at <= now - WINDOW_SECONDS:
            self._total -= self._admitted.popleft().tokens
        self._level = max(0.0, self._level - (now - self._levelled_at) * self._rate)
        self._levelled_at = now
        spread = (self._level - max(0.0, self._burst - tokens)) / self._rate
        full = bool(self._admitted) and self._total + tokens > self.per_minute
        return max(spread, self._admitted[0].at + WINDOW_SECONDS - now if full else 0.0)


class RateLimits:
    """Requests and tokens a minute; limits that the study does not name are learnt from `x-ratelimit-*` headers."""

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None) -> None:
        self._named = (requests_per_minute is not None, tokens_per_minute is not None)
        self._one = asyncio.Lock()  # a single waiter polls the throttle, however many are behind it
        self._seen: dict[str, str | None] = {}
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self._throttle = _throttle(requests_per_minute)
        self._tokens = TokenWindow(tokens_per_minute) if tokens_per_minute else None

    @property
    def limited(self) -> bool:
        """Whether there is anything to wait for."""
        return self._throttle is not None or self._tokens is not None

    async def admit(self, tokens: float) -> Admission:
        """Wait until one more request of at most this many tokens, prompt and answer, is allowed."""
        async with self._one:
            if self._throttle is not None:
                await self._throttle.acquire()  # type: ignore[no-untyped-call]
            if self._tokens is not None:
                return await self._tokens.admit(float(tokens))
        return Admission(time.monotonic(), 0.0)

    def settle(self, admission: Admission, tokens: float) -> None:
        """What an admitted request came to, in tokens of prompt and answer."""
        if self._tokens is not None:
            self._tokens.settle(admission, tokens)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over the limits that a response names, where it is clear that they are limits a minute."""
        for place, what in enumerate(("requests", "tokens")):
            if self._named[place] or (limit := self._learnt(headers, what)) is None:
                continue
            if what == "requests" and limit != self.requests_per_minute:
                self.requests_per_minute, self._throttle = limit, _throttle(limit)
            if what == "tokens" and limit != self.tokens_per_minute:
                self.tokens_per_minute, self._tokens = limit, TokenWindow(limit)

    def _learnt(self, headers: Mapping[str, str], what: str) -> float | None:
        """A limit a minute that is not known yet; the same header twice is read once."""
        named = headers.get(f"x-ratelimit-limit-{what}-minute") or headers.get(f"x-ratelimit-limit-{what}")
        if named is None or self._seen.get(what) == named:
            return None
        found = a_minute(headers, what)
        if found is not None:
            self._seen[what] = named
        return found


def a_minute(headers: Mapping[str, str], what: str) -> float | None:
    """How many `what` a response allows a minute; None where it does not say, or the limit is of an hour or a day.

    The unit is in the header's name (…-minute), in its value ("60;w=60"), or shows in how fast what was used comes
    back: used / reset is the rate, and limit / rate the window.
    """
    limit = _number(headers.get(f"x-ratelimit-limit-{what}-minute"))
    if limit is not None:
        return limit
    first, _, policy = (headers.get(f"x-ratelimit-limit-{what}") or "").partition(";")
    limit = _number(first.partition(",")[0])
    if limit is None:
        return None
    if (window := _number(policy.rpartition("w=")[2].partition(";")[0])) is not None:
        return limit * 60 / window if window <= 60 else None
    left, reset = headers.get(f"x-ratelimit-remaining-{what}"), headers.get(f"x-ratelimit-reset-{what}")
    used = limit - (_number(left) or 0.0) if left else 0.0
    seconds = retry_after(reset)
    if not used or not seconds:
        return None
    low, high = MINUTE_SEEN
    return limit if low <= limit * seconds / used <= high else None


def _throttle(per_minute: float | None) -> Throttler | None:
    """A throttle of one second where at least one request a second is allowed, else of one request."""
    if per_minute is None:
        return None
    return Throttler(int(per_minute / 60)) if per_minute >= 60 else Throttler(1, period=60 / per_minute)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 < value < 1e9 else None


class Breaker:
    """Trips when most calls of a minute fail for another reason than a rate limit.

    It closes the gate for a while, and gives up after it has tripped three times without a success between.
    """

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


def is_of_provider(error: BackendError) -> bool:
    """Whether it is the provider who refuses, and not we."""
    return error.kind.isdecimal() or error.kind in _OF_ENDPOINT


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

    def refused(self, error: BackendError, persona: str) -> bool:
        """Count a refusal of a request with this persona's text; true where the model should be given up."""
        if isinstance(error, BadRequest):
            counts = is_of_provider(error)
        else:
            counts = error.kind in UNREADABLE and not self._answered  # else a gateway's page between two answers
        if not counts:
            return False
        if error.kind != self._kind:
            self._kind, self._count = error.kind, 0
            self._personas.clear()
        self._count += 1
        self._personas.add(persona)
        one = self._answered and error.kind in OF_REQUEST and len(self._personas) == 1
        return self._count >= REFUSALS and not one
