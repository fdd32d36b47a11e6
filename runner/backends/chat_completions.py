"""The chat-completions format: the body that is sent, and what is read from the one that comes back."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.backends.alternatives import MOST, Alternatives, first_token
from runner.backends.base import Answer
from runner.backends.errors import Transient
from runner.backends.request import Request, Usage, without_surrogates
from scoring.answers.responses import Response

MOST_TOKENS = 1 << 31


def body(model: str, request: Request, top: int = MOST) -> dict[str, Any]:
    """The JSON body of a request; `top` alternatives are asked for, unless the study says how many."""
    found = {"model": model, "messages": list(request.messages), **request.parameters}
    if request.kind == "letters":
        found = {"top_logprobs": top} | found | {"logprobs": True}
    return found


def read(reply: Mapping[str, Any], request: Request, latency_ms: int) -> Answer:
    """The answer in a reply. Raises Transient where it has none."""
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        finish = str(choice.get("finish_reason") or "stop")
        served = without_surrogates(str(reply.get("model") or ""))
        usage = _usage(reply.get("usage") or {}, latency_ms)
        shown = first_token(choice.get("logprobs")) if request.kind == "letters" else None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise Transient("no answer", f"200, but no answer in it ({error!r})", charged=True) from None
    if refusal:
        text, finish = str(refusal), "content_filter"
    if text is not None and not isinstance(text, str):
        raise Transient("no answer", "200, but the content is not text", charged=True)
    response = Response(text=text, finish=finish)
    return Answer(with_letters(response, shown, request) if request.kind == "letters" else response, usage, served)


def with_letters(response: Response, shown: Alternatives | None, request: Request) -> Response:
    """The response with the letters' log-probabilities; none of them where the endpoint shows no alternatives."""
    if shown is None:
        return replace(response, letter_logprobs=())
    letters = shown.letters(request.options)
    ceiling = shown.ceiling if -math.inf in letters else None
    return replace(response, letter_logprobs=letters, ceiling=ceiling, likeliest=shown.likeliest)


def _usage(usage: Mapping[str, Any], latency_ms: int) -> Usage:
    prompt, completion = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        reasoning_tokens=_count(completion.get("reasoning_tokens")),
        cached_tokens=_count(prompt.get("cached_tokens")),
        latency_ms=latency_ms,
    )


def _count(value: Any) -> int:
    """A count of tokens. Raises ValueError for one that no answer has."""
    count = int(value or 0)
    if not 0 <= count < MOST_TOKENS:
        raise ValueError(f"{count} tokens")
    return count
