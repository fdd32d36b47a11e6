"""How replies end: what is known counts, nothing else is an answer."""

import copy

import pytest

from runner.backends.errors import BrokenOff
from runner.backends.replies.endings import UNNAMED, ending
from runner.backends.request import Usage


@pytest.mark.parametrize(
    ("reason", "found"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("eos_token", "stop"),
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("refusal", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("FINISH_REASON_UNSPECIFIED", UNNAMED),
    ],
)
def test_each_providers_word_for_an_end_is_known(reason: str, found: str) -> None:
    assert ending(reason, Usage()) == found


@pytest.mark.parametrize("reason", ["cancelled", "preempted", "UNEXPECTED_TOOL_CALL", "tool_calls", "nan"])
def test_any_other_end_is_a_failure_worth_one_more_try(reason: str) -> None:
    with pytest.raises(BrokenOff, match=reason) as caught:
        ending(reason, Usage(9, 1), "worker lost")
    error = copy.copy(caught.value)  # as Ray hands it on
    assert (error.tries, error.charged, error.usage, "worker lost" in str(error)) == (2, True, Usage(9, 1), True)
