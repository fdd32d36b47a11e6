"""What an answer used, as the providers count it."""

from collections.abc import Mapping
from typing import Any

from runner.backends.request import Usage

MOST_TOKENS = 1 << 24  # more than any model reads or writes at once
_DETAILS = {"prompt_tokens_details", "completion_tokens_details"}
_PLAIN = frozenset({"prompt_tokens", "completion_tokens", "total_tokens", *_DETAILS})  # as most usages are


def chat_usage(usage: Mapping[str, Any] | None, said: bool, latency_ms: int) -> Usage:
    """The usage of a chat completion in any of its spellings; `said` is whether it has a text.

    Some endpoints count reasoning, or the cache, beside the other tokens and not among them: `total_tokens` tells.
    Raises ValueError for counts that no answer has.
    """
    if not usage:
        return Usage(latency_ms=latency_ms)
    cached = written = reasoning = None
    if of_prompt := usage.get("prompt_tokens_details"):
        cached = _first(of_prompt, "cached_tokens")
        written = _first(of_prompt, "cache_write_tokens", "cache_creation_tokens")
    if of_answer := usage.get("completion_tokens_details"):
        reasoning = _first(of_answer, "reasoning_tokens")
    if not _PLAIN.issuperset(usage):
        cached = cached or _first(usage, "prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens")
        written = written or _first(usage, "cache_creation_input_tokens")
        reasoning = reasoning or _first(usage, "reasoning_tokens")
    return counted_usage(
        prompt=_first(usage, "prompt_tokens", "input_tokens"),
        output=_first(usage, "completion_tokens", "output_tokens"),
        total=_first(usage, "total_tokens"),
        reasoning=reasoning or 0,
        cache=(cached or 0, written or 0),
        said=said,
        latency_ms=latency_ms,
    )


def counted_usage(
    prompt: int | None,
    output: int | None,
    total: int | None,
    reasoning: int,
    cache: tuple[int, int],
    said: bool,
    latency_ms: int,
) -> Usage:
    """The counts of a reply made consistent.

    `cache` holds the tokens read from and written to the cache, `said` is whether there is any text.

    A prompt has tokens, and so has a text: a 0 there is no count. What `total` holds beyond the prompt and the output
    is output that was not counted among it, unless the cache's tokens explain it; more reasoning than output was
    counted beside it. Raises ValueError for counts that no answer has.
    """
    named = [each for each in (prompt, output, total, reasoning, *cache) if each is not None]
    if min(named) < 0 or max(named) >= MOST_TOKENS:
        raise ValueError("a count of tokens that no answer has")
    prompt, total = prompt or None, total or None
    if output is not None and reasoning > output:
        output += reasoning
    if prompt is not None and (sum(cache) > prompt or total == prompt + (output or 0) + sum(cache)):
        prompt += sum(cache)
    if prompt is not None and total is not None:
        output = max(output or 0, total - prompt)
    if not output and said:
        output = None
    return Usage(prompt, output, reasoning, cache[0], latency_ms, cache[1])


def _first(counts: Mapping[str, Any], *names: str) -> int | None:
    """The first of these counts that is there. Raises ValueError for what is no number."""
    for name in names:
        if (value := counts.get(name)) is not None:
            return int(value)
    return None


def message_usage(usage: Mapping[str, Any] | None, said: bool, latency_ms: int) -> Usage:
    """The usage of an Anthropic message, which counts cached tokens beside the prompt's.

    `said` is whether the message has a text. Raises ValueError for counts that no answer has.
    """
    if not usage:
        return Usage(latency_ms=latency_ms)
    cached, written = _first(usage, "cache_read_input_tokens") or 0, _first(usage, "cache_creation_input_tokens") or 0
    prompt = _first(usage, "input_tokens")
    return counted_usage(
        prompt=None if prompt is None else prompt + cached + written,
        output=_first(usage, "output_tokens"),
        total=None,
        reasoning=_first(usage.get("output_tokens_details") or {}, "thinking_tokens") or 0,
        cache=(cached, written),
        said=said,
        latency_ms=latency_ms,
    )
