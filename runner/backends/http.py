"""POST a JSON body and get one back, every failure sorted into the classes of `runner/backends/errors.py`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp

from runner.backends.errors import BackendError, BadRequest, ModelUnavailable, Transient
from runner.backends.replies.provider_errors import EXCERPT, refusal
from runner.backends.replies.waiting import delay
from runner.study.masking import scrub

MAX_BODY = 4_000_000  # bytes of an answer, unpacked
MAX_FILE = 500_000_000  # bytes of what a batch of them comes in
END_OF_STREAM = b"[DONE]"


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
    except TimeoutError as error:
        raise Transient("timeout", f"{url}: no answer in time", charged=was_sent(error)) from None
    except (aiohttp.ClientError, OSError) as error:
        raise Transient("connection", f"{url}: {type(error).__name__}: {error}", charged=True) from None
    return json_object(url, body)


def timeout(seconds: float) -> aiohttp.ClientTimeout:
    """A whole request may take this long, a connection half a minute."""
    return aiohttp.ClientTimeout(total=seconds, sock_connect=min(30.0, seconds))


class BoundedResponse(aiohttp.ClientResponse):
    """A response whose body, unpacked, is not read past `most_bytes`: a megabyte of gzip may hold a gigabyte.

    Sessions that an SDK reads from get it as their `response_class`.
    """

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
        try:
            value = json.loads(_without_stream_marks(body))
        except (ValueError, RecursionError):
            raise Transient("not JSON", f"{url}: 200, but {_instead(body)}", charged=True) from None
    if not isinstance(value, dict):
        raise Transient("not JSON", f"{url}: 200, but not a JSON object: {_excerpt(body)}", charged=True)
    return value


def _instead(body: bytes) -> str:
    """What a body is that is no JSON."""
    if not body.strip():
        return "nothing in it"
    if body.lstrip()[:1] == b"<":
        return f"a web page and no answer, so base_urls may be wrong: {_excerpt(body)}"
    return f"not JSON: {_excerpt(body)}"


def was_sent(error: BaseException) -> bool:
    """Whether a request may have reached the server before this error, so that it may have to be paid for.

    The error may stand for another one. The names of an SDK's errors do not tell: a reset may be called a time-out
    there.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)):
            return False
        cause = cause.__cause__ or cause.__context__
    return True


def _without_stream_marks(body: bytes) -> bytes:
    """A body without the marks of an event stream, which some servers put around an answer that is not one."""
    lines = (line.removeprefix(b"data:").strip() for line in body.splitlines() if not line.startswith(b":"))
    return b"\n".join(line for line in lines if line != END_OF_STREAM)


def failure(status: int, headers: Mapping[str, str], body: bytes, url: str = "") -> BackendError:
    """The error that an HTTP status means, with the delay that the server asks for.

    `url` is what was asked, where that is known.
    """
    if 300 <= status < 400:
        return redirected(url or "the endpoint", headers.get("Location") or "an address that it does not name")
    hint = ""
    if status == 404 and url:
        nearly = url.endswith("/chat/completions") and "/v1" not in url
        hint = f" ({url}; {'base_urls usually ends in /v1' if nearly else 'check id'})"
    found = refusal(status, body, hint)
    if isinstance(found, Transient):
        found.retry_after = delay(headers, body.decode("utf-8", "replace"))
    return found


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
        sent = was_sent(error)
        return Transient("timeout", f"{url}: {'no answer' if sent else 'no connection'} in time", charged=sent)
    return Transient("connection", f"{url}: {type(error).__name__}: {error}", charged=was_sent(error))


def _excerpt(body: bytes) -> str:
    return scrub(body.decode("utf-8", "replace")).strip()[:EXCERPT]
