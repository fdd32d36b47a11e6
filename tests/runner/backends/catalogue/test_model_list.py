"""What providers' own lists say of models that end."""

import pytest
from aiohttp import web
from fake_llm import FakeLLM

from runner.backends.catalogue.model_list import catalogue_remarks
from runner.study.sections import ModelSection


class GeminiList(FakeLLM):
    """Lists its models as Gemini does; `next_page` says that there are more."""

    next_page = ""

    def add_routes(self, app: web.Application) -> None:
        """The list beside what else it answers to."""
        app.router.add_get("/v1beta/models", self._gemini_models)
        super().add_routes(app)

    async def _gemini_models(self, request: web.Request) -> web.Response:
        assert request.headers["x-goog-api-key"] == "k"
        return web.json_response({"models": self.listed, "nextPageToken": self.next_page})


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"data": [1]}', b'{"data": {"id": 2}}', b"[]", b"9" * 5000, b"\xff"]
)
async def test_a_list_that_is_none_says_nothing(body: bytes) -> None:
    class Odd(FakeLLM):
        async def _models(self, request: web.Request) -> web.Response:
            return web.Response(body=body)

    with Odd() as server:
        section = ModelSection(name="m", backend="openai-compatible", id="m", base_urls=(server.url,))
        assert await catalogue_remarks([section]) == []


async def test_geminis_list_tells_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")

    def section(server: FakeLLM, name: str) -> ModelSection:
        url = server.url.removesuffix("/v1")
        return ModelSection(name=name, backend="gemini", id=name, base_urls=(url,))

    with GeminiList() as server:
        server.listed = [{"name": "models/gemini-3.5-flash-lite"}]
        asked = [section(server, name) for name in ("gemini-3.5-flash-lite", "gemini-2.0-flash")]
        (remark,) = await catalogue_remarks(asked)
        assert "does not list 'gemini-2.0-flash'" in remark
        assert "pageSize" not in remark
        server.next_page = "2"
        assert await catalogue_remarks(asked) == []  # half a list proves nothing


class AnthropicList(FakeLLM):
    """Lists its models as Anthropic does; `more` says that there are more."""

    more = False

    async def _models(self, request: web.Request) -> web.Response:
        assert (request.headers["x-api-key"], request.query["limit"]) == ("k", "1000")
        return web.json_response({"data": self.listed, "has_more": self.more})


async def test_anthropics_list_has_dated_names_and_the_day_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")

    def section(server: FakeLLM, name: str) -> ModelSection:
        table = {"name": name, "backend": "anthropic", "id": name, "base_urls": [server.url]}
        return ModelSection.model_validate({**table, "answer": "text", "decoding": {"max_tokens": 1}})

    with AnthropicList() as server:
        server.listed = [
            {"id": "claude-haiku-4-5-20251001"},
            {"id": "claude-opus-5", "retires_at": "2027-07-01T00:00:00Z"},
        ]
        asked = [section(server, name) for name in ("claude-haiku-4-5", "claude-opus-5", "claude-haiku-4")]
        ends, gone = await catalogue_remarks(asked)
        assert "'claude-opus-5' a retires_at 2027-07-01" in ends
        assert "does not list 'claude-haiku-4'" in gone
        server.more = True
        assert await catalogue_remarks(asked) == []


async def test_the_endpoints_own_list_warns_of_models_that_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def section(url: str, name: str) -> ModelSection:
        return ModelSection(name=name, backend="openai-compatible", id=name, base_urls=(url,))

    with FakeLLM() as server:
        server.listed = [{"id": "lives"}, {"id": "ends", "shutdown_date": "2030-01-01"}]
        found = await catalogue_remarks([section(server.url, name) for name in ("lives", "ends", "gone")])
    assert len(found) == 2
    assert "shutdown_date 2030-01-01" in found[0]
    assert "does not list 'gone'" in found[1]
    (silent,) = await catalogue_remarks([section("http://127.0.0.1:9/v1", "x")])
    assert silent.startswith("x: nothing answers at http://127.0.0.1:9/v1/models")
