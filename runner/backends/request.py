"""What is sent for a trial, and the key that it is known by."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

SCHEMA = 1
METHOD = "2"  # of local models: one beginning of text, letters as they follow the prompt, the harness's log-likelihoods
AnswerKind = Literal["text", "letters", "loglik"]
Message = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer used: tokens, and the milliseconds it took. A count that nobody named is None: absent is not zero.

    Reasoning tokens are among the completion's; tokens read from the provider's cache, and those written to it, are
    among the prompt's.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    latency_ms: int = 0
    written_tokens: int = 0

    @property
    def known(self) -> bool:
        """Whether a cost can be computed from it."""
        return self.prompt_tokens is not None and self.completion_tokens is not None

    @property
    def total(self) -> int | None:
        """Tokens of prompt and answer; None where either is not known."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


NOTHING_USED = Usage(0, 0)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What of a model is part of the key; `parameters` are the decoding parameters as sent.

    `methods` names, for the kinds of answers that this code computes otherwise for the same messages than the first
    version did, how: answers of two methods have different keys.
    """

    provider: str
    model: str
    revision: str
    dtype: str
    parameters: Mapping[str, Any]
    methods: Mapping[AnswerKind, str] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        """The identity as the key has it; what is empty is left out."""
        named = {"provider": self.provider, "model": self.model, "revision": self.revision, "dtype": self.dtype}
        return {name: value for name, value in named.items() if value} | {"parameters": dict(self.parameters)}


class Request(NamedTuple):
    """One request.

    `options` are the letters, or the continuations whose log-likelihood is asked for; `shared` is the text of the
    persona, with which other requests begin too: it is in the messages, and no part of the key by itself.
    """

    key: bytes
    messages: Sequence[Message]
    parameters: Mapping[str, Any]
    kind: AnswerKind
    options: tuple[str, ...]
    shared: str = ""


_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no spaces, no escapes beyond JSON's own, no NaN."""
    return _encoder.encode(value).encode("utf-8", "surrogatepass")


def digest(value: Any) -> bytes:
    """sha256 of the canonical JSON (32 bytes)."""
    return hashlib.sha256(canonical(value)).digest()


def key_fields(
    identity: Mapping[str, Any],
    messages: Sequence[Message],
    kind: AnswerKind,
    options: Sequence[str],
    replicate: int,
    method: str = "",
) -> dict[str, Any]:
    """Everything that an answer depends on, and nothing else.

    `identity` is `ModelIdentity.fields()`, `method` the entry of `ModelIdentity.methods` for this kind of answer.
    """
    return {
        **identity,
        **({"method": method} if method else {}),
        "schema": SCHEMA,
        "messages": list(messages),
        "answer": {"kind": kind, "options": list(options)},
        "replicate": replicate,
    }


def without_surrogates(text: str) -> str:
    """The text with U+FFFD in the place of each half; whole pairs become the character that they stand for."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
