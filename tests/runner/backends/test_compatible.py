"""Endpoints that speak chat completions: Azure's header and version, OpenRouter's routing, and log-likelihoods from
completions, as a whole study asks for them."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from pydantic import ValidationError
from studies import load, model, rows, write_study
from typer.testing import CliRunner

from personas.errors import InputError
from runner.backends.catalogue.model_list import catalogue_remarks
from runner.backends.catalogue.prices import worst_cost
from runner.backends.request import ModelIdentity, Request
from runner.cli.app import app
from runner.crossing.prepare import prepared
from runner.engine.run import run
from runner.planning.plan import plan
from runner.study.config import Study
from runner.study.sections import ModelSection, Price

AZURE = {"key_header": "api-key", "api_version": "2024-10-21"}
SECRET = "azure-key-that-nobody-sees"
Told = Callable[[str], Mapping[str, Any]]


async def test_azure_gets_its_header_and_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    seen: set[tuple[str, str | None, str | None]] = set()

    async def look(server: FakeLLM, request: web.Request, raw: bytes) -> None:
        seen.add((request.path_qs, request.headers.get("api-key"), request.headers.get("Authorization")))

    with FakeLLM(misbehave=look) as server:
        url = server.url.replace("/v1", "/openai/deployments/gpt-4o")
        table = model(url, id="gpt-4o", key_env="SOME_KEY", endpoint=AZURE)
        study = load(tmp_path, [table], n=1, groups=2)
        assert (await run(study)).exit_code == 0
        await catalogue_remarks(study.models)
    assert seen == {("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", SECRET, None)}


def key_of(folder: Path, **changes: Any) -> bytes:
    """The key of the first request of a study of one model."""
    tables = {
        "study": {"name": "s", "database": str(folder / "keys.sqlite")},
        "personas": {"sources": ["starter_wvs3"], "n": 1},
        "benchmarks": [{"name": "crows_pairs", "part": "choice", "groups": 1}],
        "models": [model("https://openrouter.ai/api/v1", price={"input": 1.0, "output": 1.0}, **changes)],
    }
    with prepared(Study.from_dict(tables)) as ready:
        return next(ready.crossing.trials(ready.crossing.models[0])).request.key


def test_who_may_answer_is_in_the_key_and_how_it_is_reached_is_not(tmp_path: Path) -> None:
    def routed(**provider: Any) -> dict[str, Any]:
        return {"decoding": {"max_tokens": 3, "provider": provider}}

    plain = key_of(tmp_path)
    assert key_of(tmp_path, base_urls=["https://example.org/v1"], endpoint=AZURE) == plain
    keys = [plain, *(key_of(tmp_path, **routed(**each)) for each in ROUTING)]
    assert len(set(keys)) == len(keys)


ROUTING: tuple[dict[str, Any], ...] = (
    {"order": ["a", "b"]},
    {"order": ["b", "a"]},
    {"order": ["a", "b"], "allow_fallbacks": False},
    {"require_parameters": True},
    {"data_collection": "deny"},
)


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ({"require_paramters": True}, "did you mean 'require_parameters'"),
        ({"data_collection": "never"}, "decoding.provider.data_collection: input should be 'allow' or 'deny'"),
        ({"order": "deepinfra"}, "decoding.provider.order"),
        ({"allow_fallbacks": "no"}, "decoding.provider.allow_fallbacks"),
        ("deepinfra", "decoding.provider is a table"),
    ],
)
def test_routing_that_would_be_passed_over_is_refused(provider: Any, said: str) -> None:
    told = model("https://openrouter.ai/api/v1", decoding={"max_tokens": 3, "provider": provider})
    with pytest.raises(ValidationError, match=said):
        ModelSection.model_validate(told)
    elsewhere = model("https://example.org/v1", decoding={"max_tokens": 3, "provider": provider})
    assert ModelSection.model_validate(elsewhere).decoding["provider"] == provider  # another endpoint's own


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ({"tokenizer": "x"}, "set endpoint.loglikelihoods"),
        ({"key_header": "api key"}, "endpoint.key_header"),
        ({"api_version": "1&key=2"}, "endpoint.api_version"),
        ({"loglikelihoods": "logprobs"}, "endpoint.loglikelihoods"),
        ({"prompt_cache": True}, "endpoint.prompt_cache is for backend = 'anthropic'"),
        ({"project": "p"}, "endpoint.project is for backend = 'gemini'"),
    ],
)
def test_what_an_endpoint_cannot_be_is_said(endpoint: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModelSection.model_validate(model("http://127.0.0.1:1/v1", endpoint=endpoint))


def characters(body: str) -> dict[str, Any]:
    """A completion whose tokens are the prompt's words, the longer the less likely."""
    prompt = json.loads(body)["prompt"]
    words = re.findall(r"\s*\S+", prompt)
    tokens, numbers = ["<s>", *words, "."], [None, *(-len(word) / 8 for word in words), -0.5]
    offsets = [sum(map(len, tokens[:place])) for place in range(len(tokens))]
    told = {"tokens": tokens, "token_logprobs": numbers, "text_offset": offsets, "top_logprobs": None}
    if json.loads(body).get("prompt_logprobs") == 0:
        entries = [{str(place): {"logprob": number, "decoded_token": token}} for place, (token, number) in
                   enumerate(zip(tokens[:-1], numbers[:-1], strict=True))]  # fmt: skip
        entries[0] = None  # type: ignore[call-overload]
        choice = {"index": 0, "text": ".", "logprobs": None, "prompt_logprobs": entries}
    else:
        choice = {"index": 0, "text": f"{prompt}.", "logprobs": told}
    usage = {"prompt_tokens": len(words) + 1, "completion_tokens": 1, "total_tokens": len(words) + 2}
    return {"object": "text_completion", "model": "m-1", "choices": [choice], "usage": usage}


class Completing(FakeLLM):
    """Completions as `told` makes them, and nothing else."""

    def __init__(self, told: Told = characters, status: int = 200) -> None:
        super().__init__(misbehave=self._complete)
        self.told, self.status, self.paths = told, status, set[str]()

    async def _complete(self, server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        self.paths.add(request.path)
        return web.json_response(dict(self.told(raw.decode())), status=self.status)


def study(folder: Path, url: str, **changes: Any) -> Study:
    """Two pairs by log-likelihood, behind a system text, of one person and nobody."""
    endpoint = {"loglikelihoods": "echo"}
    path = write_study(
        folder, [model(url, **{"endpoint": endpoint, **changes})], n=1, groups=2, variants={"system": "Go on:"}
    )
    path.write_text(path.read_text().replace('"choice"', '"loglik"'))
    return Study.load(path)


@pytest.mark.parametrize("how", ["echo", "prompt_logprobs"])
async def test_a_study_by_completions_is_asked_scored_and_never_asked_again(how: str, tmp_path: Path) -> None:
    asked = study(tmp_path, "http://127.0.0.1:1/v1", endpoint={"loglikelihoods": how})
    with Completing() as server:
        asked = study(tmp_path, server.url, endpoint={"loglikelihoods": how})
        state = await run(asked)
        assert (state.exit_code, server.requests, server.paths) == (0, 8, {"/v1/completions"}), state.remarks
        sent = [json.loads(body) for body in server.bodies]
        assert (await run(asked)).exit_code == 0 and server.requests == 8
    assert all((each["max_tokens"], each["temperature"], each["stream"]) == (1, 0, False) for each in sent)
    assert [each["prompt"].startswith("Go on:\n\n") for each in sent] == [True] * 8
    # the sentence with fewer letters is the likelier here, and a persona changes nothing of that
    with prepared(asked) as ready:
        texts = {
            each.question.item.id: each.request.options for each in ready.crossing.trials(ready.crossing.models[0])
        }
    fewer = {item: float(len(more) < len(less)) for item, (more, less) in texts.items()}
    told = rows(tmp_path, "SELECT i.item_id, s.value, s.status FROM score AS s JOIN item AS i ON i.id = s.item")
    assert {(item, value) for item, value, _ in told} == set(fewer.items()) and {each[2] for each in told} == {"ok"}
    assert rows(tmp_path, "SELECT DISTINCT served, method FROM model") == [("m-1", "text")]


def _with(**changes: Callable[[list[Any]], list[Any]]) -> Told:
    """Completions with something else in the place of what is told of their tokens."""

    def told(body: str) -> Mapping[str, Any]:
        reply = characters(body)
        logprobs = reply["choices"][0]["logprobs"]
        return {
            **reply,
            "choices": [{"logprobs": logprobs | {name: make(logprobs[name]) for name, make in changes.items()}}],
        }

    return told


NOT_FOUND = {"error": {"message": "Not Found", "code": 404}}
OTHERS: list[tuple[Told, int, str]] = [
    (lambda body: NOT_FOUND, 404, "no completions service"),
    (lambda body: {"choices": [{"text": "x", "logprobs": None}]}, 200, "llama.cpp's own server tells none"),
    (lambda body: {}, 200, "cannot be read"),
    (lambda body: {**characters(body), "usage": {"prompt_tokens": -1}}, 200, "its usage cannot be read"),
    (lambda body: {"error": {"message": "no echo here", "code": 400}}, 200, "no echo here"),
    (_with(text_offset=lambda values: [0 for _ in values]), 200, "with the offset 0"),
    (_with(token_logprobs=lambda values: [None, *[0.7] * (len(values) - 1)]), 200, "shows 0.7 as a log-probability"),
    (_with(token_logprobs=lambda values: [float("nan")] * len(values)), 200, "not finite"),
    (_with(tokens=lambda values: ["x" for _ in values]), 200, "do not spell"),
]


@pytest.mark.parametrize(("told", "status", "said"), OTHERS, ids=[said for _, _, said in OTHERS])
async def test_what_else_comes_is_a_failure_and_no_number(told: Told, status: int, said: str, tmp_path: Path) -> None:
    with Completing(told, status) as server:
        state = await run(study(tmp_path, server.url))
    assert state.exit_code != 0
    assert rows(tmp_path, "SELECT count(*) FROM completion") == [(0,)]
    failed = " ".join(row[0] for row in rows(tmp_path, "SELECT message FROM failure"))
    assert said in failed + str(vars(state)), failed


def test_a_model_that_tells_none_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    study(tmp_path, "http://127.0.0.1:1/v1")
    path.write_text(path.read_text().replace('endpoint = {"loglikelihoods" = "echo"}', ""))
    path.write_text(path.read_text().replace('endpoint = {loglikelihoods = "echo"}', ""))
    for command in (["plan"], ["explain", "crows_pairs/loglik/1"], []):
        with pytest.raises(InputError, match="'fake': crows_pairs:loglik wants log-likelihoods") as refused:
            CliRunner().invoke(app, ["--study", str(path), *command], catch_exceptions=False)
        assert "endpoint = { loglikelihoods = 'echo' }" in str(refused.value)
        assert "choose another part (`mtpa-run benchmarks list`), or ask a local model" in str(refused.value)


def test_every_continuation_is_planned_for_and_reserved(tmp_path: Path) -> None:
    price = {"input": 1.0, "output": 10.0}
    with prepared(study(tmp_path, "http://127.0.0.1:1/v1", price=price)) as ready:
        trials = [each.request for each in ready.crossing.trials(ready.crossing.models[0])]
        found = plan(ready).rows[0]
    sent = [
        sum(len(m["content"].encode()) for m in each.messages) + len(option.encode())
        for each in trials
        for option in each.options
    ]
    assert found.prompt_tokens == pytest.approx(sum(sent) / 4, abs=len(trials))
    assert found.output_tokens_high >= len(sent)
    request = Request(b"", [{"role": "user", "content": "x" * 84}], {}, "loglik", (" yes", " no"))
    identity = ModelIdentity("openai-compatible", "m", "", "", {})
    assert worst_cost(Price(**price), identity, request) == 2 * 100 + 4 + 3 + 10 * 2
