"""OpenAI, through its own SDK: aiohttp transport, its own retries off."""

import os
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2
import openai

from personas.errors import InputError
from runner.backends.base import Answer, Learn
from runner.backends.chat_completions import body, read
from runner.backends.connection import proxy_for
from runner.backends.errors import BackendError, BadRequest, Transient
from runner.backends.http import failure, json_object, most_bytes, not_connected, too_large, was_sent
from runner.backends.keys import ENDPOINTS, api_key, endpoints, origin
from runner.backends.replies.alternatives import TopLogprobs
from runner.backends.request import Request
from runner.study.sections import ModelSection

SCHEMES = ("http://", "https://", "all://")


class OpenAIBackend:
    """Chat completions with the SDK's client, made at the first request."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        self._section = section
        self._key = api_key(section)
        self._learn = learn
        self._top = TopLogprobs()
        self._client: openai.AsyncOpenAI | None = None

    async def answer(self, request: Request) -> Answer:
        """One chat completion."""
        if request.kind == "loglik":
            raise BadRequest("unsupported", "log-likelihoods need a local model; use ask = 'letter' with this one")
        began = time.monotonic()

        async def ask(top: int) -> Any:
            try:
                create = self.client().chat.completions.with_raw_response.create
                return await create(**body(self._section.id, request, top))
            except openai.APIError as error:
                raise as_backend_error(error) from None

        raw = await self._top.asked(request, ask)
        self._learn(raw.headers)
        # the body as it came: the SDK's typed reply costs as much again as the request
        reply = json_object(str(raw.http_response.url), raw.http_response.content)
        return read(reply, request, round(1000 * (time.monotonic() - began)))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def client(self) -> openai.AsyncOpenAI:
        """The SDK's client, made once."""
        if self._client is None:
            base_url = endpoints(self._section)[0]
            proxy = proxy_for(base_url)
            # a mount of None is a direct connection, whatever the environment says
            way: dict[str, Any] = {"proxy": proxy} if proxy else {"mounts": dict.fromkeys(SCHEMES)}
            self._client = openai.AsyncOpenAI(
                api_key=self._key,
                base_url=base_url,  # named, so that OPENAI_BASE_URL does not lead elsewhere
                max_retries=0,
                timeout=self._section.timeout,
                http_client=openai.DefaultAioHttpClient(
                    follow_redirects=False, event_hooks={"response": [_bounded]}, **way
                ),
                default_headers={"Accept-Encoding": "identity"},
            )
            if origin(base_url) != origin(ENDPOINTS["openai"]):
                _keep_at_home(self._client, base_url)
        return self._client


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
    """Bound the body before the SDK reads it. The SDK unpacks without a bound, so that packed bodies, which nobody
    asked for, are refused."""
    url = str(response.url)
    if (packed := response.headers.get("content-encoding", "identity")) != "identity":
        raise BadRequest("packed", f"{url}: a body packed as {packed}, which was not asked for", charged=True)
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Counted(response.stream, url)


def _keep_at_home(client: openai.AsyncOpenAI, base_url: str) -> None:
    """Send nothing of the environment's that is meant for OpenAI itself to another endpoint."""
    client.organization = client.project = client.admin_api_key = None
    if os.environ.get("OPENAI_CUSTOM_HEADERS"):
        raise InputError(f"OPENAI_CUSTOM_HEADERS would be sent to {origin(base_url)}; unset it to use that endpoint")


def as_backend_error(error: openai.APIError) -> BackendError:
    """An SDK error as one of ours."""
    if isinstance(error.__cause__, BackendError):
        return error.__cause__
    if isinstance(error, openai.APIStatusError):
        response = error.response
        return failure(error.status_code, response.headers, response.content, str(response.url))
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientConnectionError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, aiohttp.ClientConnectionError) and isinstance(error, openai.APIConnectionError):
        return not_connected(str(error.request.url), cause)
    kind = "timeout" if isinstance(error, openai.APITimeoutError) else "connection"
    return Transient(kind, f"{type(error).__name__}: {error.message}", charged=was_sent(error))
