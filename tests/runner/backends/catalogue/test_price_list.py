"""What the price list says of models, and what it refuses to say."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from genai_prices.data_snapshot import get_snapshot

from personas.errors import InputError, MachineError
from runner.backends.catalogue import price_list as module
from runner.backends.catalogue.price_list import batch_factor, fetch_price_list, listed, price_list
from runner.backends.catalogue.prices import price_of, warnings
from runner.study.sections import ModelSection

CLAUDE = {"answer": "text", "decoding": {"max_tokens": 1}}


def section(backend: str, name: str, *urls: str, **changes: object) -> ModelSection:
    return ModelSection.model_validate({"name": "m", "backend": backend, "id": name, "base_urls": urls, **changes})


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MTPA_CACHE_DIR", str(tmp_path))
    yield
    for each in (module.price_list, module._provider_by, module._listed):
        each.cache_clear()


@pytest.mark.parametrize("name", ["gpt-6-luna-pro", "gemini-3.6-flash-lite", "gemini-3.5-flash-8b", "gpt-9"])
def test_what_merely_begins_alike_has_no_price(name: str) -> None:
    asked = section("gemini" if name.startswith("gemini") else "openai", name)
    assert listed(asked) is None
    with pytest.raises(InputError, match="no price is known"):
        price_of(asked)


@pytest.mark.parametrize(
    ("asked", "rates"),
    [
        (section("openai", "gpt-6-luna"), (0.1, 0.5, 0.01, 0.125)),
        (section("openai", "gpt-6-luna-2026-09-22"), (0.1, 0.5, 0.01, 0.125)),
        (section("openai", "gpt-6-luna", decoding={"service_tier": "flex"}), (0.05, 0.25, 0.005, 0.0625)),
        (section("gemini", "models/gemini-3.5-flash-lite"), (0.3, 2.5, 0.03, None)),
        (section("openai-compatible", "openai/gpt-6-luna", "https://openrouter.ai/api/v1"), (0.1, 0.5, 0.01, 0.125)),
        (section("openai-compatible", "x:free", "https://openrouter.ai/api/v1"), None),
        (section("openai-compatible", "openai/gpt-6-luna", "https://example.org/v1"), None),
        (section("openai", "text-embedding-3-small"), None),
        (section("openai", "gpt-4.1-nano", decoding={"service_tier": "unheard-of"}), None),
    ],
)
def test_prices_are_those_of_the_endpoints_own_provider(
    asked: ModelSection, rates: tuple[float | None, ...] | None
) -> None:
    found = listed(asked)
    told = found and (found.price.input, found.price.output, found.price.cached, found.price.cache_write)
    assert told == rates


def test_a_price_that_will_change_is_said_and_the_dearest_of_the_next_day_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = section("gemini", "gemini-3.6-flash")
    monkeypatch.setattr(module, "_now", lambda: datetime(2026, 12, 1, tzinfo=UTC))
    assert price_of(asked).output == 3.75
    assert any("from 2027-01-01 on" in remark and "$7.5 out" in remark for remark in warnings(asked))
    module._listed.cache_clear()
    monkeypatch.setattr(module, "_now", lambda: datetime(2026, 12, 31, 12, tzinfo=UTC))
    assert price_of(asked).output == 7.5


def test_a_batch_costs_what_is_listed_else_what_is_usual_with_the_provider() -> None:
    assert batch_factor(section("openai", "gpt-6-luna")) == 0.5
    assert batch_factor(section("openai", "gpt-9")) == 0.5
    assert batch_factor(section("gemini", "gemini-3.5-flash")) == 1.0  # listed, without a price for batches


def test_aliases_and_deprecated_models_are_told() -> None:
    assert any("alias" in remark for remark in warnings(section("openai", "gpt-6-luna")))
    assert not any("alias" in remark for remark in warnings(section("openai", "gpt-6-luna-2026-09-22")))
    for name, alias in (("claude-haiku-5-5", False), ("claude-haiku-4-5", True), ("claude-haiku-4-5-20251001", False)):
        assert any("alias" in remark for remark in warnings(section("anthropic", name, **CLAUDE))) is alias
    assert any("deprecated" in remark for remark in warnings(section("gemini", "gemini-2.0-flash-001")))


def test_a_newer_list_is_fetched_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openai = {
        "id": "openai",
        "name": "OpenAI",
        "api_pattern": "https://api\\.openai\\.com",
        "models": [
            {
                "id": "gpt-9",
                "match": {"equals": "gpt-9"},
                "prices": [
                    {"prices": {"input_mtok": 1, "output_mtok": 9}},
                    {"constraint": {"start_date": datetime.now(UTC).date().isoformat()},
                     "prices": {"input_mtok": 2, "output_mtok": 8}},
                ],
            }
        ],
    }  # fmt: skip

    class Updates(FakeLLM):
        async def _models(self, request: web.Request) -> web.Response:
            return web.json_response(self.listed)

    with Updates() as server:
        monkeypatch.setattr("genai_prices.update_prices.DEFAULT_UPDATE_URL", f"{server.url}/models")
        with pytest.raises(MachineError, match="no price list could be fetched"):
            fetch_price_list()
        assert not (tmp_path / "prices.json").exists()
        server.listed = [openai]  # type: ignore[list-item]
        fetch_price_list()
    assert "fetched on" in price_list().source
    assert price_of(section("openai", "gpt-9")).output == 8
    (tmp_path / "prices.json").write_text(json.dumps({"fetched": "2026-01-01", "providers": [{"id": 3}]}))
    price_list.cache_clear()
    assert price_list().snapshot is get_snapshot()  # a damaged file is as none
