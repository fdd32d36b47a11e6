"""The budget: the worst-case cost of a request is reserved before it is sent and settled after.

The ledger is the table `spend`, a row per process and model, and for batches the table `job`. A process reserves in
blocks, in a transaction that adds up all rows, so that several processes and restarts share one cap. What a killed
process had reserved stays counted: nobody knows what its last requests cost. What a provider does not say was used
costs what was reserved.
"""

import asyncio
import math
import sqlite3
from functools import partial
from typing import NamedTuple

from runner.backends.catalogue.prices import FREE, cost
from runner.backends.request import Usage
from runner.store.cache import ResultCache
from runner.store.ledger import room_left
from runner.study.sections import Price

BLOCK_REQUESTS = 32
BLOCK_SHARE = 8  # of what is in flight, a block is one in so many: it is held for good where the process is killed


class Charge(NamedTuple):
    """What a request cost, in millionths of a dollar; `estimated` where the provider did not say what was used."""

    micro_usd: int = 0
    estimated: bool = False


class Reservation(NamedTuple):
    """What is set aside for a request, and what it can cost, in millionths of a dollar."""

    amount: int = 0
    worst: int = 0


def charge(price: Price, usage: Usage | None, worst: int) -> Charge:
    """What a request cost; where its usage is not known, the most that it can have."""
    if usage is not None and usage.known:
        return Charge(cost(price, usage))
    return Charge() if price == FREE else Charge(worst, True)


class BudgetReached(Exception):
    """The cap leaves no room for the next request."""


class Budget:
    """One model's share of a process's spending; amounts in millionths of a dollar."""

    def __init__(
        self, cache: ResultCache, process: int, model: int, study_cap: int | None, model_cap: int | None
    ) -> None:
        self._cache = cache
        self._row = (process, model)
        self._caps = (study_cap, model_cap)
        self._held = 0  # reserved in the file
        self._outstanding = 0  # of it, promised to requests in flight
        self._settled = asyncio.Event()
        self._extending: asyncio.Task[int] | None = None  # one at a time: a block is for many requests
        self._tried = False  # whether a request has shown what requests cost
        self._overrun = 1.0  # the most that one has cost, in multiples of what it can cost
        columns = "process, model, reserved_micro_usd, settled_micro_usd"  # also without a cap: a later one counts it
        cache.connection.execute(f"INSERT INTO spend ({columns}) VALUES (?, ?, 0, 0)", self._row)

    @property
    def capped(self) -> bool:
        """Whether there is a cap at all."""
        return self._caps != (None, None)

    async def reserve(self, worst: int) -> Reservation:
        """Set aside what a request can cost, waiting for settlements where that can make room.

        The first request goes alone: an endpoint that counts tokens which no bound holds for would pass the cap with
        many in flight. Where one has cost more than it can, more is reserved for the others. Raises BudgetReached.
        """
        amount = 0
        while self.capped:
            amount = math.ceil(worst * self._overrun)
            if amount and self._outstanding and not self._tried:
                await self._next_settled()
                continue
            if self._held - self._outstanding >= amount:
                break
            if self._extending is not None:
                await asyncio.shield(self._extending)
                continue
            is_alone = not self._outstanding
            self._extending = asyncio.create_task(self._extend(amount))
            if await asyncio.shield(self._extending):
                continue  # another may have been let through meanwhile
            if self._outstanding:
                await self._next_settled()
            elif is_alone:  # else what was in flight has been settled meanwhile, which may have made room
                raise BudgetReached
        self._outstanding += amount
        return Reservation(amount, worst)

    async def _next_settled(self) -> None:
        self._settled.clear()
        await self._settled.wait()

    def settle(self, reserved: Reservation, actual: Charge) -> None:
        """Replace a reservation by what it came to: nothing where the request never cost anything."""
        amount, estimated = actual
        self._outstanding -= reserved.amount
        if amount:
            self._tried = True
            sql = (
                "UPDATE spend SET reserved_micro_usd = reserved_micro_usd - ?, "
                "settled_micro_usd = settled_micro_usd + ?, estimated_micro_usd = estimated_micro_usd + ? "
                "WHERE process = ? AND model = ?"
            )
            held = amount if self.capped else 0
            self._cache.execute(sql, (held, amount, amount * estimated, *self._row))
        if reserved.worst:
            self._overrun = max(self._overrun, amount / reserved.worst)
        if self.capped:
            self._held -= amount
            self._settled.set()

    async def close(self) -> None:
        """Give back what is reserved and not in flight."""
        if self._extending is not None:
            await asyncio.wait((self._extending,))
        if self.capped:
            sql = "UPDATE spend SET reserved_micro_usd = reserved_micro_usd - ? WHERE process = ? AND model = ?"
            self._cache.execute(sql, (self._held - self._outstanding, *self._row))
            self._held = self._outstanding

    async def _extend(self, amount: int) -> int:
        """Reserve a block in the file, or as much of it as the caps leave, but no less than the amount needs.

        Returns what was reserved: 0 where the caps do not leave what is needed.
        """
        short = amount - (self._held - self._outstanding)
        block = max(short, min(amount * BLOCK_REQUESTS, self._outstanding // BLOCK_SHARE))
        try:
            got = await self._cache.compute(partial(self._reserved, short, block))
        finally:
            self._extending = None
        self._held += got  # not `+= await …`, which would add to what was held before it waited
        return got

    def _reserved(self, least: int, most: int, connection: sqlite3.Connection) -> int:
        """What a transaction could reserve: `most`, or what is left; nothing where that is under `least`."""
        block = min(room_left(connection, self._row[1], *self._caps), most)
        if block < least:
            return 0
        sql = "UPDATE spend SET reserved_micro_usd = reserved_micro_usd + ? WHERE process = ? AND model = ?"
        connection.execute(sql, (block, *self._row))
        return block
