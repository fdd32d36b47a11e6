"""When one model of a run is to stop: because the whole run is, or for a reason of its own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runner.engine.context import Context


class Stopped(Exception):
    """The model is to stop, and a request of it was not sent."""


class Stopping:
    """Whether a model is to stop. `halted` is its own: the others go on."""

    def __init__(self, context: Context, name: str) -> None:
        self._stop, self._state, self._name = context.stop, context.state, name
        self.halted = False

    @property
    def due(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.halted or self._stop.is_set()

    def halt(self, reason: str) -> None:
        """Stop the model; the first reason is the one that is shown."""
        self.halted = True
        self._state.stop(self._name, reason)

    def halt_over_budget(self) -> None:
        """Stop the model because a cap leaves no room for its next request."""
        self.halted = True
        self._state.reach_cap(self._name)

    async def sleep(self, seconds: float) -> None:
        """Wait, but not for longer than until the run is to stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for may swallow a cancellation in Python 3.11
                await self._stop.wait()


class WaitingTasks:
    """The tasks that wait for something which a model that is to stop waits for no longer."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None] | None] = set()

    @contextmanager
    def here(self) -> Iterator[None]:
        """Where a task waits. Raises Stopped where it is let go of."""
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._tasks:
                raise
            raise Stopped from None
        finally:
            self._tasks.discard(task)

    def let_go(self) -> None:
        """Have none of them wait any longer."""
        while self._tasks:
            if task := self._tasks.pop():
                task.cancel()
