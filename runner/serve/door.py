"""How many connections the server has at most.

Where there are that many, the one that has been idle longest makes room, so that connections that say nothing, or say
it slowly, keep nobody out.
"""

import asyncio
import resource
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MOST = 4096
BACKLOG = 64  # that are let in at once, so that there may be so many more for a moment
_SPARE_FILES = 64 + BACKLOG
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Door:
    """Makes the protocol of each new connection to an aiohttp server, at most so many at once."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most or _fitted()
        self._asking: set[web.RequestHandler] = set()

    @web.middleware
    async def noted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Middleware that has a connection known as one with a request at work."""
        self._asking.add(request.protocol)
        try:
            return await handler(request)
        finally:
            self._asking.discard(request.protocol)

    def protocol(self, server: web.Server) -> asyncio.Protocol:
        """aiohttp's, or one that says 503 where every connection has a request at work."""
        connected = [each for each in server.connections if each.transport]
        if len(connected) >= self._most:
            idle = next((each for each in connected if each not in self._asking), None)  # in the order of their coming
            if idle is None:
                return _Full()
            idle.force_close()
        return server()


class _Full(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(_FULL)
        transport.close()


def _fitted() -> int:
    """As many connections as this process may open files, its limit raised as far as is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + _SPARE_FILES
    highest = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < highest:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest, hard))
            soft = highest
    allowed = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
    return max(1, allowed - _SPARE_FILES)
