"""Requests on their way, and how many are taken up at once."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.backends.errors import Transient
from runner.crossing.trials import Asked

A_SLOT = 4  # flights for each request that may be sent at once: what waits for another try holds no slot


@dataclass
class Flight:
    """A request on its way, and every trial that waits for it."""

    waiting: list[Asked]
    attempts: int = 0
    failure: Transient | None = None
    retries: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def first(self) -> Asked:
        """The trial that the request was made for."""
        return self.waiting[0]

    @property
    def key(self) -> bytes:
        """The request's key."""
        return self.waiting[0].key


class Flights:
    """The flights of one model, by their keys: each request is on its way once."""

    def __init__(self, slots: int) -> None:
        self._flights: dict[bytes, Flight] = {}
        self._most, self._refill = A_SLOT * slots, (A_SLOT - 1) * slots
        self._landed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._flights)

    def joined_by(self, asked: Asked) -> bool:
        """Let a trial wait for its request if that is on its way; whether it is."""
        if (flight := self._flights.get(asked.key)) is None:
            return False
        flight.waiting.append(asked)
        return True

    def begin(self, asked: Asked) -> Flight:
        """A flight for a request that is not on its way."""
        flight = self._flights[asked.key] = Flight([asked])
        return flight

    def land(self, flight: Flight) -> None:
        """A request is through."""
        del self._flights[flight.key]
        if len(self._flights) <= self._refill:
            self._landed.set()

    async def room(self) -> None:
        """Wait where there are too many; for room for several, as waking for each takes as long as sending one."""
        if len(self._flights) >= self._most:
            while len(self._flights) > self._refill:
                await self.next_landing()

    async def next_landing(self) -> None:
        """Wait until a request is through; where there are many, until there are fewer."""
        self._landed.clear()
        await self._landed.wait()

    def retries(self) -> Iterator[asyncio.Task[None]]:
        """The tasks that wait for another try."""
        return (flight.retries for flight in self._flights.values() if flight.retries)
