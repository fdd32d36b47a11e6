"""OpenAI's, Gemini's and Anthropic's own SDKs against an endpoint on loopback."""

import json
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model, rows

from personas.errors import InputError
from runner.backends.catalogue.model_list import catalogue_remarks
from runner.backends.chat_completions import read
from runner.backends.errors import BrokenOff, Transient
from runner.backends.gemini import GeminiBackend
from runner.backends.gemini import read as read_gemini
from runner.backends.http import json_object
from runner.backends.request import Request
from runner.engine.run import run
from runner.study.sections import ModelSection

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


async def test_letter_probabilities_and_text_are_both_kept(tmp_path: Path) -> None:
    with FakeLLM() as server:
        await run(load(tmp_path, [model(server.url, answer="probabilities", decoding={})]))
    body = json.loads(next(iter(server.bodies)))
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 1)
    assert rows(tmp_path, "SELECT count(*) FROM completion WHERE answer IN ('A', 'B') AND length(letters) = 8") == [
        (50,)
    ]
    same = "SELECT count(*) FROM score WHERE chosen_by_text = chosen_by_probability AND expected > 0 AND expected < 1"
    assert rows(tmp_path, same) == [(50,)]


async def test_a_content_filter_is_a_refusal_not_a_failure(tmp_path: Path) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        choice = {"message": {"content": None}, "finish_reason": "content_filter"}
        if server.requests % 2:
            choice = {"message": {"content": None, "refusal": "I won't."}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "model": server.model})

    with FakeLLM(misbehave=misbehave) as server:
        state = await run(load(tmp_path, [model(server.url)], n=1, groups=4))
    assert state.exit_code == 0
    assert rows(tmp_path, "SELECT DISTINCT status FROM score") == [("refused",)]


async def test_the_endpoints_own_list_warns_of_models_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def section(url: str, name: str) -> ModelSection:
        return ModelSection(name=name, backend="openai-compatible", id=name, base_urls=(url,))

    with FakeLLM() as server:
        server.listed = [{"id": "lives"}, {"id": "ends", "shutdown_date": "2030-01-01"}]
        found = await catalogue_remarks([section(server.url, name) for name in ("lives", "ends", "gone")])
    assert len(found) == 2
    assert "shutdown_date 2030-01-01" in found[0]
    assert "does not list 'gone'" in found[1]
    assert await catalogue_remarks([section("http://127.0.0.1:9/v1", "x")]) == []


@pytest.mark.parametrize(
    ("message", "text", "finish"),
    [
        ({"content": [{"type": "reasoning", "text": "It is C."}, {"type": "output_text", "text": "A"}]}, "A", "stop"),
        ({"content": ["The answer ", {"text": "is B"}]}, "The answer is B", "stop"),
        ({"content": {"type": "text", "text": "B"}}, "B", "stop"),
        ({"content": "A", "reasoning_content": "So it must be B."}, "A", "stop"),
        ({"content": None, "reasoning": "So it must be B."}, None, "stop"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "B"}]}]}, None, "stop"),
        ({"content": [{"type": "refusal", "refusal": "I will not."}]}, "I will not.", "content_filter"),
    ],
)
def test_the_answer_is_what_was_said_and_not_what_was_thought(
    message: dict[str, object], text: str | None, finish: str
) -> None:
    reply = {"choices": [{"message": message, "finish_reason": "eos"}]}
    response = read(reply, Request(b"", (), {}, "text", ()), 0).response
    assert (response.text, response.finish) == (text, finish)


def test_marks_of_a_stream_around_an_answer_are_no_part_of_it() -> None:
    body = b': keep-alive\n\ndata: {"choices": []}\n\ndata: [DONE]\n\n'
    assert json_object("u", body) == {"choices": []}
    with pytest.raises(Transient, match="not JSON"):
        json_object("u", b'data: {"choices": []}\n\ndata: {"choices": []}\n\n')


@pytest.mark.parametrize(
    ("odd", "kind"),
    [
        ({"candidates": [{"finishReason": "TOO_MANY_TOOL_CALLS"}]}, BrokenOff),
        ({"candidates": [{"content": {"parts": [{"text": "A"}]}, "finishReason": "NOVA"}]}, BrokenOff),
        ({"error": {"code": 429, "message": "later", "status": "RESOURCE_EXHAUSTED"}}, Transient),
        ({"candidates": []}, Transient),
    ],
)
def test_what_gemini_sends_instead_of_an_answer_is_a_failure(odd: dict[str, object], kind: type) -> None:
    with pytest.raises(kind):
        read_gemini({**odd, "usageMetadata": {"promptTokenCount": 9}}, Request(b"", (), {}, "text", ()), 0)


def test_a_wrong_kind_of_value_is_a_sentence_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    section = ModelSection(name="m", backend="gemini", id="m", decoding={"thinking_config": {"thinking_budget": "all"}})
    with pytest.raises(InputError, match=r"decoding.thinking_config.thinking_budget"):
        GeminiBackend(section, lambda headers: None)
