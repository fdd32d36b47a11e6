"""Anthropic's Messages API, through its own SDK: aiohttp transport, its own retries off.

Claude shows no log-probabilities: the text is the answer. Models up to 4.6 take a temperature, which the API of
2026-10-21 has no more: a request with one names the version before it.
"""

import os
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import anthropic
import httpx2

from personas.errors import InputError
from runner.backends import sdk_client
from runner.backends.base import Answer, Learn
from runner.backends.errors import BackendError, BadRequest, BrokenOff, Transient
from runner.backends.http import json_object
from runner.backends.keys import ENDPOINTS, api_key, endpoints, origin
from runner.backends.replies.endings import ending
from runner.backends.replies.provider_errors import error_in
from runner.backends.replies.usage import message_usage
from runner.backends.request import Request, Usage, without_surrogates
from runner.study.backend_kinds import backend_kind
from runner.study.sections import ModelSection
from scoring.answers.responses import Response

PATH = "/v1/messages"
CACHED: Mapping[str, Any] = {"cache_control": {"type": "ephemeral"}}
CACHED_BYTES = 4 * (backend_kind("anthropic").cached_from or 0)  # at about four bytes a token
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
WITH_SAMPLING = {"anthropic-version": "2023-06-01"}
"""The version of the API that takes a temperature."""


class AnthropicBackend:
    """One message a request, with the SDK's client, made at the first request."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        self._section = section
        self._key = api_key(section)
        self._learn = learn
        self._client: anthropic.AsyncAnthropic | None = None

    async def answer(self, request: Request) -> Answer:
        """One message."""
        if request.kind != "text":
            raise BadRequest("unsupported", "Claude shows no log-probabilities; use answer = 'text' with it")
        began = time.monotonic()
        try:
            raw = await self.client().post(
                PATH,
                cast_to=httpx2.Response,
                body=body(self._section.id, request, self._section.endpoint.prompt_cache),
                options={"headers": version(request.parameters)},
            )
        except anthropic.APIError as error:
            raise as_backend_error(error) from None
        self._learn(raw.headers)
        reply = json_object(str(raw.url), raw.content)
        return read(reply, round(1000 * (time.monotonic() - began)))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def client(self) -> anthropic.AsyncAnthropic:
        """The SDK's client, made once."""
        if self._client is None:
            base_url = endpoints(self._section)[0].rstrip("/").removesuffix("/v1")  # which the SDK adds itself
            if origin(base_url) != origin(ENDPOINTS["anthropic"]) and os.environ.get("ANTHROPIC_CUSTOM_HEADERS"):
                raise InputError(
                    f"ANTHROPIC_CUSTOM_HEADERS would be sent to {origin(base_url)}; unset it to use that endpoint"
                )
            self._client = anthropic.AsyncAnthropic(
                api_key=self._key,
                base_url=base_url,  # named, so that ANTHROPIC_BASE_URL does not lead elsewhere
                max_retries=0,
                timeout=self._section.timeout,
                open_telemetry=False,  # no prompt goes into somebody's traces
                http_client=anthropic.DefaultAioHttpClient(**sdk_client.connection_options(base_url)),
                default_headers=sdk_client.AS_IT_IS,
            )
        return self._client


def version(parameters: Mapping[str, Any]) -> Mapping[str, str]:
    """The header that names the version of the API, where it is not the SDK's."""
    return WITH_SAMPLING if SAMPLING & parameters.keys() else {}


def body(model: str, request: Request, cached: bool = False) -> dict[str, Any]:
    """The JSON body of a request; a system message has a place of its own there.

    `cached` marks the persona's text, at whose end the provider's cache of prompts ends, where it is long enough for
    any model's.
    """
    system: Any = "\n".join(message["content"] for message in request.messages if message["role"] == "system")
    spoken: list[dict[str, Any]] = [dict(message) for message in request.messages if message["role"] != "system"]
    if cached and len(f"{system}{request.shared}".encode()) >= CACHED_BYTES:
        if request.shared and system.endswith(request.shared):
            system = [_block(system, CACHED)]
        elif request.shared and spoken and spoken[0]["content"].startswith(request.shared):
            rest = spoken[0]["content"].removeprefix(request.shared)
            if rest.strip():  # the API takes no block without a text
                spoken[0]["content"] = [_block(request.shared, CACHED), _block(rest)]
    return {"model": model, "messages": spoken, **({"system": system} if system else {}), **request.parameters}


def _block(text: str, mark: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    return {"type": "text", "text": text, **mark}


def read(reply: Mapping[str, Any], latency_ms: int) -> Answer:
    """The answer in a message. Raises BackendError where it has none."""
    if (error := error_in(reply)) is not None:
        raise error
    usage = Usage(latency_ms=latency_ms)
    try:
        usage = message_usage(reply.get("usage"), True, latency_ms)
        text = spoken_text(reply["content"])
        usage = message_usage(reply.get("usage"), bool(text), latency_ms)
        finish = ending(str(reply.get("stop_reason") or ""), usage)
        served = without_surrogates(str(reply.get("model") or ""))
    except BrokenOff:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        found = Transient("no answer", f"200, but no answer in it ({error!r})", charged=True)
        found.usage = usage if usage.known else None
        raise found from None
    return Answer(Response(text=text, finish=finish), usage, served)


def spoken_text(content: Any) -> str | None:
    """What the blocks of a message say; None where none of them is text. Thoughts and calls of tools are no answer.

    Raises TypeError, KeyError or ValueError for a content that is no list of blocks.
    """
    texts = [block["text"] for block in content if block["type"] == "text"]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("a block of text has none")
    return "".join(texts) if texts else None


def as_backend_error(error: anthropic.APIError) -> BackendError:
    """An SDK error as one of ours."""
    return sdk_client.as_backend_error(error, isinstance(error, anthropic.APITimeoutError))
