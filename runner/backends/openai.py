"""OpenAI, through its own SDK: aiohttp transport, its own retries off."""

import time

import openai

from runner.backends.base import Answer, Learn, api_key
from runner.backends.chat_completions import body, read
from runner.backends.errors import BackendError, BadRequest, Transient
from runner.backends.http import failure, json_object, retry_after, was_sent
from runner.backends.request import Request
from runner.study.sections import ModelSection


class OpenAIBackend:
    """Chat completions with the SDK's client, made at the first request."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        self._section = section
        self._key = api_key(section, "OPENAI_API_KEY")
        self._learn = learn
        self._client: openai.AsyncOpenAI | None = None

    async def answer(self, request: Request) -> Answer:
        """One chat completion."""
        if request.kind == "loglik":
            raise BadRequest("unsupported", "log-likelihoods need a local model; use ask = 'letter' with this one")
        began = time.monotonic()
        try:
            raw = await self.client().chat.completions.with_raw_response.create(**body(self._section.id, request))
        except openai.APIError as error:
            raise as_backend_error(error) from None
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
            base_url = self._section.base_urls[0] if self._section.base_urls else None
            transport = openai.DefaultAioHttpClient()
            self._client = openai.AsyncOpenAI(
                api_key=self._key,
                base_url=base_url,
                max_retries=0,
                timeout=self._section.timeout,
                http_client=transport,
            )
        return self._client


def as_backend_error(error: openai.APIError) -> BackendError:
    """An SDK error as one of ours."""
    if isinstance(error, openai.APIStatusError):
        found = failure(error.status_code, error.response.headers, error.response.content)
        if isinstance(found, Transient):
            found.retry_after = retry_after(error.response.headers.get("retry-after"))
        return found
    kind = "timeout" if isinstance(error, openai.APITimeoutError) else "connection"
    return Transient(kind, f"{type(error).__name__}: {error.message}", charged=was_sent(error))
