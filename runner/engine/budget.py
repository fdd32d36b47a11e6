"""The budget: the worst-case cost of a request is reserved before it is sent and settled after.

The ledger is the table `spend`, a row per process and model, and for batches the table `job`. A process reserves in
blocks, in a transaction that adds up all rows, so that several processes and restarts share one cap. What a killed
process had reserved stays counted: nobody knows what its last requests cost.
"""

import asyncio
from functools import partial

from runner.store.cache import ResultCache
from runner.store.database import when_free
from runner.store.ledger import room_left

BLOCK_REQUESTS = 32
BLOCK_SHARE = 8  # of what is in flight, a block is one in so many: it is held for good where the process is killed


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
        columns = "process, model, reserved_micro_usd, settled_micro_usd"  # also without a cap: a later one counts it
        cache.connection.execute(f"INSERT INTO spend ({columns}) VALUES (?, ?, 0, 0)", self._row)

    @property
    def capped(self) -> bool:
        """Whether there is a cap at all."""
        return self._caps != (None, None)

    async def reserve(self, amount: int) -> None:
        """Set the amount aside, waiting for settlements where that can make room. Raises BudgetReached."""
        while self.capped:
            if self._held - self._outstanding < amount:
                await when_free(self._cache.connection, partial(self._extend, amount))
            if self._held - self._outstanding >= amount:
                break
            if not self._outstanding:
                raise BudgetReached
            self._settled.clear()
            await self._settled.wait()
        self._outstanding += amount

    def settle(self, reserved: int, actual: int) -> None:
        """Replace a reservation by what it came to: 0 where the request never cost anything."""
        self._outstanding -= reserved
        if actual:
            sql = (
                "UPDATE spend SET reserved_micro_usd = reserved_micro_usd - ?, "
                "settled_micro_usd = settled_micro_usd + ? WHERE process = ? AND model = ?"
            )
            self._cache.execute(sql, (actual if self.capped else 0, actual, *self._row))
        if self.capped:
            self._held -= actual
            self._settled.set()

    def close(self) -> None:
        """Give back what is reserved and not in flight."""
        if self.capped:
            sql = "UPDATE spend SET reserved_micro_usd = reserved_micro_usd - ? WHERE process = ? AND model = ?"
            self._cache.execute(sql, (self._held - self._outstanding, *self._row))
            self._held = self._outstanding

    def _extend(self, amount: int) -> None:
        """Reserve a block in the file, or as much of it as the caps leave, but no less than the amount needs."""
        connection = self._cache.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            room = room_left(connection, self._row[1], *self._caps)
            short = amount - (self._held - self._outstanding)
            block = min(room, max(short, min(amount * BLOCK_REQUESTS, self._outstanding // BLOCK_SHARE)))
            if block >= short:
                sql = "UPDATE spend SET reserved_micro_usd = reserved_micro_usd + ? WHERE process = ? AND model = ?"
                connection.execute(sql, (block, *self._row))
                self._held += block
        finally:
            connection.execute("COMMIT")
