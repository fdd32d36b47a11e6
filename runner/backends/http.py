"""POST a JSON body and get one back, every failure sorted into the classes of `runner/backends/errors.py`."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from runner.backends.errors import BackendError, BadRequest, Transient
from runner.backends.replies.provider_errors import refusal

MAX_BODY = 4_000_000
END_OF_STREAM = b"[DONE]"


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
    except TimeoutError as error:
        raise Transient("timeout", f"{url}: no answer in time", charged=was_sent(error)) from None
    except (aiohttp.ClientError, OSError) as error:
        raise Transient("connection", f"{url}: {type(error).__name__}: {error}", charged=True) from None
    return json_object(url, body)


def timeout(seconds: float) -> aiohttp.ClientTimeout:
    """A whole request may take this long, a connection half a minute."""
    return aiohttp.ClientTimeout(total=seconds, sock_connect=min(30.0, seconds))


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The whole body; one larger than any answer is not read to its end."""
    if response.content_length is not None and response.content_length <= MAX_BODY:
        return await response.read()
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        if (size := size + len(part)) > MAX_BODY:
            raise BadRequest("too large", f"{response.url}: a body of over {MAX_BODY:,} bytes", charged=True)
    return b"".join(parts)


def json_object(url: str, body: bytes) -> dict[str, Any]:
    """The JSON object of a 200. Raises Transient where it is none."""
    try:
        value = json.loads(body)
    except ValueError:
        try:
            value = json.loads(_without_stream_marks(body))
        except ValueError:
            raise Transient("not JSON", f"{url}: 200, but not JSON: {_excerpt(body)}", charged=True) from None
    if not isinstance(value, dict):
        raise Transient("not JSON", f"{url}: 200, but not a JSON object: {_excerpt(body)}", charged=True)
    return value


def was_sent(error: BaseException) -> bool:
    """Whether a request may have reached the server before this error, which may stand for another: what was sent
    may cost what an answer costs. The names of an SDK's errors do not tell: a reset may be called a time-out there."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            return False
        cause = cause.__cause__ or cause.__context__
    return True


def _without_stream_marks(body: bytes) -> bytes:
    """A body without the marks of an event stream, which some servers put around an answer that is none."""
    lines = (line.removeprefix(b"data:").strip() for line in body.splitlines() if not line.startswith(b":"))
    return b"\n".join(line for line in lines if line != END_OF_STREAM)


def failure(status: int, headers: Mapping[str, str], body: bytes) -> BackendError:
    """The error that an HTTP status means, with the delay that the server asks for."""
    found = refusal(status, headers, body)
    if isinstance(found, Transient):
        found.retry_after = retry_after(headers.get("Retry-After"))
    return found


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
