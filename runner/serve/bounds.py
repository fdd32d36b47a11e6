"""How much one request may ask: said before anything is tokenised, because that takes time and memory by itself."""

from collections.abc import Iterator, Mapping
from typing import Any

MOST_BYTES_A_TOKEN = 32  # of a prompt that still may fit: tokens are shorter, but for runs of spaces
LEAST_BYTES = 1 << 16
MOST: Mapping[str, int] = {
    "messages": 256,
    "choices": 256,
    "continuations": 256,
    "stop": 16,
    "input": 2048,
    "prompt": 256,
}
LONGEST_STOP = 256  # characters


class TooMuch(ValueError):
    """More than one request may ask."""


def refuse_too_much(body: Mapping[str, Any], context: int) -> int:
    """The bytes of the texts in a body, for a model that reads `context` tokens. Raises TooMuch, in a clause."""
    for name, most in MOST.items():
        if isinstance(body.get(name), list) and len(body[name]) > most and not _is_tokens(name, body[name]):
            raise TooMuch(f"{name} has {len(body[name]):,} entries; {most:,} are the most")
    stop = body.get("stop")
    for each in [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else ():
        if isinstance(each, str) and len(each) > LONGEST_STOP:
            raise TooMuch(f"a stop string has {len(each):,} characters; {LONGEST_STOP} are the most")
    total = 0
    for name in MOST:
        most = max(LEAST_BYTES, MOST_BYTES_A_TOKEN * context)
        texts = list(_texts(body.get(name)))
        total += sum(texts)
        if (name not in ("input", "prompt") and sum(texts) > most) or max(texts, default=0) > most:
            raise TooMuch(f"{name} has {sum(texts):,} bytes of text; this model reads at most {context:,} tokens")
    return total


def _is_tokens(name: str, value: list[Any]) -> bool:
    """Whether it is a prompt by its token ids, which the model's context bounds."""
    return name == "prompt" and isinstance(value[0], int)


def _texts(value: Any, depth: int = 8) -> Iterator[int]:
    """The bytes of every text in a value; a character may take four."""
    if isinstance(value, str):
        yield len(value.encode("utf-8", "replace"))
    elif isinstance(value, dict | list):
        if not depth:
            raise TooMuch("the body is nested too deeply")
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth - 1)
