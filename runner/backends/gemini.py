"""Gemini, through google-genai's async client on aiohttp."""

import json
import time
from typing import Any

import aiohttp
from google import genai
from google.genai import errors, types

from runner.backends.alternatives import MOST, Alternatives, TopLogprobs, checked, spelling
from runner.backends.base import Answer, Learn
from runner.backends.chat_completions import with_letters
from runner.backends.connection import open_session
from runner.backends.errors import BackendError, BadRequest, Transient
from runner.backends.http import failure, not_connected, timeout
from runner.backends.keys import api_key, endpoints
from runner.backends.request import Request, Usage
from runner.study.sections import ModelSection
from scoring.answers.responses import Response

MOST_CONFIGS = 1000
SDK_ERRORS = (errors.APIError, aiohttp.ClientError, TimeoutError, ValueError, TypeError, AttributeError, KeyError)
_BLOCKED = {"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "RECITATION", "SPII", "IMAGE_SAFETY"}
_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"} | dict.fromkeys(_BLOCKED, "content_filter")


class GeminiBackend:
    """generateContent, one request at a time a slot."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        self._section = section
        self._key = api_key(section)
        self._client: genai.Client | None = None
        self._session: aiohttp.ClientSession | None = None
        self._configs: dict[tuple[str, str, int], types.GenerateContentConfig] = {}
        self._top = TopLogprobs()

    async def answer(self, request: Request) -> Answer:
        """One generated answer."""
        if request.kind == "loglik":
            raise BadRequest("unsupported", "log-likelihoods need a local model; use ask = 'letter' with this one")
        contents = contents_of(request)
        began = time.monotonic()

        async def ask(top: int) -> types.GenerateContentResponse:
            try:
                return await self.client().aio.models.generate_content(
                    model=self._section.id, contents=contents, config=self.config(request, top)
                )
            except SDK_ERRORS as error:
                raise as_backend_error(error, endpoints(self._section)[0]) from None

        reply = await self._top.asked(request, ask)
        return read(reply, request, round(1000 * (time.monotonic() - began)))

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aio.aclose()
            self._client = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    def config(self, request: Request, top: int = MOST) -> types.GenerateContentConfig:
        """The settings, made once for all requests that share them; a system message is an instruction here."""
        system = "\n".join(message["content"] for message in request.messages if message["role"] == "system")
        if (known := self._configs.get((system, request.kind, top))) is not None:
            return known
        settings: dict[str, Any] = dict(request.parameters)
        if system:
            settings["system_instruction"] = system
        if request.kind == "letters":
            settings = {"logprobs": top} | settings | {"response_logprobs": True}
        if len(self._configs) > MOST_CONFIGS:  # a persona in the system message makes each its own
            self._configs.clear()
        self._configs[system, request.kind, top] = config = types.GenerateContentConfig(**settings)
        return config

    def client(self) -> genai.Client:
        """The SDK's client, made once."""
        if self._client is None:
            base_url = endpoints(self._section)[0]
            self._session = open_session(base_url, timeout(self._section.timeout), guarded=True)
            options = types.HttpOptions(
                base_url=base_url,
                aiohttp_client=self._session,
                retry_options=types.HttpRetryOptions(attempts=1),  # else a lost connection is sent again unseen
            )
            # not what GOOGLE_GENAI_USE_VERTEXAI says: the key and the prompt go to the endpoint that is named
            self._client = genai.Client(api_key=self._key, vertexai=False, http_options=options)
        return self._client


def as_backend_error(error: Exception, url: str = "") -> BackendError:
    """One of SDK_ERRORS as one of ours; `url` is the endpoint's."""
    if isinstance(error, errors.APIError):
        headers = getattr(error.response, "headers", None) or {}
        return failure(error.code, headers, json.dumps(error.details).encode(), url)
    if isinstance(error, aiohttp.ClientConnectionError):
        return not_connected(url or "Gemini", error)
    if isinstance(error, (aiohttp.ClientError, TimeoutError)):
        return Transient("connection", f"{type(error).__name__}: {error}", charged=True)
    return Transient("no answer", f"200, but no answer in it ({type(error).__name__})", charged=True)


def contents_of(request: Request) -> str | list[types.Content]:
    """The conversation; a single question goes as it is, which costs the SDK less than typed content."""
    spoken = [message for message in request.messages if message["role"] != "system"]
    if len(spoken) == 1:
        return spoken[0]["content"]
    roles = {"user": "user", "assistant": "model"}
    return [
        types.Content(role=roles[message["role"]], parts=[types.Part(text=message["content"])]) for message in spoken
    ]


def read(reply: types.GenerateContentResponse, request: Request, latency_ms: int) -> Answer:
    """The answer in a reply. Raises Transient where it has none."""
    usage, served = _usage(reply.usage_metadata, latency_ms), reply.model_version or ""
    if not reply.candidates:
        if reply.prompt_feedback and reply.prompt_feedback.block_reason:
            return Answer(Response(finish="content_filter"), usage, served)
        raise Transient("no answer", "200, but no candidate in it", charged=True)
    candidate = reply.candidates[0]
    finish = _FINISH.get(candidate.finish_reason.name if candidate.finish_reason else "STOP", "stop")
    parts = (candidate.content.parts or []) if candidate.content else []
    text = "".join(part.text for part in parts if part.text and not part.thought)
    response = Response(text=text, finish=finish)
    if request.kind == "letters":
        response = with_letters(response, _shown(candidate), request)
    return Answer(response, usage, served)


def _shown(candidate: types.Candidate) -> Alternatives | None:
    """The first token's alternatives, the likeliest first: its log of 0 may be left out, as protocol buffers do; any
    other without a number belongs to the unknown tail."""
    top = candidate.logprobs_result.top_candidates if candidate.logprobs_result else None
    shown = (top[0].candidates or []) if top else []
    numbers = [each.log_probability if number else each.log_probability or 0.0 for number, each in enumerate(shown)]
    pairs = zip(shown, numbers, strict=True)
    return checked([(spelling(each.token or ""), number) for each, number in pairs if number is not None])


def _usage(usage: types.GenerateContentResponseUsageMetadata | None, latency_ms: int) -> Usage:
    if usage is None:
        return Usage(latency_ms=latency_ms)
    thoughts = usage.thoughts_token_count or 0
    return Usage(
        prompt_tokens=usage.prompt_token_count or 0,
        completion_tokens=(usage.candidates_token_count or 0) + thoughts,
        reasoning_tokens=thoughts,
        cached_tokens=usage.cached_content_token_count or 0,
        latency_ms=latency_ms,
    )
