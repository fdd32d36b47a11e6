"""The table of families: what is sent of what the study says, and what files from before keep."""

import json
from pathlib import Path
from typing import Any

import pytest
from strict_llm import RULES, StrictLLM
from studies import load, model, rows

from runner.backends.catalogue.parameters import adapted, dropped, without_probabilities
from runner.crossing import prepare
from runner.engine.run import run
from runner.study.sections import ModelSection

FREE = {"input": 0.0, "output": 0.0}
SHORT = {"temperature": 0.7, "max_tokens": 3}
STILL = {**SHORT, "reasoning_effort": "none"}


def section(backend: str, name: str, decoding: dict[str, Any], answer: str = "text") -> ModelSection:
    table = {"name": "m", "backend": backend, "id": name, "decoding": decoding, "answer": answer}
    return ModelSection.model_validate({**table, "base_urls": ["http://x"]})


@pytest.mark.parametrize(
    ("backend", "name", "decoding", "sent"),
    [
        ("openai", "gpt-4o-mini", SHORT, SHORT),
        ("openai", "gpt-5-mini", SHORT, {"max_completion_tokens": 2048}),
        ("openai", "gpt-5-mini", STILL, {"max_completion_tokens": 2048, "reasoning_effort": "none"}),
        ("openai", "o4-mini", {"max_tokens": 9000}, {"max_completion_tokens": 9000}),
        ("openai", "gpt-5.4-nano", SHORT, {"max_completion_tokens": 2048}),
        (
            "openai",
            "gpt-5.4-nano",
            STILL,
            {"temperature": 0.7, "max_completion_tokens": 3, "reasoning_effort": "none"},
        ),
        ("openai", "gpt-6-luna", {**SHORT, "stop": ["."]}, {"max_completion_tokens": 2048}),
        ("openai", "gpt-7", STILL, {"temperature": 0.7, "max_completion_tokens": 3, "reasoning_effort": "none"}),
        ("gemini", "gemini-2.0-flash", SHORT, {"temperature": 0.7, "max_output_tokens": 3}),
        ("gemini", "gemini-2.5-pro", {"max_tokens": 3}, {"max_output_tokens": 2048}),
        (
            "gemini",
            "gemini-2.5-flash",
            {"max_tokens": 3, "thinking_config": {"thinking_budget": 0}},
            {"max_output_tokens": 3, "thinking_config": {"thinking_budget": 0}},
        ),
        ("gemini", "gemini-flash-latest", {"max_tokens": 3}, {"max_output_tokens": 2048}),
        ("openai-compatible", "gpt-5", SHORT, SHORT),
    ],
)
def test_parameters_are_adapted_to_the_family(
    backend: str, name: str, decoding: dict[str, Any], sent: dict[str, Any]
) -> None:
    parameters, remarks = adapted(section(backend, name, decoding))
    assert parameters == sent
    assert bool(remarks) == (sorted(decoding.values(), key=str) != sorted(sent.values(), key=str))


def test_probabilities_that_a_model_does_not_show_are_told_before_they_are_asked_for() -> None:
    (remark,) = without_probabilities(section("openai", "gpt-6-luna", {"max_tokens": 4000}, "probabilities"))
    assert "no log-probabilities unless reasoning_effort = 'none'" in remark
    assert without_probabilities(section("openai", "gpt-6-luna", {"reasoning_effort": "none"}, "probabilities")) == []


def test_only_sampling_parameters_need_to_be_agreed_about() -> None:
    asked = section("openai", "gpt-6-astra", {**SHORT, "stop": ["."]})
    assert dropped(asked) == ["temperature"]
    assert dropped(asked.model_copy(update={"allow_dropped": ("temperature",)})) == []


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not name.startswith("gemini")])
@pytest.mark.parametrize("decoding", [SHORT, STILL, {**SHORT, "stop": ["."], "top_p": 0.5}])
def test_nothing_is_sent_that_the_model_refuses(name: str, decoding: dict[str, Any]) -> None:
    refused = RULES[name](adapted(section("openai", name, decoding))[0])
    named = decoding.get("reasoning_effort") == "none" and name in ("gpt-6-astra", "gpt-4o")
    assert refused == ("reasoning_effort" if named else None)  # the study's own, which the endpoint answers itself


async def test_a_file_from_before_keeps_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with StrictLLM() as server:
        study = load(
            tmp_path, [model(server.url, backend="openai", id="gpt-5.4-nano", price=FREE, decoding=STILL)], n=1
        )
        with monkeypatch.context() as before:
            before.setattr(prepare, "adapted", lambda section, before=False: adapted(section, before=True))
            await run(study, limit=3)
        sent = server.requests
        state = await run(study, limit=3)
    assert (server.requests, state.total("hits")) == (sent, 3)
    ((parameters,),) = rows(tmp_path, "SELECT parameters FROM model")
    assert json.loads(parameters) == {"max_completion_tokens": 2048, "reasoning_effort": "none"}
