"""Chat completions, generateContent and messages on loopback: it counts, delays and misbehaves as it is told.

The same body always gets the same answer, so that a run can be checked against another.
"""

import asyncio
import hashlib
import json
import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web
from waiting import HUNG

Misbehave = Callable[["FakeLLM", web.Request, bytes], Awaitable[web.StreamResponse | None]]


class FakeLLM:
    """Runs in a thread of its own; use it as a context manager. `url` is its base URL."""

    def __init__(self, latency: float = 0.0, misbehave: Misbehave | None = None, model: str = "fake-1") -> None:
        self.latency, self.misbehave, self.model = latency, misbehave, model
        self.bodies: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.in_flight = self.most_in_flight = 0
        self.completion_tokens: Callable[[str], int] = lambda body: 1
        self.reports_usage: Callable[[str], bool] = lambda body: True
        self.random = random.Random(0)
        self.listed: list[dict[str, str]] = []
        self.looks = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ready = threading.Event()

    @property
    def requests(self) -> int:
        """How many requests arrived."""
        return sum(self.bodies.values())

    @property
    def repeats(self) -> int:
        """How many of them had arrived before."""
        return self.requests - len(self.bodies)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(HUNG)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HUNG)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=50_000_000)
        self.add_routes(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    def add_routes(self, app: web.Application) -> None:
        """What it answers to."""
        app.router.add_post("/{tail:.*}", self._post)
        app.router.add_get("/v1/models", self._models)

    async def _models(self, request: web.Request) -> web.Response:
        self.looks += 1
        return web.json_response({"object": "list", "data": self.listed})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = raw.decode()
        self.bodies[body] += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            if self.misbehave and (response := await self.misbehave(self, request, raw)) is not None:
                return response
            self.answered[body] += 1
            if request.path.endswith("/messages"):
                return web.json_response(self._message(body))
            gemini = "generateContent" in request.path
            return web.json_response(self._gemini(body) if gemini else self._chat(body))
        finally:
            self.in_flight -= 1

    def letter(self, body: str) -> str:
        """The letter that this body is answered with."""
        return "AB"[hashlib.sha256(body.encode()).digest()[0] % 2]

    def _chat(self, body: str) -> dict[str, Any]:
        letter = self.letter(body)
        other = "B" if letter == "A" else "A"
        shown = ((letter, -0.4), (f" {letter}", -2.5), (other, -2.8), ("I", -3.0))
        top = [{"token": token, "logprob": logprob} for token, logprob in shown]
        logprobs = {"content": [{**top[0], "top_logprobs": top}]} if "top_logprobs" in json.loads(body) else None
        tokens = self.completion_tokens(body)
        return {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": self.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": letter},
                    "finish_reason": "stop",
                    "logprobs": logprobs,
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": tokens, "total_tokens": 100 + tokens}
            if self.reports_usage(body)
            else None,
        }

    def _message(self, body: str) -> dict[str, Any]:
        return {
            "id": "msg_x",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [{"type": "text", "text": self.letter(body)}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 1},
        }

    def _gemini(self, body: str) -> dict[str, Any]:
        letter = self.letter(body)
        candidate: dict[str, Any] = {"content": {"parts": [{"text": letter}], "role": "model"}, "finishReason": "STOP"}
        if json.loads(body).get("generationConfig", {}).get("responseLogprobs"):
            shown = [{"token": token, "logProbability": number} for token, number in ((letter, -0.4), ("I", -3.0))]
            candidate["logprobsResult"] = {"topCandidates": [{"candidates": shown}]}
        return {
            "candidates": [{**candidate, "index": 0}],
            "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 1, "totalTokenCount": 101},
            "modelVersion": self.model,
        }
