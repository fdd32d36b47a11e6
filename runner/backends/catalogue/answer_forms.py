"""What a request needs where its answer is not a letter: room, and a JSON schema.

The schema is sent where the endpoint can hold a model to one.
"""

import re
from collections.abc import Mapping
from typing import Any

from runner.backends.catalogue.parameters import LENGTHS
from runner.study.sections import ModelSection
from scoring.answers.elicited import KEY
from scoring.answers.items import LETTERS, Item

# what belongs to letter probabilities alone
_PROBABILITIES = frozenset({"logprobs", "top_logprobs", "response_logprobs"})
# Models from before their provider's structured outputs: OpenAI's since gpt-4o-2024-08-06, Anthropic's since Claude
# Opus 4.1 and Sonnet 4.5, Gemini's schemas since 2.0.
_NO_SCHEMA = {
    "openai": r"gpt-3|gpt-4(?![.o\d])|gpt-4o-2024-05-13|chatgpt-4o|o1-(?:mini|preview)",
    "anthropic": r"claude-(?:\d|v\d|instant|(?:opus|sonnet)-4(?:-0|-2025\d{4})?$)",
    "gemini": r"(?:models/)?(?:gemini-1|gemma)",
}


def parameters_for(backend: str, parameters: Mapping[str, Any], item: Item) -> Mapping[str, Any]:
    """The parameters of a model as they are sent with this item; the same where a letter is asked for."""
    if item.elicitation == "letter":
        return parameters
    found = {name: value for name, value in parameters.items() if name not in _PROBABILITIES}
    bound = next((name for name in LENGTHS if name in found), "max_tokens" if backend == "local" else None)
    if bound is not None:
        found[bound] = max(found.get(bound, 0), answer_room(item))
    return _with_schema(backend, found, item) if item.elicitation == "json" else found


def answer_room(item: Item) -> int:
    """How many tokens an answer of the form may take, generously.

    A token for two bytes of the longest option, sixteen for each option's probability; for reasoning, what the study
    allows.
    """
    if item.elicitation == "text":
        return 32 + max(len(choice.encode()) for choice in item.choices) // 2
    if item.elicitation == "probability":
        return 32 + 16 * len(item.choices)
    return item.room or 32


def schema(item: Item) -> dict[str, Any]:
    """The JSON schema of an answer: one key, whose value is the letter of an option."""
    letters = list(LETTERS[: len(item.choices)])
    return {
        "type": "object",
        "properties": {KEY: {"type": "string", "enum": letters}},
        "required": [KEY],
        "additionalProperties": False,
    }


def without_schema(section: ModelSection) -> str:
    """Why a model cannot be kept to a JSON schema, as far as is known; "" where it can."""
    old = _NO_SCHEMA.get(section.backend)
    if old is None or not re.match(old, section.id):
        return ""
    return (
        f"model {section.name!r}: {section.id} has no structured outputs, which elicitation = 'json' needs; leave "
        "'json' out of [variants] elicitation, or name a newer model"
    )


def _with_schema(backend: str, parameters: Mapping[str, Any], item: Item) -> dict[str, Any]:
    if backend == "gemini":
        return {**parameters, "response_mime_type": "application/json", "response_json_schema": schema(item)}
    if backend == "anthropic":
        config = parameters.get("output_config") or {}
        return {**parameters, "output_config": {**config, "format": {"type": "json_schema", "schema": schema(item)}}}
    form = {"name": KEY, "strict": True, "schema": schema(item)}
    return {**parameters, "response_format": {"type": "json_schema", "json_schema": form}}
