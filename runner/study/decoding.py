"""What `decoding` of a model may say: the parameters that its backend sends on, and their kinds of value.

The values go to the endpoint as they are written, and into the key of every answer; nothing here changes them.
"""

import json
from collections.abc import Mapping, Sequence, Set
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from personas.errors import nearest
from runner.study.backend_kinds import backend_kind

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


def check_decoding(backend: str, decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for a parameter that the backend cannot send, or not as it is written."""
    known = backend_kind(backend).decoding
    for name, value in decoding.items():
        if reason := ALWAYS.get(name):
            raise ValueError(f"{name}: {reason}; leave it out")
        if known is not None and name not in known:
            raise ValueError(f"{name}: unknown parameter; {_remedy(known, name)}")
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


def check_routing(hosts: Sequence[str], decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for routing that OpenRouter would silently ignore.

    Which provider answers is part of what is asked, so a misspelled rule must not be no rule.
    """
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


def _remedy(known: Set[str], name: str) -> str:
    if "extra_body" not in known:
        return nearest(name, known)
    close = get_close_matches(name, sorted(known), n=1)
    meant = f"did you mean {close[0]!r}? If" if close else "if"
    return f"{meant} it is this endpoint's own, write extra_body = {{ {name} = … }}"
