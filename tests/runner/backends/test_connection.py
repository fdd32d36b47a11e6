"""Connections: one proxy rule for every backend, and no other endpoint than the one that is named."""

from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from studies import load, model

from personas.errors import InputError
from runner.backends.connection import open_session, proxy_for
from runner.backends.errors import BadRequest
from runner.backends.http import timeout
from runner.engine.acknowledgement import _on_the_way
from runner.engine.run import run
from runner.study.sections import ModelSection

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
FREE = {"input": 0.0, "output": 0.0}


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://example.org/v1", None),
        ({"HTTPS_PROXY": "http://p:3128"}, "https://example.org/v1", "http://p:3128"),
        ({"https_proxy": "p:3128"}, "https://example.org/v1", "http://p:3128"),
        ({"HTTP_PROXY": "http://p:3128"}, "https://example.org/v1", None),
        ({"ALL_PROXY": "http://p:3128"}, "http://example.org/v1", "http://p:3128"),
        ({"ALL_PROXY": "http://p:3128", "NO_PROXY": "example.org"}, "https://api.example.org/v1", None),
        ({"ALL_PROXY": "http://p:3128"}, "http://127.0.0.1:8000/v1", None),
        ({"ALL_PROXY": "http://p:3128"}, "http://localhost/v1", None),
        ({"ALL_PROXY": "http://p:3128"}, "http://[::1]:8000/v1", None),
    ],
)
def test_the_proxy_of_the_environment_is_obeyed_but_never_for_this_machine(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == proxy


def test_a_proxy_of_another_kind_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://p:1080")
    with pytest.raises(InputError, match=r"only HTTP proxies.*HTTPS_PROXY"):
        proxy_for("https://example.org/v1")


@pytest.mark.parametrize("backend", ["openai-compatible", "openai", "gemini", "anthropic"])
async def test_every_backend_goes_through_it(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    hosts = set()

    async def look(server: FakeLLM, request: web.Request, raw: bytes) -> None:
        hosts.add(request.headers["Host"])

    with FakeLLM(misbehave=look) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        url = "http://llm.invalid" if backend == "gemini" else "http://llm.invalid/v1"
        table = model(url, backend=backend, price=FREE)
        state = await run(load(tmp_path, [table], n=1, groups=2), acknowledge=True)
    assert (state.exit_code, hosts) == (0, {"llm.invalid"})


def test_who_is_on_the_way_is_named_before_restricted_answers_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret-of-the-proxy@proxy.example:3128")
    section = ModelSection(name="m", backend="openai", id="m")
    assert _on_the_way(section) == " (through the proxy http://proxy.example:3128)"


async def test_a_guarded_session_knows_one_endpoint_only() -> None:
    with FakeLLM() as server, FakeLLM() as elsewhere:
        async with open_session(server.url, timeout(60), guarded=True) as session:
            async with session.post(f"{server.url}/chat/completions", json={}) as reply:
                assert reply.status == 200
            with pytest.raises(BadRequest, match="redirects to"):
                await session.post(elsewhere.url, json={})
        assert elsewhere.requests == 0
