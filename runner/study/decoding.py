"""What `decoding` of a model may say: the parameters that its backend sends on, and their kinds of value.

The values go to the endpoint as they are written, and into the key of every answer; nothing here changes them.
"""

import json
from collections.abc import Mapping, Set
from difflib import get_close_matches
from typing import Annotated, Any

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


def check_decoding(backend: str, decoding: Mapping[str, Any]) -> None:
    """Raises ValueError, in a sentence, for a parameter that the backend cannot send, or not as it is written."""
    known = backend_kind(backend).decoding
    for name, value in decoding.items():
        if reason := ALWAYS.get(name):
            raise ValueError(f"{name}: {reason}; leave it out")
        if name not in known:
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


def _remedy(known: Set[str], name: str) -> str:
    if "extra_body" not in known:
        return nearest(name, known)
    close = get_close_matches(name, sorted(known), n=1)
    meant = f"did you mean {close[0]!r}? If" if close else "if"
    return f"{meant} it is this endpoint's own, write extra_body = {{ {name} = … }}"
