"""OpenAI, through its own SDK: aiohttp transport, its own retries off."""

import os
import time
from typing import Any

import openai

from personas.errors import InputError
from runner.backends import sdk_client
from runner.backends.base import Answer, Learn
from runner.backends.chat_completions import body, read
from runner.backends.errors import BackendError, BadRequest
from runner.backends.http import json_object
from runner.backends.keys import ENDPOINTS, api_key, endpoints, origin
from runner.backends.replies.alternatives import TopLogprobs
from runner.backends.request import Request
from runner.study.sections import ModelSection


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
            raise BadRequest("unsupported", "this API tells no log-likelihoods; choose another part")
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
            self._client = openai.AsyncOpenAI(
                api_key=self._key,
                base_url=base_url,  # named, so that OPENAI_BASE_URL does not lead elsewhere
                max_retries=0,
                timeout=self._section.timeout,
                http_client=openai.DefaultAioHttpClient(**sdk_client.connection_options(base_url)),
                default_headers=sdk_client.AS_IT_IS,
            )
            if origin(base_url) != origin(ENDPOINTS["openai"]):
                _keep_at_home(self._client, base_url)
        return self._client


def _keep_at_home(client: openai.AsyncOpenAI, base_url: str) -> None:
    """Send nothing of the environment's that is meant for OpenAI itself to another endpoint."""
    client.organization = client.project = client.admin_api_key = None
    if os.environ.get("OPENAI_CUSTOM_HEADERS"):
        raise InputError(f"OPENAI_CUSTOM_HEADERS would be sent to {origin(base_url)}; unset it to use that endpoint")


def as_backend_error(error: openai.APIError) -> BackendError:
    """An SDK error as one of ours."""
    return sdk_client.as_backend_error(error, isinstance(error, openai.APITimeoutError))
