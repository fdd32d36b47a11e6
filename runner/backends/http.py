"""POST a JSON body and get one back, every failure sorted into the classes of `runner/backends/errors.py`."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, Transient

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
            body = await _body(response)
            if learn is not None:
                learn(response.headers)
            if response.status != 200:
                raise failure(response.status, response.headers, body)
    except aiohttp.ClientConnectorError as error:
        raise Transient("connection", f"{url}: {error.strerror}") from None
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


async def _body(response: aiohttp.ClientResponse) -> bytes:
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


def failure(status: int, headers: Mapping[str, str], body: bytes) -> BackendError:
    """The error that an HTTP status means."""
    excerpt = _excerpt(body)
    message = f"HTTP {status}: {excerpt}"
    if status in (401, 403, 404) or any(word in excerpt for word in UNMENDABLE):
        return ModelUnavailable(str(status), message)
    if status in RETRIED or status >= 500:
        return Transient(str(status), message, retry_after=retry_after(headers.get("Retry-After")))
    return BadRequest(str(status), message)


def retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks for: a number, or a date. None where it names neither."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def _excerpt(body: bytes) -> str:
    return body[:300].decode("utf-8", "replace").strip()
