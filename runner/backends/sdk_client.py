"""What OpenAI's and Anthropic's SDKs need around them: both are made by one generator, and sit on httpx2 over aiohttp.

No retry, no redirect, no proxy but the one that every backend takes, no body without a bound.
"""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2

from runner.backends.connection import proxy_for
from runner.backends.errors import BackendError, BadRequest, Transient
from runner.backends.http import failure, most_bytes, not_connected, too_large, was_sent

SCHEMES = ("http://", "https://", "all://")
AS_IT_IS = {"Accept-Encoding": "identity"}
"""The header that asks for bodies that are not packed."""


def connection_options(base_url: str) -> dict[str, Any]:
    """What the SDK's HTTP client is made with for requests to an endpoint.

    Raises InputError for a proxy that cannot be used.
    """
    proxy = proxy_for(base_url)
    # a mount of None is a direct connection, whatever the environment says
    way: dict[str, Any] = {"proxy": proxy} if proxy else {"mounts": dict.fromkeys(SCHEMES)}
    return {"follow_redirects": False, "event_hooks": {"response": [_bounded]}, **way}


def as_backend_error(error: Any, timed_out: bool) -> BackendError:
    """An SDK's APIError as one of ours; `timed_out` is whether it is the one that it has for time-outs."""
    if isinstance(error.__cause__, BackendError):
        return error.__cause__
    response: httpx2.Response | None = getattr(error, "response", None)
    if response is not None and response.status_code >= 300:
        return failure(response.status_code, response.headers, response.content, str(response.url))
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientConnectionError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, aiohttp.ClientConnectionError):
        return not_connected(str(error.request.url), cause)
    kind = "timeout" if timed_out else "connection"
    return Transient(kind, f"{type(error).__name__}: {error.message}", charged=was_sent(error))


class _Counted(httpx2.AsyncByteStream):
    """A body that is not read past the size of an answer."""

    def __init__(self, stream: httpx2.AsyncByteStream, url: str) -> None:
        self._stream, self._url = stream, url

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            if (size := size + len(part)) > most_bytes(self._url):
                raise too_large(self._url)
            yield part

    async def aclose(self) -> None:
        """Close the connection's end of it."""
        await self._stream.aclose()


async def _bounded(response: httpx2.Response) -> None:
    """Bound the body before the SDK reads it.

    The SDK unpacks without a bound, so that packed bodies, which nobody asked for, are refused.
    """
    url = str(response.url)
    if (packed := response.headers.get("content-encoding", "identity")) != "identity":
        raise BadRequest("packed", f"{url}: a body packed as {packed}, which was not asked for", charged=True)
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Counted(response.stream, url)
