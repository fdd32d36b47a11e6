"""Connections to an endpoint: to that one and no other, and through the environment's proxy where it names one.

HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY are obeyed by every backend, never for this machine itself.
"""

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohttp
from yarl import URL

from personas.errors import InputError
from runner.backends.http import BoundedResponse, redirected
from runner.backends.keys import origin
from runner.study.addresses import is_loopback
from runner.study.masking import remember


def proxy_for(url: str) -> str | None:
    """The proxy that requests to a URL go through; None for a direct connection.

    Raises InputError for a proxy of another kind than HTTP.
    """
    parts = urlsplit(url)
    if is_loopback(parts.hostname or ""):
        return None
    named = getproxies_environment()
    found = named.get(parts.scheme) or named.get("all")
    if not found or proxy_bypass(parts.netloc.rpartition("@")[2], named):
        return None
    proxy = found if "://" in found else f"http://{found}"
    if urlsplit(proxy).scheme not in ("http", "https"):
        raise InputError(
            f"{origin(url)} would be reached through {origin(proxy)}, and only HTTP proxies are supported: "
            f"set {parts.scheme.upper()}_PROXY to one, or add the host to NO_PROXY"
        )
    remember(unquote(urlsplit(proxy).password or ""))
    return proxy


def open_session(
    url: str, timeout: aiohttp.ClientTimeout, headers: Mapping[str, str] | None = None, guarded: bool = False
) -> aiohttp.ClientSession:
    """A session for requests to one endpoint.

    `guarded` is for an SDK that follows redirects and URLs in replies: what would go to another endpoint, the key with
    it, is refused with BadRequest; `post_json` follows nothing by itself.

    Raises InputError for a proxy that cannot be used.
    """
    own = URL(url).origin()

    async def keep_to_the_endpoint(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if request.url.origin() != own:
            raise redirected(str(own), str(request.url))
        return await handler(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
        timeout=timeout,
        headers=headers,
        proxy=proxy_for(url),
        middlewares=(keep_to_the_endpoint,) if guarded else (),
        response_class=BoundedResponse,
    )
