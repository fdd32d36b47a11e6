"""Any endpoint that speaks chat completions, over plain aiohttp.

vLLM, llama.cpp, Ollama, TGI, Azure, OpenRouter, `mtpa-run serve`. Where the endpoint returns a prompt's
log-probabilities, log-likelihoods too.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from runner.backends.base import Answer, Learn
from runner.backends.chat_completions import body, read
from runner.backends.connection import open_session
from runner.backends.errors import BackendError, BadRequest, ModelUnavailable
from runner.backends.http import post_json, timeout
from runner.backends.keys import api_key, key_headers
from runner.backends.likelihoods.continuations import PlainWriter, TokenWriter, Writer
from runner.backends.likelihoods.echoes import KIND, REMEDY, loglik
from runner.backends.local import weights
from runner.backends.replies.alternatives import TopLogprobs
from runner.backends.replies.provider_errors import error_in
from runner.backends.replies.usage import chat_usage
from runner.backends.request import Request, Usage, canonical, without_surrogates
from runner.study.sections import ModelSection
from scoring.answers.responses import Response

# of the decoding parameters, those that say who answers and not how an answer is drawn
_ROUTING = ("provider", "route", "models", "user", "priority", "cache_salt", "service_tier")
_HOW: Mapping[str, Mapping[str, Any]] = {
    "echo": {"echo": True, "logprobs": 1},
    "prompt_logprobs": {"prompt_logprobs": 0},
}
_UNSUPPORTED = ("404", "405", "501")


@dataclass
class _Endpoint:
    url: str
    in_flight: int = 0
    session: aiohttp.ClientSession | None = None


class CompatibleBackend:
    """Several endpoints of one model share the load: the one with the fewest requests in flight is next."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        self._section = section
        self._endpoints = [_Endpoint(url.rstrip("/")) for url in section.base_urls]
        self._key = api_key(section)
        self._timeout = timeout(section.timeout)
        self._learn = learn
        self._top = TopLogprobs()
        self._writer: Writer | None = None if section.endpoint.tokenizer else PlainWriter()
        self._loading = asyncio.Lock()

    async def answer(self, request: Request) -> Answer:
        """POST one chat completion, or for log-likelihoods a completion for each continuation, one after another."""
        endpoint = min(self._endpoints, key=lambda each: each.in_flight)
        endpoint.in_flight += 1
        try:
            return await (self._logliks if request.kind == "loglik" else self._chat)(endpoint, request)
        finally:
            endpoint.in_flight -= 1

    async def close(self) -> None:
        """Close the connections."""
        for endpoint in self._endpoints:
            if endpoint.session is not None:
                await endpoint.session.close()
                endpoint.session = None

    async def _chat(self, endpoint: _Endpoint, request: Request) -> Answer:
        began = time.monotonic()

        async def ask(top: int) -> dict[str, Any]:
            return await self._post(endpoint, "chat/completions", body(self._section.id, request, top))

        reply = await self._top.asked(request, ask)
        return read(reply, request, _since(began))

    async def _logliks(self, endpoint: _Endpoint, request: Request) -> Answer:
        how = self._section.endpoint.loglikelihoods
        if how is None:
            raise BadRequest("unsupported", f"chat completions tell no log-likelihoods{REMEDY}")
        began, numbers, used, served = time.monotonic(), list[float](), list[Usage](), ""
        routing = {name: request.parameters[name] for name in _ROUTING if name in request.parameters}
        asked = {"model": self._section.id, "max_tokens": 1, "temperature": 0, "stream": False, **routing, **_HOW[how]}
        for continuation in (await self._its_writer()).written(request):
            try:
                reply = await self._post(endpoint, "completions", {**asked, "prompt": continuation.prompt})
                if (error := error_in(reply)) is not None:
                    raise error
                usage = _usage(reply)
                used.append(usage)
                numbers.append(loglik(reply, continuation, usage))
            except BackendError as error:
                raise _of_many(error, used) from None
            served = without_surrogates(str(reply.get("model") or ""))
        return Answer(Response(logliks=tuple(numbers)), _total(used, _since(began)), served)

    async def _its_writer(self) -> Writer:
        """What writes the prompts; a tokenizer is loaded once, beside the event loop."""
        async with self._loading:
            if self._writer is None:
                self._writer = await asyncio.to_thread(
                    TokenWriter.load, *weights(self._section.endpoint.tokenizer or "")
                )
            return self._writer

    async def _post(self, endpoint: _Endpoint, service: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if endpoint.session is None:
            headers = {"Content-Type": "application/json", **key_headers(self._section, self._key)}
            endpoint.session = open_session(endpoint.url, self._timeout, headers)
        version = self._section.endpoint.api_version
        url = f"{endpoint.url}/{service}" + (f"?api-version={version}" if version else "")
        return await post_json(endpoint.session, url, canonical(payload), self._learn)


def _usage(reply: Mapping[str, Any]) -> Usage:
    """What one continuation used. Raises BadRequest for counts that no reply has."""
    try:
        return chat_usage(reply.get("usage"), False, 0)
    except (TypeError, AttributeError, ValueError, OverflowError) as error:
        raise BadRequest("no answer", f"200, but its usage cannot be read ({error})", charged=True) from None


def _total(used: list[Usage], latency_ms: int) -> Usage:
    """What all continuations used together; unknown where one is."""
    known = all(each.prompt_tokens is not None for each in used)
    return Usage(
        prompt_tokens=sum(each.prompt_tokens or 0 for each in used) if known else None,
        completion_tokens=sum(each.completion_tokens or 0 for each in used) if known else None,
        cached_tokens=sum(each.cached_tokens for each in used),
        written_tokens=sum(each.written_tokens for each in used),
        latency_ms=latency_ms,
    )


def _of_many(error: BackendError, used: list[Usage]) -> BackendError:
    """What went wrong with one of several continuations: those before it are paid for.

    An endpoint without completions has no log-likelihoods at all.
    """
    if isinstance(error, ModelUnavailable) and error.kind in _UNSUPPORTED:
        error = ModelUnavailable(KIND, f"the endpoint has no completions service ({error}){REMEDY}")
    if used:
        error.charged, error.usage = True, None
    return error


def _since(began: float) -> int:
    """Milliseconds."""
    return round(1000 * (time.monotonic() - began))
