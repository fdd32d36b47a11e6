"""What each backend is sent beside a question whose answer is asked for otherwise than by a letter."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from runner.backends.batches.gemini_jobs import GeminiBatches
from runner.backends.batches.openai_jobs import OpenAIBatches
from runner.backends.catalogue.answer_forms import parameters_for, without_schema
from runner.backends.gemini import GeminiBackend
from runner.backends.request import Request
from runner.study.sections import ModelSection
from scoring.answers.items import Item

ITEM = Item("t/1", "t", "1", "Which?", ("one", "two", "three"), "g", elicitation="json")
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["A", "B", "C"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}


@pytest.mark.parametrize(
    ("backend", "before", "after"),
    [
        ("openai", {"max_completion_tokens": 3}, {"max_completion_tokens": 32, "response_format": FORMAT}),
        ("openai-compatible", {"max_tokens": 99}, {"max_tokens": 99, "response_format": FORMAT}),
        ("local", {}, {"max_tokens": 32, "response_format": FORMAT}),
        ("gemini", {"max_output_tokens": 3, "response_logprobs": True},
         {"max_output_tokens": 32, "response_mime_type": "application/json", "response_json_schema": SCHEMA}),
        ("anthropic", {"max_tokens": 3, "output_config": {"effort": "low"}},
         {"max_tokens": 32, "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}}),
    ],
)  # fmt: skip
def test_a_schema_is_sent_as_each_provider_has_it(backend: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    assert parameters_for(backend, before, ITEM) == after
    assert parameters_for(backend, before, replace(ITEM, elicitation="letter")) is before


def test_an_answer_has_the_room_that_its_form_takes() -> None:
    rooms = {
        "text": 32 + 5 // 2,
        "probability": 32 + 3 * 16,
        "reasoning": 400,
    }
    for elicitation, room in rooms.items():
        item = replace(ITEM, elicitation=elicitation, room=400 if elicitation == "reasoning" else None)  # type: ignore[arg-type]
        assert parameters_for("openai", {"max_tokens": 3}, item) == {"max_tokens": room}
        assert parameters_for("openai", {}, item) == {}


def test_one_client_keeps_a_schema_to_the_requests_that_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    section = ModelSection(name="m", backend="gemini", id="gemini-2.5-flash", answer="text", decoding={})
    message = [{"role": "user", "content": "Which?"}]
    plain, formed = (
        Request(b"k", message, parameters_for("gemini", {}, replace(ITEM, elicitation=each)), "text", ())
        for each in ("letter", "json")
    )
    live = GeminiBackend(section, lambda headers: None)
    configs = [live.config(each) for each in (plain, formed, plain)]
    assert [each.response_json_schema for each in configs] == [None, SCHEMA, None]
    (line,) = GeminiBatches(section).line(formed).splitlines()
    body = json.loads(line)["request"]["generationConfig"]
    assert body == {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
    asyncio.run(live.close())
    openai = ModelSection(name="m", backend="openai", id="gpt-4o", answer="text", decoding={})
    request = formed._replace(parameters=parameters_for("openai", {}, ITEM))
    assert json.loads(OpenAIBatches(openai).line(request))["body"]["response_format"] == FORMAT


@pytest.mark.parametrize(
    ("backend", "name", "able"),
    [
        ("openai", "gpt-4o-mini", True), ("openai", "gpt-4.1", True), ("openai", "gpt-5", True), ("openai", "o3", True),
        ("openai", "gpt-4", False), ("openai", "gpt-4-0613", False), ("openai", "gpt-3.5-turbo", False),
        ("anthropic", "claude-sonnet-4-5", True), ("anthropic", "claude-opus-4-1-20250805", True),
        ("anthropic", "claude-sonnet-4-20250514", False), ("anthropic", "claude-3-5-haiku-latest", False),
        ("gemini", "gemini-2.5-flash", True), ("gemini", "gemini-1.5-pro", False),
    ],
)  # fmt: skip
def test_models_from_before_structured_outputs_are_known(backend: str, name: str, able: bool) -> None:
    decoding = {"max_tokens": 3}
    section = ModelSection.model_validate(
        {"name": "m", "backend": backend, "id": name, "answer": "text", "decoding": decoding}
    )
    assert (without_schema(section) == "") is able
