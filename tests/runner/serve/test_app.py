"""The server over HTTP: the openai SDK on a real model, refusals, the token."""

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

torch = pytest.importorskip("torch")

from aiohttp.test_utils import TestServer  # noqa: E402
from openai import AsyncOpenAI, BadRequestError  # noqa: E402
from waiting import until  # noqa: E402

from runner.serve.app import application  # noqa: E402
from runner.serve.generation import ends  # noqa: E402
from runner.serve.model import ServedModel  # noqa: E402
from runner.serve.token_budget import TokenBudget  # noqa: E402

pytestmark = pytest.mark.slow

CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
async def server(smollm: ServedModel) -> AsyncIterator[TestServer]:
    async with TestServer(application(smollm, "small", TokenBudget(4096))) as server:
        yield server


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=str(server.make_url("/v1")), api_key="none", max_retries=0) as client:
        yield client


async def test_the_openai_sdk_gets_text_with_log_probabilities(client: AsyncOpenAI) -> None:
    found = await client.chat.completions.create(
        model="small", messages=CAPITAL, max_tokens=20, temperature=0, logprobs=True, top_logprobs=3
    )
    choice = found.choices[0]
    assert choice.message.content is not None and "Paris" in choice.message.content
    assert choice.finish_reason == "stop" and choice.logprobs and choice.logprobs.content
    assert "".join(each.token for each in choice.logprobs.content) == choice.message.content
    for each in choice.logprobs.content:
        assert each.logprob == max(other.logprob for other in each.top_logprobs) and len(each.top_logprobs) == 3
    assert found.usage and found.usage.completion_tokens == len(choice.logprobs.content)


async def test_one_token_is_the_one_that_generation_begins_with(client: AsyncOpenAI) -> None:
    async def ask(most: int) -> list[tuple[str, float]]:
        found = await client.chat.completions.create(
            model="small", messages=CAPITAL, max_tokens=most, temperature=0, logprobs=True, top_logprobs=5
        )
        assert found.choices[0].logprobs and found.choices[0].logprobs.content
        return [(each.token, each.logprob) for each in found.choices[0].logprobs.content[0].top_logprobs]

    one, many = await ask(1), await ask(2)
    assert [token for token, _ in one] == [token for token, _ in many]
    assert [value for _, value in one] == pytest.approx([value for _, value in many], abs=1e-3)


async def test_a_seed_means_the_same_answer_in_every_batch(client: AsyncOpenAI) -> None:
    async def ask(seed: int, words: str = "Name a fruit.") -> str | None:
        found = await client.chat.completions.create(
            model="small", messages=[{"role": "user", "content": words}], max_tokens=8, temperature=1.2, seed=seed
        )
        return found.choices[0].message.content

    alone = await ask(7)
    together = await asyncio.gather(ask(7), *(ask(seed, "Tell a much longer story, please.") for seed in range(3)))
    assert together[0] == alone
    assert len({await ask(seed) for seed in range(6)}) > 1


async def test_stop_strings_and_length_end_an_answer(client: AsyncOpenAI) -> None:
    ask = {"model": "small", "messages": CAPITAL, "temperature": 0}
    found = await client.chat.completions.create(**ask, max_tokens=20, stop=["France", "zzz"])  # type: ignore[call-overload]
    assert found.choices[0].finish_reason == "stop"
    assert found.choices[0].message.content == "The capital of "
    whole = await client.chat.completions.create(**ask, max_tokens=20)  # type: ignore[call-overload]
    found = await client.chat.completions.create(**ask, max_tokens=20, stop=["\nThe", "assistant\nThe capital"])  # type: ignore[call-overload]
    assert found.choices[0].message.content == whole.choices[0].message.content, "what the prompt ends with is no stop"
    found = await client.chat.completions.create(**ask, max_tokens=2)  # type: ignore[call-overload]
    assert found.choices[0].finish_reason == "length" and found.usage.completion_tokens == 2


async def test_embeddings_are_the_mean_of_the_last_layer(client: AsyncOpenAI, smollm: ServedModel) -> None:
    texts = ["a short one", "quite another, somewhat longer text", "a short two"]
    found = await client.embeddings.create(model="small", input=texts, encoding_format="float")
    assert [each.index for each in found.data] == [0, 1, 2]
    ids = smollm.tokenizer(texts[1], add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        by_hand = smollm.model(ids, output_hidden_states=True).hidden_states[-1][0].mean(0)
    assert found.data[1].embedding == pytest.approx(by_hand.tolist(), abs=1e-3)


async def test_letters_continuations_stats_and_check(server: TestServer) -> None:
    async with aiohttp.ClientSession(base_url=server.make_url("/")) as session:
        asked = {"messages": [{"role": "user", "content": "Yes?\nA. Yes\nB. No\nOne letter."}]}
        async with session.post("/v1/choices", json=asked | {"choices": ["A", "B"]}) as reply:
            letters = await reply.json()
        assert sum(map(math.exp, letters["logprobs"])) == pytest.approx(letters["mass"]) and letters["mass"] < 1
        assert letters["likeliest"]
        async with session.post("/v1/loglikelihood", json=asked | {"continuations": [" Yes", " No, it is"]}) as reply:
            found = await reply.json()
        assert found["tokens"] == [2, 5] and all(each < 0 for each in found["logprobs"])
        async with session.get("/stats") as reply:
            stats = await reply.json()
        assert stats["prompts"] == 3 and stats["computed_tokens"] < stats["given_tokens"] and stats["shares_prefixes"]
        async with session.get("/check") as reply:
            assert (await reply.json())["checked"] == 4


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": [{"role": "user", "content": "x " * 9000}]}, "the model reads at most 8192"),
        ({"messages": CAPITAL, "stream": True}, "stream is not supported"),
        ({"messages": CAPITAL, "temperature": -1}, "temperature"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"content": "no role"}], "max_tokens": 1, "temperature": 0}, "role, content"),
        ({}, "messages"),
    ],
)
async def test_what_is_wrong_is_said(server: TestServer, body: dict[str, object], message: str) -> None:
    url = server.make_url("/v1/chat/completions")
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as reply:
        assert reply.status == 400 and message in (await reply.json())["error"]["message"]


@pytest.mark.parametrize("path", ["choices", "loglikelihood"])
@pytest.mark.parametrize("messages", [["x"], {"a": 1}, [{"content": "x"}], "x", None])
async def test_no_chat_is_a_bad_request(server: TestServer, path: str, messages: object) -> None:
    body = {"messages": messages, "choices": ["A"], "continuations": [" A"]}
    async with aiohttp.ClientSession() as session, session.post(server.make_url(f"/v1/{path}"), json=body) as reply:
        assert reply.status == 400 and "role, content" in (await reply.json())["error"]["message"]


async def test_a_template_that_refuses_is_quoted(server: TestServer, smollm: ServedModel, monkeypatch: Any) -> None:
    template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}x"
    monkeypatch.setattr(smollm.tokenizer, "chat_template", template)
    body = {"messages": [{"role": "system", "content": "Be brief."}], "choices": ["A"]}
    async with aiohttp.ClientSession() as session, session.post(server.make_url("/v1/choices"), json=body) as reply:
        assert reply.status == 400 and "no system role" in (await reply.json())["error"]["message"]


@pytest.mark.parametrize("asked", [{"max_tokens": 1, "temperature": 0}, {"max_tokens": 3}])
async def test_numbers_that_overflow_are_no_answer(
    server: TestServer, smollm: ServedModel, request: pytest.FixtureRequest, asked: dict[str, object]
) -> None:
    def overflow(module: Any, given: Any, logits: torch.Tensor) -> torch.Tensor:
        return logits * torch.nan

    hook = smollm.model.lm_head.register_forward_hook(overflow)
    request.addfinalizer(hook.remove)
    chat, choices = {"messages": CAPITAL, **asked}, {"messages": CAPITAL, "choices": ["A", "B"]}
    async with aiohttp.ClientSession(base_url=server.make_url("/")) as session:
        for path, body in (("chat/completions", chat), ("choices", choices)):
            async with session.post(f"/v1/{path}", json=body) as reply:
                assert reply.status == 400 and "overflow" in (await reply.json())["error"]["message"]


async def test_who_leaves_ends_what_is_written_for_them(
    server: TestServer, smollm: ServedModel, request: pytest.FixtureRequest
) -> None:
    passes: list[None] = []

    def never_ends(module: Any, given: Any, logits: torch.Tensor) -> torch.Tensor:
        passes.append(None)
        return logits.index_fill(-1, torch.tensor(sorted(ends(smollm.model, smollm.tokenizer))), -1e4)

    hook = smollm.model.lm_head.register_forward_hook(never_ends)
    request.addfinalizer(hook.remove)
    long = {"messages": CAPITAL, "max_tokens": 4000}
    async with aiohttp.ClientSession(base_url=server.make_url("/")) as session:
        leaving = asyncio.create_task(session.post("/v1/chat/completions", json=long))
        await until(lambda: len(passes) > 2)
        leaving.cancel()
        short = {"messages": CAPITAL, "choices": ["A", "B"]}
        async with session.post("/v1/choices", json=short) as reply:
            assert reply.status == 200
    assert len(passes) < 4000


async def test_the_sdk_sees_the_sentence(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError, match="n is not supported"):
        await client.chat.completions.create(model="small", messages=CAPITAL, n=2)


async def test_with_a_token_nobody_else_is_answered(smollm: ServedModel) -> None:
    app = application(smollm, "small", TokenBudget(4096), token="open sesame")
    async with TestServer(app) as server, aiohttp.ClientSession(base_url=server.make_url("/")) as session:
        for headers in ({}, {"Authorization": "Bearer open"}, {"Authorization": "Basic open sesame"}):
            async with session.get("/v1/models", headers=headers) as reply:
                assert reply.status == 401
        async with session.get("/v1/models", headers={"Authorization": "Bearer open sesame"}) as reply:
            assert (await reply.json())["data"][0]["id"] == "small"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("chat/completions", {"messages": [{"role": "user", "content": "x" * 300_000}]}, "reads at most 8,192 tokens"),
        ("choices", {"messages": CAPITAL, "choices": ["A"] * 300}, "choices has 300 entries"),
        (
            "loglikelihood",
            {"messages": CAPITAL, "continuations": ["é" * 2_000] * 100},
            "continuations has 400,000 bytes",
        ),
        ("chat/completions", {"messages": CAPITAL * 300}, "messages has 300 entries"),
        ("chat/completions", {"messages": CAPITAL, "stop": ["a"] * 17}, "stop has 17 entries"),
        ("chat/completions", {"messages": CAPITAL, "stop": "a" * 300}, "a stop string has 300 characters"),
        ("embeddings", {"input": ["a"] * 3_000}, "input has 3,000 entries"),
        ("embeddings", {"input": "a" * 9_000_000}, ""),
    ],
)
async def test_too_much_is_refused_before_it_is_tokenised(
    server: TestServer, smollm: ServedModel, path: str, body: dict[str, Any], message: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(smollm, "prompter", type("None", (), {"limit": smollm.prompter.limit})())
    async with aiohttp.ClientSession() as session, session.post(server.make_url(f"/v1/{path}"), json=body) as reply:
        assert reply.status == 413 and message in (await reply.json())["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Type": "application/json; charset=nonsense"}, b"{}"),
        ({"Content-Encoding": "gzip", "Content-Type": "application/json"}, b"no gzip"),
        ({"Content-Type": "application/json"}, b"[" * 100_000),
        ({"Content-Type": "application/json; charset=utf-16"}, b"{}x"),
        ({"Content-Type": "application/json"}, b"\xff\xfe"),
    ],
)
async def test_odd_headers_and_bodies_are_bad_requests(
    server: TestServer, headers: dict[str, str], body: bytes
) -> None:
    url = server.make_url("/v1/choices")
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as reply:
        assert reply.status == 400
