"""Any endpoint that speaks chat completions (vLLM, llama.cpp, Ollama, TGI, `mtpa-run serve`), over plain aiohttp."""

import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from runner.backends.base import Answer, Learn
from runner.backends.chat_completions import body, read
from runner.backends.connection import open_session
from runner.backends.errors import BadRequest
from runner.backends.http import post_json, timeout
from runner.backends.keys import api_key
from runner.backends.replies.alternatives import TopLogprobs
from runner.backends.request import Request, canonical
from runner.study.sections import ModelSection


@dataclass
class _Endpoint:
    url: str
    in_flight: int = 0
    session: aiohttp.ClientSession | None = None


class CompatibleBackend:
    """Several endpoints of one model share the load: the one with the fewest requests in flight is next."""

    def __init__(self, section: ModelSection, learn: Learn) -> None:
        self._model = section.id
        self._endpoints = [_Endpoint(f"{url.rstrip('/')}/chat/completions") for url in section.base_urls]
        self._key = api_key(section)
        self._timeout = timeout(section.timeout)
        self._learn = learn
        self._top = TopLogprobs()

    async def answer(self, request: Request) -> Answer:
        """POST one chat completion."""
        if request.kind == "loglik":
            raise BadRequest("unsupported", "log-likelihoods need a local model; use ask = 'letter' with this one")
        endpoint = min(self._endpoints, key=lambda each: each.in_flight)
        session = self._session(endpoint)
        endpoint.in_flight += 1
        began = time.monotonic()

        async def ask(top: int) -> dict[str, Any]:
            return await post_json(session, endpoint.url, canonical(body(self._model, request, top)), self._learn)

        try:
            reply = await self._top.asked(request, ask)
        finally:
            endpoint.in_flight -= 1
        return read(reply, request, round(1000 * (time.monotonic() - began)))

    async def close(self) -> None:
        """Close the connections."""
        for endpoint in self._endpoints:
            if endpoint.session is not None:
                await endpoint.session.close()
                endpoint.session = None

    def _session(self, endpoint: _Endpoint) -> aiohttp.ClientSession:
        if endpoint.session is None:
            headers = {"Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            endpoint.session = open_session(endpoint.url, self._timeout, headers)
        return endpoint.session
