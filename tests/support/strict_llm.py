"""A FakeLLM that refuses what real models refuse, each rule with its source."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from fake_llm import FakeLLM
from google.genai import types
from openai.types.chat import completion_create_params
from openai.types.shared import reasoning_effort

Rule = Callable[[Mapping[str, Any]], str | None]
EFFORTS = frozenset(reasoning_effort.ReasoningEffort.__args__[0].__args__)  # type: ignore[attr-defined]
CHAT = frozenset(completion_create_params.CompletionCreateParamsBase.__annotations__)
GENERATION = {each.alias or name for name, each in types.GenerateContentConfig.model_fields.items()}


def gpt_6(body: Mapping[str, Any]) -> str | None:
    """GPT-6 luna and terra: max_tokens is refused ("Use 'max_completion_tokens' instead", as for all reasoning models);
    stop, any temperature but 1, top_p and logprobs are refused unless the effort is "none" (bolna-ai/bolna#1019,
    BerriAI/litellm#39631, measured against the API; OpenAI's deployment check-list)."""
    if "max_tokens" in body:
        return "max_tokens"
    if body.get("reasoning_effort") != "none":
        refused = ("temperature", "top_p", "logprobs", "top_logprobs", "stop")
        return next((name for name in refused if name in body and body[name] != 1), None)
    return "top_logprobs" if body.get("top_logprobs", 0) > 20 else None  # "between 0 and 20": the SDK's own type


def gpt_6_astra(body: Mapping[str, Any]) -> str | None:
    """GPT-6 astra and 6.1-sol: the same, and no effort of "none" (bolna-ai/bolna#1019)."""
    return "reasoning_effort" if body.get("reasoning_effort") in ("none", "minimal") else gpt_6(body)


def gpt_4o(body: Mapping[str, Any]) -> str | None:
    """Models that do not think take no effort."""
    return "reasoning_effort" if "reasoning_effort" in body else None


def gemini_3(body: Mapping[str, Any]) -> str | None:
    """Gemini 3: no log-probabilities but through Vertex; a level or a budget of thoughts, not both
    (ai.google.dev/gemini-api/docs/thinking); levels are those of the SDK's enumeration."""
    settings = body.get("generationConfig", {})
    thinking = settings.get("thinkingConfig", {})
    if settings.get("responseLogprobs") or "logprobs" in settings:
        return "logprobs"
    if "thinkingLevel" in thinking and "thinkingBudget" in thinking:
        return "thinkingBudget"
    level = thinking.get("thinkingLevel", "LOW").upper()
    return None if level in types.ThinkingLevel.__members__ else "thinkingLevel"


def plain(body: Mapping[str, Any]) -> str | None:
    """A server that takes whatever chat completions have."""
    return None


RULES: Mapping[str, Rule] = {
    "gpt-6-luna": gpt_6,
    "gpt-6.1-terra": gpt_6,
    "gpt-5.4-nano": gpt_6,
    "gpt-6-astra": gpt_6_astra,
    "gpt-4o": gpt_4o,
    "gemini-3.5-flash-lite": gemini_3,
}


class StrictLLM(FakeLLM):
    """Refuses as the model named in the request does; `refused` are the parameters that were."""

    def __init__(self) -> None:
        super().__init__(misbehave=_refuse)
        self.refused: list[str] = []


async def _refuse(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
    body = json.loads(raw)
    gemini = "generateContent" in request.path
    model = request.path.rpartition("/")[2].partition(":")[0] if gemini else str(body["model"])
    server.model = model
    if gemini:
        unknown = next((name for name in body.get("generationConfig", {}) if name not in GENERATION), None)
    else:
        unknown = "reasoning_effort" if body.get("reasoning_effort", "none") not in EFFORTS else None
    name = unknown or RULES.get(model, plain)(body)
    if name is None:
        return None
    assert isinstance(server, StrictLLM)
    server.refused.append(name)
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    error = {"message": message, "type": "invalid_request_error", "param": name, "code": "unsupported_parameter"}
    return web.json_response({"error": error}, status=400)
