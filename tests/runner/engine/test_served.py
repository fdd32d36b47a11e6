"""Baseline and persona come from one served version: another one is caught on the answer that names it."""

from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows

from runner.backends.catalogue.price_list import is_another
from runner.engine.run import run
from runner.study.sections import ModelSection

FREE = {"input": 0.0, "output": 0.0}


async def test_a_version_that_changes_in_mid_run_stops_the_model(tmp_path: Path) -> None:
    async def change(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        server.model = "fake-1" if server.requests <= 20 else "fake-2"
        return None

    with FakeLLM(misbehave=change) as server:
        state = await run(load(tmp_path, [model(server.url, concurrency=1)]), pilot=False)
        assert "now serves 'fake-2'" in state.stopped["fake"]
        assert (state.exit_code, state.total("answered")) == (3, 20)
        assert rows(tmp_path, "SELECT served FROM model") == [("fake-1",)]
        server.misbehave, server.model = None, "fake-1"
        state = await run(load(tmp_path, [model(server.url, concurrency=1)]), pilot=False)
    assert (state.exit_code, state.total("hits")) == (0, 20)


async def test_a_provider_that_answers_with_another_model_is_caught_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    with FakeLLM(model="gemini-3.5-flash-lite") as server:
        url = server.url.removesuffix("/v1")
        table = model(url, backend="gemini", id="gemini-2.5-flash", price=FREE, concurrency=1)
        state = await run(load(tmp_path, [table]), pilot=False)
    assert "'gemini-2.5-flash' was asked for" in state.stopped["fake"]
    assert (state.total("answered"), server.requests) == (0, 1)


@pytest.mark.parametrize(
    ("backend", "asked", "served", "another"),
    [
        ("openai", "gpt-4o", "gpt-4o-2024-05-13", False),
        ("openai", "gpt-5.6", "gpt-5.6-sol-2026-07-09", False),
        ("openai", "gpt-5", "gpt-6-luna", True),
        ("openai", "gpt-5", "a-deployment", False),  # an endpoint's own name tells nothing
        ("openai", "gpt-5", "gpt-5.2", True),
        ("anthropic", "claude-haiku-4-5", "claude-haiku-4-5-20251001", False),
        ("anthropic", "claude-opus-5", "claude-opus-5-5", True),
        ("gemini", "gemini-flash-latest", "gemini-3.8-flash", False),
        ("openai-compatible", "gpt-5", "gpt-6-luna", False),
    ],
)
def test_a_name_is_of_another_model_only_where_the_list_tells_them_apart(
    backend: str, asked: str, served: str, another: bool
) -> None:
    table = {"name": "m", "backend": backend, "id": asked, "base_urls": ["https://example.org/v1"]}
    table |= {"answer": "text", "decoding": {"max_tokens": 3}}
    assert is_another(ModelSection.model_validate(table), served) is another
