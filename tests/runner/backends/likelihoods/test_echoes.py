"""Log-likelihoods out of completions: what is summed, and that whatever else comes is a failure with its reason."""

import math
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.backends.errors import BackendError, BadRequest, ModelUnavailable
from runner.backends.likelihoods.continuations import Continuation, PlainWriter
from runner.backends.likelihoods.echoes import loglik
from runner.backends.request import Request, Usage

TEXT = Continuation("Is it so? Yes, Zoë", 9)
TOKENS = ["Is", " it", " so", "?", " Yes", ",", " Zo", "ë"]
NUMBERS = [None, -1.0, -2.0, -3.0, -0.25, -0.5, -1.0, -2.0]
WANTED = -3.75
IDS = Continuation([5, 6, 7, 8], 2, (frozenset({" Yes", "ĠYes"}), frozenset({","})))


def echo(tokens: list[str] | None = None, numbers: list[Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A completion that tells of the prompt's tokens and of one that was written behind it."""
    tokens, numbers = [*(TOKENS if tokens is None else tokens), "."], [*(NUMBERS if numbers is None else numbers), -9.0]
    offsets = [sum(map(len, tokens[:place])) for place in range(len(tokens))]
    told = {"tokens": tokens, "token_logprobs": numbers, "text_offset": offsets, "top_logprobs": None, **changes}
    return {"choices": [{"index": 0, "text": "".join(tokens), "logprobs": told}]}


def told(*entries: dict[str, dict[str, Any]] | None) -> dict[str, Any]:
    """vLLM's `prompt_logprobs`."""
    return {"choices": [{"index": 0, "text": ".", "logprobs": None, "prompt_logprobs": list(entries)}]}


def number(token: str | None, logprob: Any) -> dict[str, Any]:
    return {"logprob": logprob, "rank": 1, "decoded_token": token}


def test_the_continuation_is_summed_and_nothing_else() -> None:
    assert loglik(echo(), TEXT, Usage()) == WANTED
    assert loglik(echo(text_offset=None), TEXT, Usage(8, 1)) == WANTED
    entries = [
        None,
        *({str(place): number(*pair)} for place, pair in enumerate(zip(TOKENS[1:], NUMBERS[1:], strict=True))),
    ]
    whole = told({"1": number("Is", -1.0)}, *entries[1:])
    assert loglik(whole, TEXT, Usage(8, 1)) == WANTED


@pytest.mark.parametrize("shift", [0, 3])
def test_a_beginning_of_text_token_may_be_spelt_and_counted_or_not(shift: int) -> None:
    offsets = [0, *(shift + sum(map(len, TOKENS[:place])) for place in range(len(TOKENS) + 1))]
    found = echo(["<s>", *TOKENS], [None, -5.0, *NUMBERS[1:]], text_offset=offsets)
    assert loglik(found, TEXT, Usage(9, 1)) == WANTED
    alone = Continuation("".join(TOKENS), 0)
    assert loglik(found, alone, Usage(9, 1)) == WANTED - 5 - 6
    as_nothing = echo(["", *TOKENS], [None, -5.0, *NUMBERS[1:]])
    assert loglik(as_nothing, alone, Usage(9, 1)) == WANTED - 5 - 6
    with pytest.raises(BadRequest, match="nothing stands before the continuation"):
        loglik(echo(), alone, Usage(8, 1))


def test_vocabularies_and_bytes_spell_a_text_too() -> None:
    written = [each.replace(" ", "Ġ") for each in TOKENS]
    assert loglik(echo(written, text_offset=None), TEXT, Usage()) == WANTED
    parts = [*TOKENS[:-1], "bytes:\\xc3", "bytes:\\xab"]
    assert loglik(echo(parts, [*NUMBERS, -4.0]), TEXT, Usage()) == WANTED - 4
    with pytest.raises(BadRequest, match="do not spell"):
        loglik(echo([*TOKENS[:-1], "bytes:zz"]), TEXT, Usage())


def test_numbers_of_the_next_token_are_found_out() -> None:
    """Where nothing stands before a prompt, llama-cpp-python tells of each token what the model says behind it."""
    behind = echo(numbers=[None, *(-float(each) for each in range(7))])
    for name in ("tokens", "token_logprobs", "text_offset"):
        del behind["choices"][0]["logprobs"][name][-1]
    for usage in (Usage(8, 1), Usage(8, 0), Usage()):
        with pytest.raises(BadRequest, match=r"not those of the tokens they stand with \(llama-cpp-python"):
            loglik(behind, TEXT, usage)
    assert math.isfinite(loglik(behind, TEXT, Usage(9, 0)))  # a beginning-of-text token was read before these eight
    told_of = [None] * 8
    assert loglik(echo(top_logprobs=[*told_of, {".": -9.0, "!": -9.5}]), TEXT, Usage(8, 1)) == WANTED
    with pytest.raises(BadRequest, match="not those of the tokens"):
        loglik(echo(top_logprobs=[*told_of, {".": -9.0, "!": -0.5}]), TEXT, Usage(8, 1))


def test_token_ids_are_counted_and_named() -> None:
    four = echo(["Is", "?", " Yes", ","], [None, -3.0, -0.25, -0.5])
    assert loglik(four, IDS, Usage(4, 1)) == loglik(four, IDS, Usage()) == -0.75
    entries = [{str(token): number(None, -1.0), "99": number("x", -0.1)} for token in (6, 7, 8)]
    assert loglik(told(None, *entries), IDS, Usage(4, 1)) == -2.0


WRONG: list[tuple[str, dict[str, Any], Continuation, int | None, type[BackendError], str]] = [
    ("nothing", {}, TEXT, None, ModelUnavailable, "cannot be read"),
    ("no choice", {"choices": []}, TEXT, None, ModelUnavailable, "cannot be read"),
    ("no logprobs", {"choices": [{"text": "A", "logprobs": None}]}, TEXT, None, ModelUnavailable, "llama.cpp's own"),
    ("no prompt", echo([], []), TEXT, None, BadRequest, "do not spell"),
    ("chat's shape", {"choices": [{"logprobs": {"content": []}}]}, TEXT, None, ModelUnavailable, "no tokens"),
    ("short", echo(TOKENS[:-1], NUMBERS[:-1]), TEXT, None, BadRequest, "do not spell"),
    ("fewer numbers", echo(numbers=NUMBERS[:-1]), TEXT, None, BadRequest, "9 tokens came back with 8"),
    ("a gap", echo(numbers=[*NUMBERS[:5], None, *NUMBERS[6:]]), TEXT, None, BadRequest, "has no log-probability"),
    ("NaN", echo(numbers=[*NUMBERS[:5], math.nan, *NUMBERS[6:]]), TEXT, None, BadRequest, "not finite"),
    ("-inf", echo(numbers=[*NUMBERS[:5], -math.inf, *NUMBERS[6:]]), TEXT, None, BadRequest, "not finite"),
    ("positive", echo(numbers=[*NUMBERS[:5], 0.5, *NUMBERS[6:]]), TEXT, None, ModelUnavailable, "shows 0.5 as a log"),
    ("a word", echo(numbers=[*NUMBERS[:5], "-1", *NUMBERS[6:]]), TEXT, None, BadRequest, "has no log-probability"),
    ("true", echo(numbers=[*NUMBERS[:5], True, *NUMBERS[6:]]), TEXT, None, BadRequest, "has no log-probability"),
    ("other offsets", echo(text_offset=[0] * 9), TEXT, None, BadRequest, "begins at character 2 came back with"),
    ("odd offsets", echo(text_offset=["0"] * 9), TEXT, None, BadRequest, "no numbers"),
    ("few offsets", echo(text_offset=[0]), TEXT, None, BadRequest, "came back with"),
    ("another text", echo([*TOKENS[:-1], "e"]), TEXT, None, BadRequest, "do not spell"),
    ("no edge", echo([*TOKENS[:3], "? Yes", *TOKENS[5:]], NUMBERS[:-1]), TEXT, None, BadRequest, "begin where"),
    ("numbered", echo([f"token_id:{each}" for each in range(8)]), TEXT, None, BadRequest, "do not spell"),
    ("ids short", echo(["Is", "?"], [None, -1.0]), IDS, None, BadRequest, "4 tokens were sent, and 3 came back"),
    ("ids counted", echo(["Is", "?", " Yes", ","], NUMBERS[:4]), IDS, 5, BadRequest, "the endpoint counts 5"),
    ("ids of others", echo(["Is", "?", " No", ","], NUMBERS[:4]), IDS, 4, BadRequest, "tokenizer is another"),
    ("ids not told", told(None, *[{"1": number("x", -1.0)}] * 3), IDS, 4, BadRequest, "token 6 was sent"),
    ("two of one", told(*[{"1": number("x", -1.0), "2": number("y", -1)}] * 3), TEXT, 4, ModelUnavailable, "2 tokens"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reply", "sent", "counted", "expected", "said"), WRONG, ids=[each[0] for each in WRONG]
)
def test_what_is_not_the_continuations_is_never_a_number(
    name: str, reply: dict[str, Any], sent: Continuation, counted: int | None, expected: type[BackendError], said: str
) -> None:
    with pytest.raises(expected, match=said) as failed:
        loglik(reply, sent, Usage(counted, 1))
    assert failed.value.charged and failed.value.kind == "log-likelihoods"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["tokens", "token_logprobs", "text_offset", "6", "logprob"]), inner)
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({}, optional={"logprobs": JSON, "prompt_logprobs": JSON}), st.sampled_from([TEXT, IDS]))
def test_whatever_comes_is_a_finite_number_or_a_failure(choice: dict[str, Any], sent: Continuation) -> None:
    with suppress(BackendError):
        assert math.isfinite(loglik({"choices": [choice]}, sent, Usage()))


@given(st.text(max_size=12), st.text(min_size=1, max_size=12), st.data())
def test_any_split_of_a_text_is_summed_from_where_the_continuation_begins(
    before: str, option: str, data: st.DataObject
) -> None:
    request = Request(b"", [{"role": "user", "content": before}], {}, "loglik", (option,))
    (sent,) = PlainWriter().written(request)
    whole = str(sent.prompt)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=6)))
    edges = [0, *(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = ["<s>", *(whole[start:end] for start, end in pairwise(edges))]
    numbers = [None, *(-float(place) for place in range(1, len(pieces)))]
    begins = len(before.rstrip())
    if begins in edges[:-1]:
        assert loglik(echo(pieces, numbers), sent, Usage()) == -sum(range(1 + edges.index(begins), len(pieces)))
    else:
        with pytest.raises(BadRequest, match="begin where a token does"):
            loglik(echo(pieces, numbers), sent, Usage())
