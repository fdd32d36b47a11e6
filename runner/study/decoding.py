"""What `decoding` of a model may say: the parameters that its backend sends on, and their kinds of value.

The values go to the endpoint as they are written, and into the key of every answer; nothing here changes them.
"""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from personas.errors import nearest

ALWAYS = {
    "model": "the model is named by id",
    "messages": "the messages are the study's",
    "contents": "the messages are the study's",
    "system": "the system text is [variants] system",
    "system_instruction": "the system text is [variants] system",
    "n": "each request gets one answer; for more, set replicates",
    "best_of": "each request gets one answer; for more, set replicates",
    "candidate_count": "each request gets one answer; for more, set replicates",
    "stream": "answers are never streamed",
    "stream_options": "answers are never streamed",
}
"""Keys that are not the study's to choose, and why."""

IMPORTED = "imported"  # the backend of answers that come from the logs of another tool
MARK = "(imported)"  # what the name of such a model ends in, so that every table says it

LEAST_BUDGET = 1024  # tokens that a model of Anthropic's may think with, where they are bounded

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Parameters(BaseModel):
    """Those that have a bound or a kind of their own; strict: a number in quotes is none."""

    model_config = ConfigDict(strict=True, extra="ignore")
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    top_p: Share | None = None
    min_p: Share | None = None
    top_k: int | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    max_output_tokens: Count | None = None
    presence_penalty: Number | None = None
    frequency_penalty: Number | None = None
    repetition_penalty: Number | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stop_sequences: list[str] | None = None
    logprobs: bool | int | None = None
    top_logprobs: Annotated[int, Field(ge=0)] | None = None
    reasoning_effort: str | None = None
    extra_body: dict[str, Any] | None = None


class _Routing(BaseModel):
    """What OpenRouter's `provider` takes (openrouter.ai/docs/features/provider-routing)."""

    model_config = ConfigDict(strict=True)
    order: list[str] | None = None
    only: list[str] | None = None
    ignore: list[str] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    quantizations: list[str] | None = None
    sort: Any = None
    max_price: dict[str, Any] | None = None
    preferred_min_throughput: Any = None
    preferred_max_latency: Any = None


_CHAT = (
    "temperature top_p max_tokens max_completion_tokens presence_penalty frequency_penalty seed stop logit_bias "
    "logprobs top_logprobs reasoning_effort response_format service_tier verbosity metadata store user "
    "safety_identifier prompt_cache_key prompt_cache_options prompt_cache_retention "
    "modalities prediction moderation extra_body"
)
# vLLM, SGLang, llama.cpp, Ollama, TGI, TensorRT-LLM and routers, beside OpenAI's own
_SERVERS = (
    "top_k min_p top_a typical_p tfs_z repetition_penalty length_penalty no_repeat_ngram_size min_tokens "
    "stop_token_ids ignore_eos include_stop_str_in_output skip_special_tokens spaces_between_special_tokens bad_words "
    "truncate_prompt_tokens add_generation_prompt continue_final_message add_special_tokens chat_template "
    "chat_template_kwargs documents mm_processor_kwargs structured_outputs guided_json guided_regex guided_choice "
    "guided_grammar guided_decoding_backend grammar json_schema regex priority cache_salt return_token_ids "
    "return_tokens_as_token_ids prompt_logprobs allowed_token_ids use_beam_search beam_width separate_reasoning "
    "thinking enable_thinking thinking_budget reasoning thinking_token_budget include_reasoning provider route "
    "transforms models plugins safe_prompt random_seed safety_settings mirostat mirostat_tau mirostat_eta "
    "repeat_penalty repeat_last_n num_ctx num_predict keep_alive options cache_prompt n_probs n_predict n_keep "
    "id_slot samplers dynatemp_range dynatemp_exponent xtc_probability xtc_threshold dry_multiplier "
    "dry_base dry_allowed_length"
)
_GEMINI = (
    "temperature top_p top_k max_tokens max_output_tokens stop_sequences presence_penalty frequency_penalty seed "
    "response_mime_type response_schema response_json_schema response_modalities response_logprobs logprobs "
    "thinking_config safety_settings labels media_resolution service_tier model_selection_config "
    "model_armor_config routing_config enable_enhanced_civic_answers"
)
# what is priced otherwise (speed, inference_geo) is not among them
_ANTHROPIC = "temperature top_p top_k max_tokens stop_sequences thinking output_config metadata service_tier"
_LOCAL = "temperature top_p max_tokens max_completion_tokens seed stop logprobs top_logprobs"

KNOWN: Mapping[str, frozenset[str]] = {
    "openai": frozenset(_CHAT.split()),
    "openai-compatible": frozenset(f"{_CHAT} {_SERVERS}".split()),
    "gemini": frozenset(_GEMINI.split()),
    "anthropic": frozenset(_ANTHROPIC.split()),
    "local": frozenset(_LOCAL.split()),
}


def check_decoding(backend: str, decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for a parameter that the backend cannot send, or not as it is written."""
    for name, value in decoding.items():
        if reason := ALWAYS.get(name):
            raise ValueError(f"{name}: {reason}; leave it out")
        if backend != IMPORTED and name not in KNOWN[backend]:  # a log may say anything
            raise ValueError(f"{name}: unknown parameter; {_remedy(backend, name)}")
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError(f"{name}: {value!r:.40} cannot be sent; write a number or a text") from None
    try:
        _Parameters.model_validate(dict(decoding))
    except ValidationError as error:
        detail = error.errors()[0]
        message = detail["msg"].removeprefix("Value error, ")
        raise ValueError(f"{detail['loc'][0]}: {message[0].lower()}{message[1:]}") from None
    inside = [name for name in decoding.get("extra_body") or () if name in ALWAYS]
    if inside:
        raise ValueError(f"extra_body.{inside[0]}: {ALWAYS[inside[0]]}; leave it out")


def check_asked(backend: str, name: str, answer: str, decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for what no model of this backend can be asked."""
    if backend == "anthropic":
        check_claude(answer, decoding)
    if backend == IMPORTED and not name.endswith(MARK):
        raise ValueError(f'answers from logs are told apart by the name; call it "{name} {MARK}"')
    if backend == IMPORTED and answer != "text":
        raise ValueError("logs hold texts and log-likelihoods, no letter probabilities; set answer = 'text'")


def check_claude(answer: str, decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for what no model of Anthropic's is asked."""
    if answer == "probabilities":
        raise ValueError("Claude shows no log-probabilities, which answer = 'probabilities' needs; set answer = 'text'")
    most = decoding.get("max_tokens")
    if most is None:
        raise ValueError("Anthropic's API needs the most tokens of an answer; set decoding.max_tokens")
    thinking = decoding.get("thinking")
    if thinking is None:
        return
    if not isinstance(thinking, Mapping) or not isinstance(thinking.get("type"), str):
        raise ValueError("decoding.thinking is a table, such as { type = 'adaptive' } or { type = 'disabled' }")
    if thinking["type"] == "enabled":  # anthropic.types.ThinkingConfigEnabledParam has the bounds
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or not LEAST_BUDGET <= budget < most:
            raise ValueError(
                f"decoding.thinking: type = 'enabled' needs budget_tokens of {LEAST_BUDGET} or more, and a greater "
                "decoding.max_tokens"
            )


def check_routing(hosts: Sequence[str], decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for routing that OpenRouter would pass over unsaid: which provider answers is
    part of what is asked, so a misspelt rule must not be no rule."""
    if not any(f".{host}".endswith(".openrouter.ai") for host in hosts):
        return
    routing = decoding.get("provider", (decoding.get("extra_body") or {}).get("provider"))
    if routing is None:
        return
    if not isinstance(routing, Mapping):
        raise ValueError("decoding.provider is a table, such as { order = ['deepinfra'], allow_fallbacks = false }")
    for name in routing:
        if name not in _Routing.model_fields:
            raise ValueError(f"decoding.provider.{name}: unknown field; {nearest(name, list(_Routing.model_fields))}")
    try:
        _Routing.model_validate(dict(routing))
    except ValidationError as error:
        detail = error.errors()[0]
        message = detail["msg"]
        raise ValueError(f"decoding.provider.{detail['loc'][0]}: {message[0].lower()}{message[1:]}") from None


def _remedy(backend: str, name: str) -> str:
    if "extra_body" not in KNOWN[backend]:
        return nearest(name, KNOWN[backend])
    close = get_close_matches(name, sorted(KNOWN[backend]), n=1)
    meant = f"did you mean {close[0]!r}? If" if close else "if"
    return f"{meant} it is this endpoint's own, write extra_body = {{ {name} = … }}"
