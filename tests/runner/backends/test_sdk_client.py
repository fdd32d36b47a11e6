"""OpenAI's, Gemini's and Anthropic's own SDKs against an endpoint on loopback."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows

from runner.engine.run import run

KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
MODELS = {"openai": "openai-model", "gemini": "gemini-model", "anthropic": "claude-haiku-4-5"}
FREE = {"input": 0.0, "output": 0.0}


@pytest.mark.parametrize("backend", KEYS)
async def test_the_sdk_asks_once_and_reads_the_answer(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEYS[backend], "k")
    with FakeLLM() as server:
        url = server.url.removesuffix("/v1") if backend == "gemini" else server.url
        table = model(url, backend=backend, id=MODELS[backend], price=FREE)
        state = await run(load(tmp_path, [table], variants={"system": "Be brief."}))
    assert (state.exit_code, state.sent, server.repeats) == (0, 50, 0)
    assert state.total("unparsed") == 0
    assert rows(tmp_path, "SELECT DISTINCT served FROM model") == [("fake-1",)]
    assert rows(tmp_path, "SELECT DISTINCT prompt_tokens, completion_tokens FROM completion") == [(100, 1)]
    body = json.loads(next(iter(server.bodies)))
    if backend == "anthropic":
        assert (body["system"], body["max_tokens"], len(body["messages"])) == ("Be brief.", 3, 1)
    elif backend == "openai":
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert body["max_tokens"] == 3
    else:
        assert body["systemInstruction"]["parts"][0]["text"] == "Be brief."
        assert body["generationConfig"]["maxOutputTokens"] == 3


@pytest.mark.parametrize("backend", KEYS)
async def test_the_sdks_failures_are_sorted(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS[backend], "k")
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        number = server.requests
        if number % 4 == 1:
            return web.json_response({"error": {"message": "slow", "code": 429}}, status=429)
        if number % 4 == 2:
            return web.Response(text="<html>", content_type="text/html")
        return None

    with FakeLLM(misbehave=misbehave) as server:
        url = server.url.removesuffix("/v1") if backend == "gemini" else server.url
        table = model(url, backend=backend, id=MODELS[backend], price=FREE, concurrency=1)
        state = await run(load(tmp_path, [table], n=1, groups=4))
        assert (state.exit_code, state.total("answered")) == (0, 8)

        async def refuse(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
            return web.json_response({"error": {"message": "bad key", "code": 401}}, status=401)

        server.misbehave = refuse
        state = await run(load(tmp_path, [table], n=3, groups=4))
    assert state.exit_code == 3
    assert "bad key" in state.stopped["fake"]
