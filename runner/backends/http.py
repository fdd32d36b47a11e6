"""POST a JSON body and get one back, every failure sorted into the classes of `runner/backends/errors.py`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, Transient
from runner.backends.waiting import delay
from runner.study.masking import scrub

EXCERPT = 300  # characters of what an endpoint says that a message quotes
MAX_BODY = 4_000_000  # bytes of an answer, unpacked
MAX_FILE = 500_000_000  # bytes of what a batch of them comes in
RETRIED = frozenset({408, 409, 425, 429})
UNMENDABLE = ("insufficient_quota", "unsupported_parameter", "unsupported_value", "model_not_found", "API_KEY_INVALID")


async def post_json(
    session: aiohttp.ClientSession, url: str, payload: bytes, learn: Callable[[Mapping[str, str]], None] | None = None
) -> dict[str, Any]:
    """The JSON object that the endpoint answers with; `learn` gets the headers. Raises BackendError."""
    try:
        async with session.post(url, data=payload, allow_redirects=False) as response:
            body = await read_body(response)
            if learn is not None:
                learn(response.headers)
            if response.status != 200:
                raise failure(response.status, response.headers, body, url)
    except aiohttp.ClientConnectionError as error:
        raise not_connected(url, error) from None
    except TimeoutError:
        raise Transient("timeout", f"{url}: no answer in time", charged=True) from None
    except (aiohttp.ClientError, OSError) as error:
        raise Transient("connection", f"{url}: {type(error).__name__}: {error}", charged=True) from None
    return json_object(url, body)


def timeout(seconds: float) -> aiohttp.ClientTimeout:
    """A whole request may take this long, a connection half a minute."""
    return aiohttp.ClientTimeout(total=seconds, sock_connect=min(30.0, seconds))


class BoundedResponse(aiohttp.ClientResponse):
    """A response whose body, unpacked, is not read past `most_bytes`: a megabyte of gzip may hold a gigabyte. Sessions
    that an SDK reads from get it as their `response_class`."""

    async def read(self) -> bytes:
        """The whole body. Raises BadRequest for one larger than any answer."""
        if self._body is None:
            parts, size = [], 0
            async for part in self.content.iter_any():
                parts.append(part)
                if (size := size + len(part)) > most_bytes(str(self.url)):
                    self.close()
                    raise too_large(str(self.url))
            self._body = b"".join(parts)
        return await super().read()


def too_large(url: str) -> BadRequest:
    """What a body that is larger than any answer means: the request is not sent again."""
    return BadRequest("too large", f"{url}: a body of over {most_bytes(url):,} bytes", charged=True)


def most_bytes(url: str) -> int:
    """How large a body from this address may be: that of an answer, or of a batch job's file."""
    return MAX_FILE if any(word in url for word in ("/files/", ":download", "/batches")) else MAX_BODY


async def read_body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body; one larger than any answer, once unpacked, is not read to its end."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        if (size := size + len(part)) > MAX_BODY:
            response.close()
            raise too_large(str(response.url))
    return b"".join(parts)


def json_object(url: str, body: bytes) -> dict[str, Any]:
    """The JSON object of a 200. Raises Transient where it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Transient("not JSON", f"{url}: 200, but not JSON: {_excerpt(body)}", charged=True) from None
    if not isinstance(value, dict):
        raise Transient("not JSON", f"{url}: 200, but not a JSON object: {_excerpt(body)}", charged=True)
    return value


def failure(status: int, headers: Mapping[str, str], body: bytes, url: str = "") -> BackendError:
    """The error that an HTTP status means; `url` is what was asked, where that is known."""
    if 300 <= status < 400:
        return redirected(url or "the endpoint", headers.get("Location") or "an address that it does not name")
    text = body.decode("utf-8", "replace")
    message = f"HTTP {status}: {said(text)}"
    if status == 404 and url:
        message += f" ({url}; {'check id' if '/v1' in url else 'base_urls usually ends in /v1'})"
    if status in (401, 403, 404) or any(word in text for word in UNMENDABLE):
        return ModelUnavailable(str(status), message)
    if status in RETRIED or status >= 500:
        return Transient(str(status), message, retry_after=delay(headers, text))
    return BadRequest(str(status), message)


def redirected(url: str, target: str) -> BadRequest:
    """The error of an endpoint that sends its caller elsewhere."""
    return BadRequest(
        "redirect", f"{url} redirects to {target}, where neither key nor prompt is sent; name that address in base_urls"
    )


def not_connected(url: str, error: aiohttp.ClientConnectionError) -> BackendError:
    """The error of a connection that was not made, which nothing was sent over, or of one that was lost."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return ModelUnavailable("certificate", f"{url}: its certificate is not trusted ({error.certificate_error})")
    if isinstance(error, aiohttp.ClientConnectorSSLError) and "WRONG_VERSION_NUMBER" in str(error):
        return ModelUnavailable("TLS", f"{url}: the server does not speak TLS: write http:// in base_urls")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return Transient(
            "connection", f"{url}: the proxy {error.host}:{error.port} cannot be reached: {error.strerror}"
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return Transient("connection", f"{url}: {error.strerror}")
    if isinstance(error, TimeoutError):
        unsent = isinstance(error, aiohttp.ConnectionTimeoutError)
        return Transient("timeout", f"{url}: {'no connection' if unsent else 'no answer'} in time", charged=not unsent)
    return Transient("connection", f"{url}: {type(error).__name__}: {error}", charged=True)


def said(text: str) -> str:
    """What the body of a refusal says: its message where it has one, else its beginning."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    value = value[0] if isinstance(value, list) and value else value
    for name in ("error", "message", "detail"):
        if isinstance(value, Mapping) and value.get(name):
            value = value[name]
    return scrub(value if isinstance(value, str) else text).strip()[:EXCERPT]


def _excerpt(body: bytes) -> str:
    return scrub(body.decode("utf-8", "replace")).strip()[:EXCERPT]
