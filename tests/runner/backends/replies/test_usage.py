"""What replies say they used: absent is not zero, and the total settles what was counted where."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.replies.usage import chat_usage, message_usage

COUNTS = st.integers(1, 10_000)


@pytest.mark.parametrize(
    ("usage", "said", "prompt", "output"),
    [
        (None, True, None, None),
        ({}, True, None, None),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, True, None, None),
        ({"prompt_tokens": 90, "completion_tokens": 0, "total_tokens": 90}, True, 90, None),
        ({"prompt_tokens": 90, "completion_tokens": 0, "total_tokens": 90}, False, 90, 0),
        ({"prompt_tokens": 90, "total_tokens": 97}, True, 90, 7),
        ({"input_tokens": 90, "output_tokens": 7}, True, 90, 7),
        ({"prompt_tokens": 90, "completion_tokens": 7, "total_tokens": 500}, True, 90, 410),
    ],
)
def test_what_is_not_said_is_not_known(
    usage: dict[str, Any] | None, said: bool, prompt: int | None, output: int | None
) -> None:
    found = chat_usage(usage, said, 5)
    assert (found.prompt_tokens, found.completion_tokens) == (prompt, output)
    assert found.known == (prompt is not None and output is not None)


@given(prompt=COUNTS, answer=COUNTS, reasoning=COUNTS)
def test_the_total_tells_whether_reasoning_is_counted_beside_the_answer(
    prompt: int, answer: int, reasoning: int
) -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": reasoning}}
    whole = answer + reasoning
    inside: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": whole,
        "total_tokens": prompt + whole,
        **details,
    }
    apart = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + whole, **details}
    assert chat_usage(inside, True, 0).completion_tokens == chat_usage(apart, True, 0).completion_tokens == whole


def test_the_caches_tokens_are_among_the_prompts_also_where_they_are_counted_beside_them() -> None:
    apart = {"input_tokens": 20, "output_tokens": 3, "cache_read_input_tokens": 500, "cache_creation_input_tokens": 80}
    inside: dict[str, Any] = {"prompt_tokens": 600, "completion_tokens": 3, "total_tokens": 603}
    inside |= {"prompt_tokens_details": {"cached_tokens": 500, "cache_write_tokens": 80}}
    for usage in (apart, inside):
        found = chat_usage(usage, True, 0)
        assert (found.prompt_tokens, found.cached_tokens, found.written_tokens) == (600, 500, 80)
        assert found.completion_tokens == 3


def test_a_messages_cache_is_counted_beside_its_prompt_and_its_thoughts_among_its_answer() -> None:
    usage = {"input_tokens": 20, "output_tokens": 40, "cache_read_input_tokens": 5, "cache_creation_input_tokens": None}
    found = message_usage({**usage, "output_tokens_details": {"thinking_tokens": 37}}, True, 0)
    assert (found.prompt_tokens, found.completion_tokens, found.reasoning_tokens) == (25, 40, 37)
    assert (found.cached_tokens, found.written_tokens) == (5, 0)
    assert message_usage({**usage, "input_tokens": 0}, True, 0).prompt_tokens == 5  # all of it was in the cache
    assert not message_usage(None, True, 0).known


@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens"])
def test_a_count_that_no_model_can_have_is_an_error_and_costs_nothing(name: str) -> None:
    usual = {"prompt_tokens": 90, "completion_tokens": 7}
    assert chat_usage({**usual, name: (1 << 24) - 1}, True, 0).known
    for count in (1 << 24, 10**9, -1):
        with pytest.raises(ValueError, match="no answer has"):
            chat_usage({**usual, name: count}, True, 0)
