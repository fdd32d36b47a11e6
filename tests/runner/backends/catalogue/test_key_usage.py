"""What a provider tells of a key is read where it is told, and nothing else is made of it."""

from typing import Any

import pytest
from aiohttp import web
from fake_llm import FakeLLM

from runner.backends.catalogue import key_usage as module
from runner.backends.catalogue.key_usage import account, key_usage
from runner.study.sections import ModelSection


class Account(FakeLLM):
    """An endpoint that tells what a key has used."""

    told: Any = None
    status = 200

    def add_routes(self, app: web.Application) -> None:
        self.keys: list[str] = []
        app.router.add_get("/v1/key", self._key)
        super().add_routes(app)

    async def _key(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Authorization", ""))
        return web.json_response(self.told, status=self.status, headers={"Location": "/v1/models"})


def _model(url: str) -> ModelSection:
    return ModelSection(name="m", backend="openai-compatible", id="m", base_urls=(url,), key_env="A_KEY")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-0123456789abcdef")
    monkeypatch.setattr(module, "TELLING", frozenset({"127.0.0.1"}))


@pytest.mark.parametrize(
    ("told", "status", "dollars"),
    [
        ({"data": {"usage": 0.25, "limit": None}}, 200, 0.25),
        ({"data": {"usage": 1, "byok_usage": 0.5}}, 200, 1.5),  # what the key behind it was charged
        ({"data": {"usage": 0.25, "byok_usage": None}}, 200, 0.25),
        ({"data": {"usage": 0.25}}, 401, None),
        ({"data": {"usage": 0.25}}, 302, None),
        ({"data": {"usage": "0.25"}}, 200, None),
        ({"data": {"usage": True}}, 200, None),
        ({"data": {"usage": -1}}, 200, None),
        ({"data": {"usage": float("nan")}}, 200, None),
        ({"data": {"usage": float("inf")}}, 200, None),
        ({"data": {"usage": 0.25, "byok_usage": "?"}}, 200, None),
        ({"data": {}}, 200, None),
        ({"data": []}, 200, None),
        ({"data": None}, 200, None),
        ({"usage": 0.25}, 200, None),
        ([], 200, None),
        ("no", 200, None),
    ],
)
async def test_dollars_or_nothing(told: Any, status: int, dollars: float | None) -> None:
    with Account() as server:
        server.told, server.status = told, status
        found = await key_usage([_model(server.url), _model(server.url)])
        assert list(found.values()) == ([] if dollars is None else [dollars])
        assert server.keys == ["Bearer sk-0123456789abcdef"]  # once a key, whatever the number of models
        assert not server.looks  # no redirect is followed


async def test_an_endpoint_that_is_not_there_tells_nothing() -> None:
    assert not await key_usage([_model("http://127.0.0.1:9/v1")])


def test_a_key_is_known_by_two_bytes_of_its_hash_and_sent_only_where_it_belongs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = account(_model("http://127.0.0.1:9/v1"))
    assert first and first.origin == "http://127.0.0.1:9" and 0 <= first.mark < 1 << 16
    monkeypatch.setenv("A_KEY", "sk-another-key")
    other = account(_model("http://127.0.0.1:9/v1"))
    assert other and other.mark != first.mark
    monkeypatch.setattr(module, "TELLING", frozenset({"openrouter.ai", "127.0.0.1"}))
    assert account(_model("https://openrouter.ai/api/v1")) is None  # A_KEY is not known to belong there
    assert account(_model("https://openrouter.ai.evil.example/v1")) is None
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-0123456789")
    router = _model("https://openrouter.ai/api/v1").model_copy(update={"key_env": "OPENROUTER_API_KEY"})
    assert account(router) is not None
    monkeypatch.delenv("OPENROUTER_API_KEY")
    assert account(router) is None
