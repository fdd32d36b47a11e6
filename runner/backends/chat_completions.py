"""The chat-completions format: the body that is sent, and what is read from the one that comes back."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner.backends.base import Answer
from runner.backends.errors import ModelUnavailable, Transient
from runner.backends.replies.alternatives import MOST, Alternatives, first_token
from runner.backends.replies.endings import ending
from runner.backends.replies.provider_errors import error_in
from runner.backends.replies.usage import chat_usage
from runner.backends.request import Request, Usage, without_surrogates
from scoring.answers.responses import Response

TEXT_PARTS = ("text", "output_text")


def body(model: str, request: Request, top: int = MOST) -> dict[str, Any]:
    """The JSON body of a request; `top` alternatives are asked for, unless the study says how many.

    Some servers stream unless asked not to.
    """
    found = {"model": model, "messages": list(request.messages), "stream": False, **request.parameters}
    if request.kind == "letters":
        found = {"top_logprobs": top} | found | {"logprobs": True}
    return found


def read(reply: Mapping[str, Any], request: Request, latency_ms: int) -> Answer:
    """The answer in a reply. Raises BackendError where it has none."""
    if (error := error_in(reply)) is not None:
        raise error
    usage = Usage(latency_ms=latency_ms)
    try:
        choice = reply["choices"][0]
        usage = chat_usage(reply.get("usage"), True, latency_ms)
        finish = ending(_reason(choice), usage, _error_text(choice.get("error")))
        text, refusal = spoken(choice["message"])
        if not (text or refusal):
            usage = chat_usage(reply.get("usage"), False, latency_ms)
        served = without_surrogates(str(reply.get("model") or ""))
        shown = first_token(choice.get("logprobs")) if request.kind == "letters" else None
    except ModelUnavailable as unreadable:
        unreadable.usage = usage if usage.known else None
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
        said = "the endpoint streams, which it is asked not to" if _streams(reply) else f"no answer in it ({error!r})"
        found = Transient("no answer", f"200, but {said}", charged=True)
        found.usage = usage if usage.known else None
        raise found from None
    if refusal:
        text, finish = refusal, "content_filter"
    response = Response(text=text, finish=finish)
    return Answer(with_letters(response, shown, request) if request.kind == "letters" else response, usage, served)


def with_letters(response: Response, shown: Alternatives | None, request: Request) -> Response:
    """The response with the letters' log-probabilities; none of them where the endpoint shows no alternatives."""
    if shown is None:
        return replace(response, letter_logprobs=())
    letters = shown.letters(request.options)
    ceiling = shown.ceiling if -math.inf in letters else None
    return replace(response, letter_logprobs=letters, ceiling=ceiling, likeliest=shown.likeliest)


def spoken(message: Mapping[str, Any]) -> tuple[str | None, str]:
    """What a message says, and what it says instead of an answer.

    The content is a text, or a list of parts of which some are thoughts. What a model thought, there or beside the
    content, is no answer. Raises ValueError for a content that is neither.
    """
    content, refusal = message.get("content"), message.get("refusal") or ""
    if content is None or isinstance(content, str):
        return content, str(refusal)
    parts = content if isinstance(content, list) else [content]
    said, declined = [], [str(refusal)]
    for part in parts:
        kind, text = ("text", part) if isinstance(part, str) else (part.get("type", "text"), part.get("text"))
        if kind in TEXT_PARTS:
            if not isinstance(text, str):
                raise ValueError("a part of the content is not text")
            said.append(text)
        elif kind == "refusal":
            declined.append(str(part.get("refusal") or ""))
    return "".join(said) if said else None, "".join(declined)


def _streams(reply: Mapping[str, Any]) -> bool:
    return str(reply.get("object")).endswith(".chunk")


def _reason(choice: Mapping[str, Any]) -> str:
    """Why a choice ended, as the endpoint names it; "" where it does not."""
    return "error" if choice.get("error") else str(choice.get("finish_reason") or "")


def _error_text(error: Any) -> str:
    """What a choice says of what went wrong with it."""
    return str((error.get("message") if isinstance(error, Mapping) else error) or "")
