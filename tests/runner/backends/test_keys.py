"""Keys: read and checked in one place, sent where they belong, and taken out of whatever comes back."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM, Misbehave
from hypothesis import given
from hypothesis import strategies as st
from studies import load, model

from personas.errors import InputError, MachineError
from runner.backends.catalogue.model_list import catalogue_remarks
from runner.backends.embeddings import embed
from runner.backends.keys import Pairing, api_key, unfamiliar
from runner.backends.request import ModelIdentity
from runner.engine.run import run
from runner.study.masking import LEAST, MASK, remember, scrub
from runner.study.sections import ModelSection

SECRET = "gw-3f9c1b7e-Zq8_KEY-THAT-NOBODY-SEES"
FREE = {"input": 0.0, "output": 0.0}


def section(**changes: object) -> ModelSection:
    told = {"name": "m", "backend": "openai-compatible", "id": "m", "base_urls": ["http://127.0.0.1:1/v1"]}
    return ModelSection.model_validate({**told, "key_env": "SOME_KEY", **changes})


@pytest.mark.parametrize("around", ["{}\n", "\t{} \r\n", "\u00a0{}"])
def test_white_space_around_a_key_is_not_part_of_it(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", around.format(SECRET))
    assert api_key(section()) == SECRET


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (" \n", "not set"),
        (f"'{SECRET}'", "in quotes"),
        (f"\u2018{SECRET}\u2019", "LEFT SINGLE QUOTATION MARK"),
        (f"\ufeff{SECRET}", "U+FEFF"),
        (f"{SECRET}\n{SECRET}", "line break in the middle"),
        (f"Bearer {SECRET}", "space"),
    ],
)
def test_a_key_that_no_header_can_carry_is_one_sentence(key: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(InputError, match="SOME_KEY") as found:
        api_key(section())
    assert said in str(found.value)
    assert SECRET not in str(found.value)


@pytest.mark.parametrize(
    ("changes", "origins"),
    [
        ({}, []),
        ({"key_env": None, "base_urls": ["https://example.org/v1"]}, []),
        ({"base_urls": ["https://example.org:8443/v1"]}, ["https://example.org:8443"]),
        ({"key_env": "GROQ_API_KEY", "base_urls": ["https://api.groq.com/openai/v1"]}, []),
        ({"key_env": "GROQ_API_KEY", "base_urls": ["http://api.groq.com/openai/v1"]}, ["http://api.groq.com"]),
        (
            {"key_env": "GROQ_API_KEY", "base_urls": ["https://api.groq.com.example.org/v1"]},
            ["https://api.groq.com.example.org"],
        ),
        ({"key_env": "GROQ_API_KEY", "base_urls": ["https://myapi.groq.com/v1"]}, ["https://myapi.groq.com"]),
        ({"backend": "openai", "key_env": None, "base_urls": []}, []),
        ({"backend": "openai", "key_env": "GITHUB_TOKEN", "base_urls": []}, ["https://api.openai.com"]),
        ({"backend": "gemini", "key_env": None, "base_urls": ["https://[2001:db8::1]/"]}, ["https://[2001:db8::1]"]),
    ],
)
def test_a_key_goes_unasked_only_where_it_belongs(
    changes: dict[str, object], origins: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SOME_KEY", "GROQ_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY", "GITHUB_TOKEN"):
        monkeypatch.setenv(variable, SECRET)
    assert [each.origin for each in unfamiliar(section(**changes))] == origins


def test_a_placeholder_may_go_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "EMPTY")
    assert not unfamiliar(section(base_urls=["https://example.org/v1"]))


async def test_any_other_pairing_is_agreed_to_once_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    monkeypatch.setattr("runner.backends.keys.is_loopback", lambda host: False)
    with FakeLLM() as server:
        server.listed = [{"id": "fake"}]
        origin = server.url.removesuffix("/v1")
        study = load(tmp_path, [model(server.url, key_env="GITHUB_TOKEN")], n=1, groups=2)
        for _ in range(2):
            with pytest.raises(InputError, match=f"GITHUB_TOKEN to {origin}.*--acknowledge"):
                await run(study)
        (remark,) = await catalogue_remarks(study.models)
        assert "not looked up" in remark and server.requests == server.looks == 0
        await run(study, acknowledge=True)
        assert (await run(study)).sent == 0
        assert await catalogue_remarks(study.models, [Pairing("GITHUB_TOKEN", origin)]) == []
        assert server.looks == 1
        monkeypatch.setenv("OTHER_TOKEN", SECRET)
        other = study.models[0].model_copy(update={"key_env": "OTHER_TOKEN"})
        with pytest.raises(InputError, match="OTHER_TOKEN"):
            await run(study.model_copy(update={"models": (other,)}))
    assert server.requests == 4


@given(st.text("abcXYZ0189-_./+=", min_size=LEAST, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_no_key_and_no_beginning_of_one_is_left(key: str, before: str, after: str) -> None:
    remember(key)
    assert key not in scrub(before + key + after)
    cut = key[: max(LEAST, len(key) // 2)]
    assert cut not in scrub(f"{before} {cut}")
    assert scrub("") == ""


def test_a_placeholder_for_a_key_is_not_a_secret() -> None:
    remember("none")
    assert scrub("none of them") == "none of them"


def _error(status: int, key: str) -> web.Response:
    text = "x" * (300 - len(key) // 2) + key  # cut in its middle where a message is shortened
    return web.json_response({"error": {"message": text}}, status=status, headers={"Retry-After": "0"})


def _answer(key: str, **changes: object) -> web.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}
    return web.json_response({"model": "m", "choices": [choice], "usage": {"prompt_tokens": 1}} | changes)


SDKS = [("openai", "401"), ("openai", "model"), ("anthropic", "401"), ("anthropic", "500"), ("anthropic", "not JSON")]
ECHOES: dict[str, Callable[[str], web.Response]] = {
    "400": lambda key: _error(400, key),
    "401": lambda key: _error(401, key),
    "500": lambda key: _error(500, key),
    "redirect": lambda key: web.Response(status=307, headers={"Location": f"https://example.org/?key={key}"}),
    "not JSON": lambda key: web.Response(text=f"<p>{key}</p>"),
    "model": lambda key: _answer(key, model=f"m ({key})"),
    "text": lambda key: _answer(
        key, choices=[{"index": 0, "message": {"content": f"A {key}"}, "finish_reason": f"{key}"}]
    ),
}


@pytest.mark.parametrize(("backend", "kind"), [*(("openai-compatible", kind) for kind in ECHOES), *SDKS])
async def test_an_echoed_key_is_nowhere(
    kind: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    monkeypatch.setattr("runner.backends.retry._full_jitter", lambda state: 0.0)

    async def echo(server: FakeLLM, request: web.Request, raw: bytes) -> web.Response:
        return ECHOES[kind](request.headers["Authorization"].removeprefix("Bearer "))

    with FakeLLM(misbehave=echo) as server:
        table = model(server.url, backend=backend, key_env="SOME_KEY", price=FREE)
        state = await run(load(tmp_path, [table], n=1, groups=2))
    assert server.requests
    state.limits.clear()
    heard = str(vars(state)) + "\n".join(_dump(tmp_path))
    assert SECRET[:LEAST] not in heard
    assert MASK in heard


def _dump(folder: Path) -> list[str]:
    connection = sqlite3.connect(folder / "study.sqlite")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.mark.parametrize("backend", ["openai-compatible", "openai", "gemini", "anthropic"])
async def test_no_redirect_is_followed(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    with FakeLLM() as elsewhere, FakeLLM() as server:
        server.misbehave = _moves(308, elsewhere)
        url = server.url.removesuffix("/v1") if backend == "gemini" else server.url
        table = model(url, backend=backend, key_env="SOME_KEY", price=FREE)
        state = await run(load(tmp_path, [table], n=1, groups=2))
        assert (elsewhere.requests, server.requests) == (0, 1)
    assert "redirects to" in state.stopped["fake"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_request_for_embeddings_follows_no_redirect(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    with FakeLLM() as elsewhere, FakeLLM() as server:
        server.misbehave = _moves(status, elsewhere)
        told = section(base_urls=[server.url], price=FREE)
        with pytest.raises(MachineError, match="redirects to"):
            await embed(told, ModelIdentity("openai-compatible", "m", "", "", {}), ["a text"])
        assert (elsewhere.requests, elsewhere.looks, server.requests) == (0, 0, 1)


def _moves(status: int, elsewhere: FakeLLM) -> Misbehave:
    """What sends each request, which has to have the key, on to the other server."""

    async def redirect(server: FakeLLM, request: web.Request, raw: bytes) -> web.Response:
        assert any(SECRET in value for value in request.headers.values())
        return web.Response(status=status, headers={"Location": f"http://127.0.0.1:{elsewhere.port}{request.path}"})

    return redirect


async def test_the_environment_does_not_lead_an_sdk_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-mine")
    seen: list[dict[str, str]] = []

    async def look(server: FakeLLM, request: web.Request, raw: bytes) -> None:
        seen.append({name.lower(): value for name, value in request.headers.items()})

    with FakeLLM(misbehave=look) as server:
        study = load(tmp_path, [model(server.url, backend="openai", price=FREE)], n=1, groups=2)
        await run(study)
        monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Team: mine")
        with pytest.raises(InputError, match="OPENAI_CUSTOM_HEADERS"):
            await run(load(tmp_path, [model(server.url, backend="openai", price=FREE)], n=1, groups=3))
    assert seen and "org-of-mine" not in json.dumps(seen)
    with pytest.raises(ValueError, match="base_urls"):
        section(base_urls=["https://me:secret@example.org/v1"])
