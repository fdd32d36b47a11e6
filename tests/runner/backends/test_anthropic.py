"""Anthropic's messages: what is sent, what an answer is, how it ended, what it cost, and what its errors mean."""

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from anthropic.types import StopReason
from fake_llm import FakeLLM
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from studies import load, model, rows

from personas.errors import InputError, MachineError
from runner.backends.anthropic import body, read
from runner.backends.batches.base import make_batches
from runner.backends.catalogue.prices import cost, price_of
from runner.backends.errors import BackendError, BadRequest, BrokenOff, ModelUnavailable, PromptRefused, Transient
from runner.backends.providers import make_backend
from runner.backends.request import ModelIdentity, Request, Usage
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.study.sections import ModelSection

FREE = {"input": 0.0, "output": 0.0}
ASKED = Request(b"k", [{"role": "user", "content": "?"}], {"max_tokens": 3}, "text", ())


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")


def table(url: str, **changes: Any) -> dict[str, Any]:
    """A [[models]] table for the fake."""
    return model(url, **{"backend": "anthropic", "id": "claude-haiku-4-5", "price": FREE, **changes})


def message(**changes: Any) -> dict[str, Any]:
    """A message as the API sends it."""
    usage = {"input_tokens": 20, "output_tokens": 3}
    text = [{"type": "text", "text": "A"}]
    return {"type": "message", "model": "m", "content": text, "stop_reason": "end_turn", "usage": usage, **changes}


def test_the_system_message_has_a_place_of_its_own() -> None:
    turns = (("user", "Hi"), ("assistant", "Yes?"), ("user", "?"))
    spoken = [{"role": role, "content": content} for role, content in turns]
    request = Request(b"", [{"role": "system", "content": "Be brief."}, *spoken], {"max_tokens": 3}, "text", ())
    assert body("m", request) == {"model": "m", "system": "Be brief.", "messages": spoken, "max_tokens": 3}


async def test_a_temperature_is_sent_to_the_version_that_takes_one(tmp_path: Path) -> None:
    """API versions since 2026-10-21 refuse any; the SDK asks for the newest that it knows."""
    seen: list[tuple[str, str, bool]] = []

    async def look(server: FakeLLM, request: web.Request, raw: bytes) -> None:
        seen.append((request.path, request.headers["anthropic-version"], "temperature" in json.loads(raw)))

    with FakeLLM(misbehave=look) as server:
        warm = table(server.url, decoding={"temperature": 0.7, "max_tokens": 3})
        await run(load(tmp_path, [warm, table(server.url, name="cool")], n=1, groups=2))
    versions = {with_one: version for _, version, with_one in seen}
    assert {path for path, *_ in seen} == {"/v1/messages"}
    assert versions[True] == "2023-06-01" < versions[False]


ENDINGS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "tool_use": None,
    "pause_turn": None,
}


def test_every_reason_that_the_sdk_knows_is_an_ending_or_breaks_the_answer_off() -> None:
    assert set(StopReason.__args__) == set(ENDINGS)  # type: ignore[attr-defined]
    for reason, finish in ENDINGS.items():
        if finish is None:
            with pytest.raises(BrokenOff, match=reason) as broken:
                read(message(stop_reason=reason), 1)
            assert broken.value.usage == Usage(20, 3, latency_ms=1)
        else:
            assert read(message(stop_reason=reason), 1).response.finish == finish
    assert read(message(stop_reason=None), 1).response.finish == ""


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "thinking", "thinking": "It is B.", "signature": "x"}, {"type": "text", "text": "A"}], "A"),
        ([{"type": "redacted_thinking", "data": "x"}], None),
        ([{"type": "text", "text": "The answer "}, {"type": "text", "text": "is B"}], "The answer is B"),
        ([], None),
    ],
)
def test_the_answer_is_what_was_said_and_not_what_was_thought(content: list[Any], text: str | None) -> None:
    assert read(message(content=content), 0).response.text == text


@pytest.mark.parametrize(
    "changes",
    [
        {"content": None},
        {"content": [{}]},
        {"content": [{"type": "text", "text": None}]},
        {"content": 5},
        {"usage": {"input_tokens": -1}},
        {"usage": 5},
    ],
)
def test_what_is_no_message_is_a_failure(changes: dict[str, Any]) -> None:
    with pytest.raises(Transient, match="no answer in it") as failed:
        read(message(**changes), 0)
    assert failed.value.charged


def test_cache_reads_and_writes_have_prices_of_their_own() -> None:
    counts = {"input_tokens": 20, "output_tokens": 3, "cache_read_input_tokens": 500, "cache_creation_input_tokens": 80}
    usage = read(message(usage=counts), 0).usage
    assert (usage.prompt_tokens, usage.cached_tokens, usage.written_tokens) == (600, 500, 80)
    section = ModelSection.model_validate(
        {"name": "m", "backend": "anthropic", "id": "claude-haiku-4-5", "answer": "text", "decoding": {"max_tokens": 1}}
    )
    listed = price_of(section)
    rates = (listed.input, listed.output, listed.cached, listed.cache_write)
    assert rates == (1, 5, 0.1, 1.25)  # as Anthropic's page of prices has them
    assert cost(listed, usage) == 20 * 1 + 500 * 0.1 + 80 * 1.25 + 3 * 5


ERRORS: list[tuple[int, str, str, type[BackendError]]] = [
    (401, "authentication_error", "invalid x-api-key", ModelUnavailable),
    (403, "permission_error", "Your API key does not have permission to use this model.", ModelUnavailable),
    (404, "not_found_error", "model: claude-nobody", ModelUnavailable),
    (402, "billing_error", "There is an issue with your billing.", ModelUnavailable),
    (400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.", ModelUnavailable),
    (400, "invalid_request_error", "Output blocked by content filtering policy", PromptRefused),
    (400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum", BadRequest),
    (413, "request_too_large", "Request exceeds the maximum size", BadRequest),
    (429, "rate_limit_error", "This request would exceed your organization's rate limit", Transient),
    (500, "api_error", "Internal server error", Transient),
    (529, "overloaded_error", "Overloaded", Transient),
]


@pytest.mark.parametrize(("status", "kind", "said", "expected"), ERRORS)
async def test_errors_are_sorted_and_nothing_is_asked_twice(
    status: int, kind: str, said: str, expected: type[BackendError]
) -> None:
    async def refuse(server: FakeLLM, request: web.Request, raw: bytes) -> web.Response:
        error = {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_1"}
        return web.json_response(error, status=status, headers={"retry-after": "7"})

    with FakeLLM(misbehave=refuse) as server:
        section = ModelSection.model_validate(table(server.url))
        backend = make_backend(section, ModelIdentity("anthropic", "m", "", "", {}), lambda headers: None)
        try:
            with pytest.raises(BackendError) as failed:
                await backend.answer(ASKED)
        finally:
            await backend.close()
    assert (type(failed.value), server.requests) == (expected, 1)
    assert said in str(failed.value) and str(status) in str(failed.value)
    if isinstance(failed.value, Transient):
        assert failed.value.retry_after == 7


async def test_a_refusal_is_refused_and_the_served_model_is_kept(tmp_path: Path) -> None:
    async def decline(server: FakeLLM, request: web.Request, raw: bytes) -> web.Response:
        return web.json_response(message(stop_reason="refusal", content=[], model="claude-haiku-4-5-20251001"))

    with FakeLLM(misbehave=decline) as server:
        state = await run(load(tmp_path, [table(server.url)], n=1, groups=2))
    assert (state.exit_code, server.repeats) == (0, 0)
    assert rows(tmp_path, "SELECT DISTINCT status FROM score") == [("refused",)]
    assert rows(tmp_path, "SELECT served FROM model") == [("claude-haiku-4-5-20251001",)]


async def test_the_environment_leads_the_sdk_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-mine")
    monkeypatch.setenv("ANTHROPIC_WORKSPACE_ID", "workspace-of-mine")
    monkeypatch.setenv("ANTHROPIC_PROFILE", "profile-of-mine")

    async def look(server: FakeLLM, request: web.Request, raw: bytes) -> None:
        seen.append(dict(request.headers))

    with FakeLLM(misbehave=look) as server:
        await run(load(tmp_path, [table(server.url)], n=1, groups=2))
        monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Team: mine")
        with pytest.raises(InputError, match="ANTHROPIC_CUSTOM_HEADERS"):
            await run(load(tmp_path, [table(server.url)], n=1, groups=3))
    assert seen and "mine" not in json.dumps(seen)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answer": "probabilities"}, "Claude shows no log-probabilities"),
        ({"decoding": {}}, "set decoding.max_tokens"),
        ({"decoding": {"max_tokens": 3, "thinking": {"type": "enabled"}}}, "budget_tokens of 1024 or more"),
        (
            {"decoding": {"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 2000}}},
            "greater decoding.max_tokens",
        ),
        ({"decoding": {"max_tokens": 3, "thinking": "adaptive"}}, "decoding.thinking is a table"),
        ({"decoding": {"max_tokens": 3, "system": "x"}}, "the system text is"),
        ({"decoding": {"max_tokens": 3, "speed": "fast"}}, "speed: unknown parameter"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModelSection.model_validate(table("http://127.0.0.1:1", **changes))


def test_an_sdk_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    monkeypatch.delitem(sys.modules, "runner.backends.anthropic")
    monkeypatch.delitem(sys.modules, "runner.backends.batches.anthropic_jobs", raising=False)
    section = ModelSection.model_validate(table("http://127.0.0.1:1"))
    with pytest.raises(MachineError, match=r"pip install '\.\[anthropic\]'"):
        make_backend(section, ModelIdentity("anthropic", "m", "", "", {}), lambda headers: None)
    with pytest.raises(MachineError, match=r"pip install '\.\[anthropic\]'"):
        make_batches(section)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "input_tokens", "output_tokens_details", "x"]), inner)
    ),
    max_leaves=8,
)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("content", "usage", "stop_reason", "model", "error"), JSON)))
def test_whatever_comes_is_an_answer_or_a_failure(reply: dict[str, Any]) -> None:
    with suppress(BackendError):
        text = read(reply, 0).response.text
        assert text is None or isinstance(text, str)


PERSONA = "You are somebody. " * 300  # over the 1,024 tokens that the cache keeps
MARK = {"type": "ephemeral"}


def marked(placement: str, shared: str = PERSONA) -> dict[str, Any]:
    """The body of a question behind a persona."""
    spoken = f"{shared}\nWhich?" if placement == "prompt" else "Which?"
    system = [{"role": "system", "content": f"Be brief.\n{shared}"}] if placement == "system" else []
    request = Request(b"", [*system, {"role": "user", "content": spoken}], {"max_tokens": 3}, "text", (), shared)
    return body("m", request, cached=True)


def test_the_cache_ends_where_the_persona_does_and_the_words_stay_the_same() -> None:
    told = marked("prompt")["messages"][0]["content"]
    assert told == [
        {"type": "text", "text": PERSONA, "cache_control": MARK},
        {"type": "text", "text": "\nWhich?"},
    ]
    system = marked("system")
    assert system["system"] == [{"type": "text", "text": f"Be brief.\n{PERSONA}", "cache_control": MARK}]
    assert system["messages"] == [{"role": "user", "content": "Which?"}]
    for unmarked in (marked("prompt", "You are somebody."), marked("prompt", "")):
        assert "cache_control" not in json.dumps(unmarked)


async def test_a_marked_study_is_the_same_study(tmp_path: Path) -> None:
    """The mark is in no key: what was answered without it is not asked again."""
    bodies: list[dict[str, Any]] = []
    usage = {"input_tokens": 9, "cache_creation_input_tokens": 1500, "cache_read_input_tokens": 0, "output_tokens": 1}

    async def look(server: FakeLLM, request: web.Request, raw: bytes) -> web.Response:
        bodies.append(json.loads(raw))
        return web.json_response(message(usage=usage))

    prices = {"price": {"input": 1.0, "output": 5.0, "cached": 0.1, "cache_write": 1.25}}
    with FakeLLM(misbehave=look) as server:
        await run(load(tmp_path, [table(server.url, **prices)], n=1, groups=2))
        sent = server.requests
        wanted = table(server.url, **prices, endpoint={"prompt_cache": True})
        long = {"system": PERSONA}
        await run(load(tmp_path, [wanted], n=1, groups=2))
        assert server.requests == sent == 4
        await run(load(tmp_path, [wanted], n=1, groups=2, variants={**long, "placements": ["system"]}))
    marks = [each["system"][0]["cache_control"] for each in bodies if isinstance(each.get("system"), list)]
    assert marks == [MARK] * 2 and len(bodies) == 8, "two with the persona, two of the baseline"
    assert rows(tmp_path, "SELECT DISTINCT micro_usd FROM completion") == [(9 + 1875 + 5,)]


def test_a_plan_names_what_the_cache_costs(tmp_path: Path) -> None:
    found = []
    for cached in (False, True):
        study = load(
            tmp_path,
            [
                table(
                    "http://127.0.0.1:1",
                    price={"input": 1.0, "output": 5.0, "cached": 0.1, "cache_write": 1.25},
                    endpoint={"prompt_cache": cached},
                )
            ],
            n=2,
            variants={"system": PERSONA, "placements": ["system"]},
            name=f"cached-{cached}",
        )
        with prepared(study) as ready:
            found.append(plan(ready))
    told = [next(each for each in one.remarks if "caches from 1,024" in each) for one in found]
    assert "endpoint = { prompt_cache = true } marks each persona" in told[0] and "is marked for it" in told[1]
    assert all("written to it costs 1.25 dollars a million, one that is read 0.1, another 1;" in each for each in told)
    prompt = [sum(row.prompt_tokens for row in one.rows) for one in found]
    output = [sum(row.output_tokens_high for row in one.rows) for one in found]
    assert found[0].usd == pytest.approx((prompt[0] + 5 * output[0]) / 1e6, abs=1e-6)
    assert found[1].usd == pytest.approx((1.25 * prompt[1] + 5 * output[1]) / 1e6, abs=1e-6)
