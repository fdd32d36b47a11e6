"""Waiting for something to become true, however slow the machine is."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HUNG = 300.0  # seconds after which a test calls something hung; what is slow takes as long as it takes


def wait_until(condition: Callable[[], Any]) -> None:
    """Look again and again."""
    deadline = time.monotonic() + HUNG
    while not condition():
        assert time.monotonic() < deadline, "hung"
        time.sleep(0.05)


async def until(condition: Callable[[], Any], task: "asyncio.Task[Any] | None" = None) -> None:
    """Look again and again, and no longer than `task` goes well."""
    async with asyncio.timeout(HUNG):
        while not condition():
            if task is not None and task.done():
                task.result()
            await asyncio.sleep(0.01)


def listens(path: Path) -> bool:
    """Whether a server takes connections at a Unix socket, whose file is there a moment before it does."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
