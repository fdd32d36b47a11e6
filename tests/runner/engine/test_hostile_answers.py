"""What comes back that is no answer: it is asked again or recorded as a failure, and never scored."""

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows
from waiting import HUNG

from runner.backends import chat_completions as chat
from runner.backends.errors import Transient
from runner.backends.request import Request
from runner.engine.run import run

HOSTILE = {
    "html": lambda: web.Response(text="<html>gateway</html>", content_type="text/html"),
    "no choices": lambda: web.json_response({"choices": [], "model": "fake-1"}),
    "a list": lambda: web.json_response([1, 2]),
    "null": lambda: web.json_response({"choices": [{"message": None}]}),
    "a number": lambda: web.json_response({"choices": [{"message": {"content": 5}}]}),
    "redirect": lambda: web.Response(status=302, headers={"Location": "/v1/chat/completions"}),
    "bad request": lambda: web.Response(status=400, text="no"),
    "huge": lambda: web.Response(body=b"x" * 10_000_000),
}


async def test_half_a_character_does_not_end_the_file(tmp_path: Path) -> None:
    """A lone surrogate, as a cut emoji leaves one, is no text for a file."""

    class Cut(FakeLLM):
        def letter(self, body: str) -> str:
            return "A \ud83d"

    with Cut() as server:
        state = await run(load(tmp_path, [model(server.url)]), pilot=False)
    assert state.exit_code == 0
    assert rows(tmp_path, "SELECT count(*), min(answer), max(answer) FROM completion") == [(50, "A \ufffd", "A \ufffd")]


@pytest.mark.parametrize("count", [-1, 1e999, 1 << 70, "many"])
async def test_a_count_of_tokens_that_cannot_be_is_no_answer(count: Any, tmp_path: Path) -> None:
    request = Request(b"", [{"role": "user", "content": "?"}], {}, "text", ())
    reply = {"choices": [{"message": {"content": "A"}}], "usage": {"prompt_tokens": count}}
    with pytest.raises(Transient, match="no answer in it"):
        chat.read(reply, request, 0)


async def test_transient_failures_are_retried_until_nothing_is_lost(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        dice = server.random.random()
        if dice < 0.10:
            return web.Response(status=429, headers={"Retry-After": "0.05"}, text="slow down")
        if dice < 0.15:
            return web.Response(status=500, headers={"Retry-After": "0.02"}, text="oops")
        if dice < 0.18:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return None

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url, concurrency=16)], n=20, groups=20))
    assert state.exit_code == 0
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT completion) FROM score") == [(420, 420)]
    assert set(server.answered.values()) == {1}
    assert server.requests > 420


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_answer_is_a_recorded_failure_and_the_run_ends(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return HOSTILE[kind]() if b"interviewed" in raw else None

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url, concurrency=2)], n=1, groups=2)
        state = await asyncio.wait_for(run(study), HUNG)
        assert state.exit_code == 3
        assert rows(tmp_path, "SELECT count(*) FROM failure") == [(2,)]
        assert rows(tmp_path, "SELECT count(*) FROM score") == [(2,)]
        server.misbehave = None
        again = await run(study)
    assert (again.exit_code, again.sent) == (0, 2)


async def test_a_slow_drip_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.backends.retry.ATTEMPTS", 2)
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.1)
        return response

    with FakeLLM(misbehave=misbehave) as server:
        state = await asyncio.wait_for(run(load(tmp_path, [model(server.url, timeout=0.5)], n=1, groups=1)), HUNG)
    assert state.failures == {("fake", "timeout"): 2}


async def test_terminal_escapes_in_an_answer_are_kept_as_they_are_and_not_scored(tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07\x1b[31m"

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        return web.json_response({"choices": [{"message": {"content": hostile}}], "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url)]))
    assert state.total("unparsed") == 50
    assert rows(tmp_path, "SELECT DISTINCT answer FROM completion") == [(hostile,)]
    assert rows(tmp_path, "SELECT count(*) FROM score WHERE value IS NOT NULL") == [(0,)]


async def test_a_refused_prompt_is_a_refusal_that_is_counted_and_never_sent_again(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        body = {"error": {"message": "Input data may contain inappropriate content", "code": "data_inspection_failed"}}
        return web.json_response(body, status=400) if hashlib.sha256(raw).digest()[0] < 25 else None

    with FakeLLM(misbehave=misbehave) as server:
        study = load(tmp_path, [model(server.url, price={"input": 1.0, "output": 1.0})], n=9)
        state = await run(study, pilot=False)
        refused = server.requests - sum(server.answered.values())
        assert (state.exit_code, state.total("answered"), state.total("failed")) == (0, 100, 0) and refused > 2
        assert (await run(study)).sent == 0
    scores = "SELECT count(*), coalesce(sum(value IS NOT NULL), 0) FROM score WHERE status = 'refused'"
    assert rows(tmp_path, scores) == [(refused, 0)]
    costs = "SELECT sum(micro_usd), max(estimated), min(answer LIKE '%inappropriate%') FROM completion"
    assert rows(tmp_path, f"{costs} WHERE finish != 'stop'") == [(0, 0, 1)]
