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
    for name in MOST:
        if isinstance(value := body.get(name), list):
            _refuse_many(name, value, context)
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


def _refuse_many(name: str, entries: list[Any], context: int) -> None:
    """Raises TooMuch for a list of too many entries; a prompt may be the tokens themselves, or a list of such."""
    is_tokens = name == "prompt" and isinstance(next(iter(entries), None), int)
    most = context if is_tokens else MOST[name]
    if len(entries) > most:
        raise TooMuch(f"{name} has {len(entries):,} {'tokens' if is_tokens else 'entries'}; {most:,} are the most")
    if any(isinstance(each, list) and len(each) > context for each in entries):
        raise TooMuch(f"{name} has an entry of more than the {context:,} tokens that this model reads")


def _texts(value: Any, depth: int = 8) -> Iterator[int]:
    """The bytes of every text in a value; a character may take four."""
    if isinstance(value, str):
        yield len(value.encode("utf-8", "replace"))
    elif isinstance(value, dict | list):
        if not depth:
            raise TooMuch("the body is nested too deeply")
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each, depth - 1)
