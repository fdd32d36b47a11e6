"""A process of its own for what takes statistics: it yields to the run, and to whoever looks at the page."""

import os
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

from personas.errors import MachineError

DUTY = 0.05
LEAST_PAUSE = 10.0
NICE = 5  # lower, and what was asked for would never come where the run takes every core
KEPT = 8


class Background:
    """Runs functions of modules, one at a time, and keeps what the last few gave."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._futures: dict[Hashable, Future[Any]] = {}
        self._lock = threading.Lock()

    def ask(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """The future of a call; the same key gets the same one, until eight others were asked for."""
        with self._lock:
            future = self._futures.pop(key, None)
            if future is None or (future.done() and isinstance(future.exception(), BrokenProcessPool)):
                future = self._submit(function, arguments)
            self._futures[key] = future
            for old in list(self._futures)[:-KEPT]:
                del self._futures[old]
            return future

    def _submit(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Future[Any]:
        if self._pool is None:
            self._pool = _pool()
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool:
            self._pool = _pool()
            return self._pool.submit(function, *arguments)

    def close(self) -> None:
        """End the process, also in the middle of something."""
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.terminate()


class Paced:
    """The newest result of one function, computed again when the file changed and somebody looks.

    It takes no more than a twentieth of the time, and runs no more often than every ten seconds.
    """

    def __init__(self, background: Background, function: Callable[..., Any], *arguments: Any) -> None:
        self._background, self._function, self._arguments = background, function, arguments
        self._lock = threading.Lock()
        self._future: Future[Any] | None = None
        self._version: Hashable = None
        self._began = self._not_before = 0.0
        self._last: Any = None
        self.serial, self.error = 0, ""

    def latest(self, version: Hashable, is_last: bool = False) -> Any:
        """What was found last; None before the first time.

        `version` is that of the file now; one that `is_last`, as of a run that has ended, is computed at once.
        """
        with self._lock:
            now = time.monotonic()
            if self._future is not None and self._future.done():
                self._take(self._future, now)
                self._future = None
            if self._future is None and version != self._version and (is_last or now >= self._not_before):
                self._version, self._began = version, now
                self._future = self._background.ask((self._function, version), self._function, *self._arguments)
            return self._last

    def _take(self, future: Future[Any], now: float) -> None:
        self._not_before = now + max(LEAST_PAUSE, (now - self._began) * (1 / DUTY - 1))
        try:
            self._last, self.error = future.result(), ""
            self.serial += 1
        except BrokenProcessPool:
            self.error = "the process that computes Δ was ended; is memory short?"
        except Exception as error:  # whatever a file from outside makes of it, the page goes on
            self.error = str(error)


def result(future: Future[Any]) -> Any:
    """What a finished call gave. Raises what it raised; MachineError where its process was ended."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise MachineError("the process that computes this was ended; is memory short?") from None


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_yielding, initargs=(os.getpid(),))


def _yielding(parent: int) -> None:
    """At a lower priority, and gone when the page is."""
    os.nice(NICE)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
