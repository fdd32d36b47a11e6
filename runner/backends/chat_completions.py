"""The chat-completions format: the body that is sent, and what is read from the one that comes back."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from runner.backends.base import Answer
from runner.backends.errors import Transient
from runner.backends.request import Request, Usage, without_surrogates
from scoring.answers.responses import Response

TOP_LOGPROBS = 20
MOST_TOKENS = 1 << 31


def body(model: str, request: Request) -> dict[str, Any]:
    """The JSON body of a request."""
    found = {"model": model, "messages": list(request.messages), **request.parameters}
    if request.kind == "letters":
        found |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
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
        logprobs = letter_logprobs(_shown(choice), request.options) if request.kind == "letters" else None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise Transient("no answer", f"200, but no answer in it ({error!r})", charged=True) from None
    if refusal:
        text, finish = str(refusal), "content_filter"
    if text is not None and not isinstance(text, str):
        raise Transient("no answer", "200, but the content is not text", charged=True)
    return Answer(Response(text=text, letter_logprobs=logprobs, finish=finish), usage, served)


def letter_logprobs(shown: Sequence[tuple[str, float]], letters: Sequence[str]) -> tuple[float, ...] | None:
    """The log-probability of each letter, its spellings ("A", " A") summed (natural log).

    A letter that is not among the tokens shown is -inf. None where no letter is shown.
    """
    masses = dict.fromkeys(letters, 0.0)
    for token, logprob in shown:
        if (letter := token.strip()) in masses:
            masses[letter] += math.exp(logprob)
    if not any(masses.values()):
        return None
    return tuple(math.log(mass) if mass else -math.inf for mass in masses.values())


def _shown(choice: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The likeliest first tokens with their log-probabilities; empty where the endpoint gives none."""
    content = (choice.get("logprobs") or {}).get("content") or []
    if not content:
        return []
    return [(str(each["token"]), float(each["logprob"])) for each in content[0].get("top_logprobs") or []]


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
