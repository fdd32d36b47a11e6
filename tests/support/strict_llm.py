"""A FakeLLM that refuses what real models refuse, each rule with its source."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from anthropic.types import OutputConfigParam, message_create_params
from fake_llm import FakeLLM
from google.genai import types
from openai.types.chat import completion_create_params
from openai.types.shared import reasoning_effort

Rule = Callable[[Mapping[str, Any]], str | None]
EFFORTS = frozenset(reasoning_effort.ReasoningEffort.__args__[0].__args__)  # type: ignore[attr-defined]
CHAT = frozenset(completion_create_params.CompletionCreateParamsBase.__annotations__)
_CREATE = message_create_params.MessageCreateParamsBase.__annotations__
MESSAGES = frozenset(_CREATE) | {"stream"}
REQUIRED = [name for name, kind in _CREATE.items() if "Required[" in str(kind)]
SAMPLING = ("temperature", "top_p", "top_k")
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


def gpt_5_4(body: Mapping[str, Any]) -> str | None:
    """GPT-5.1 to 5.6: temperature, top_p and logprobs only with an effort of "none"; max_tokens is refused
    (fish2018/YPrompt#26, multica-ai/multica#6243). Nobody says that stop is."""
    return gpt_6({name: value for name, value in body.items() if name != "stop"})


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


def claude_haiku_4_5(body: Mapping[str, Any]) -> str | None:
    """Claude Haiku 4.5, and Claude up to 4.6: temperature or top_p, not both (browseros-ai/BrowserOS#208), and with
    thoughts neither (dotCipher/opencode-claude-bridge#1); no adaptive thinking for Haiku 4.5."""
    kind = body.get("thinking", {}).get("type", "disabled")
    if kind == "adaptive":
        return "thinking"
    if kind == "enabled":
        return next((name for name in SAMPLING if name in body), None)
    return "top_p" if "temperature" in body and "top_p" in body else None


def claude_haiku_5_5(body: Mapping[str, Any]) -> str | None:
    """Claude Haiku 5.5: no temperature, top_p or top_k, no budget of thoughts; thinking is turned off at an effort of
    "high" at most (platform.claude.com/docs: What's new in Claude Haiku 5.5, Prompting Claude Haiku 5.5)."""
    kind = body.get("thinking", {}).get("type", "adaptive")
    if kind not in ("adaptive", "disabled"):
        return "thinking"
    if kind == "disabled" and body.get("output_config", {}).get("effort") in ("xhigh", "max"):
        return "output_config"
    return next((name for name in SAMPLING if name in body), None)


def claude_opus_5_5(body: Mapping[str, Any]) -> str | None:
    """Claude Opus 5.5: it always thinks (platform.claude.com/docs: What's new in Claude Opus 5.5)."""
    return "thinking" if body.get("thinking", {}).get("type") == "disabled" else claude_haiku_5_5(body)


def plain(body: Mapping[str, Any]) -> str | None:
    """A server that takes whatever chat completions have."""
    return None


RULES: Mapping[str, Rule] = {
    "gpt-6-luna": gpt_6,
    "gpt-6.1-terra": gpt_6,
    "gpt-5.4-nano": gpt_5_4,
    "gpt-6-astra": gpt_6_astra,
    "gpt-4o": gpt_4o,
    "gemini-3.5-flash-lite": gemini_3,
    "claude-haiku-4-5": claude_haiku_4_5,
    "claude-haiku-5-5": claude_haiku_5_5,
    "claude-opus-5-5": claude_opus_5_5,
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
    if request.path.endswith("/messages"):
        unknown = _no_message(body, request.headers["anthropic-version"])
    elif gemini:
        unknown = next((name for name in body.get("generationConfig", {}) if name not in GENERATION), None)
    else:
        unknown = "reasoning_effort" if body.get("reasoning_effort", "none") not in EFFORTS else None
    name = unknown or RULES.get(model, plain)(body)
    if name == "logprobs" and "/publishers/google/" in request.path:
        name = None  # through Vertex AI, Gemini shows them
    if name is None:
        return None
    assert isinstance(server, StrictLLM)
    server.refused.append(name)
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    error = {"message": message, "type": "invalid_request_error", "param": name, "code": "unsupported_parameter"}
    return web.json_response({"error": error}, status=400)


def _no_message(body: Mapping[str, Any], version: str) -> str | None:
    """What the Messages API refuses whoever is asked: parameters that the SDK's types do not have (the sampling ones
    are the version before's, platform.claude.com/docs/en/api/versioning), a missing one that they require, a bound of
    thoughts that is none (anthropic.types.ThinkingConfigEnabledParam), an unknown output (OutputConfigParam)."""
    known = MESSAGES | (frozenset(SAMPLING) if version == "2023-06-01" else frozenset())
    if wrong := next((name for name in body if name not in known), None):
        return wrong
    if missing := next((name for name in REQUIRED if name not in body), None):
        return missing
    thinking = body.get("thinking", {})
    if thinking.get("type") == "enabled" and not 1024 <= thinking.get("budget_tokens", 0) < body["max_tokens"]:
        return "thinking"
    wrong_role = any(message["role"] not in ("user", "assistant") for message in body["messages"])
    unknown = [name for name in body.get("output_config", {}) if name not in OutputConfigParam.__annotations__]
    return "messages" if wrong_role else "output_config" if unknown else None
