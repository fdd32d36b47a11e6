"""What endpoints show of the first token: every spelling and shape is read for what it says, or refused."""

import math
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from fake_llm import FakeLLM
from hypothesis import given
from hypothesis import strategies as st
from studies import load, model, rows

from runner.backends.alternatives import TopLogprobs, checked, first_token, spelling
from runner.backends.errors import ModelUnavailable
from runner.engine.pilot import Piloted, letters_verdict
from runner.engine.run import run
from scoring.answers.responses import Outcome, Response

LOG = math.log


def entries(*shown: tuple[str, float | None], **more: Any) -> dict[str, Any]:
    top = [{"token": token, "logprob": None if p is None else LOG(p), **more} for token, p in shown]
    return {"content": [{**top[0], "top_logprobs": top}]}


def letters(logprobs: Any) -> list[float]:
    found = first_token(logprobs)
    assert found is not None
    return [math.exp(each) for each in found.letters("ABC")]


@pytest.mark.parametrize(
    ("token", "text"),
    [
        ("A", "A"),
        (" A", " A"),
        ("▁A", " A"),
        ("ĠA", " A"),
        ("<0x41>", "A"),
        ("A</w>", "A"),
        ("\n\n", "\n\n"),
        ("Ċ", "\n"),
    ],
)
def test_a_token_is_spelt_as_in_a_text(token: str, text: str) -> None:
    assert spelling(token) == text
    assert spelling({"token": token, "bytes": list(token.encode())}) == text


def test_bytes_say_what_a_name_does_not() -> None:
    named = {"token": "token_id:319", "logprob": LOG(0.7), "bytes": [32, 66]}
    other = {"token": "token_id:7", "logprob": LOG(0.2), "bytes": [65]}
    assert letters({"content": [{**named, "top_logprobs": [named, other]}]}) == pytest.approx([0.2, 0.7, 0])


def test_spellings_are_summed_and_the_same_entry_counts_once() -> None:
    twice = entries(("B", 0.4), ("▁B", 0.1), ("B", 0.4), ("ĠC", 0.03), (" A", 0.02))
    assert letters(twice) == pytest.approx([0.02, 0.5, 0.03])
    alike = entries(("B", 0.4), ("B", 0.1), ("C", 0.03))  # two tokens of a vocabulary that are written alike
    assert letters(alike) == pytest.approx([0, 0.5, 0.03])


@pytest.mark.parametrize(
    "logprobs",
    [
        {"tokens": ["B"], "token_logprobs": [LOG(0.8)], "top_logprobs": [{"B": LOG(0.8), " C": LOG(0.1)}]},
        {"content": [{"token": "B", "logprob": LOG(0.8), "top_logprobs": {"B": LOG(0.8), "▁C": LOG(0.1)}}]},
        entries(("B", 0.8), ("C", 0.1), ("A", None))["content"],
        entries(("B", 0.8), ("C", 0.1), ("A", None)),
    ],
)
def test_other_shapes_say_the_same(logprobs: Any) -> None:
    assert letters(logprobs) == pytest.approx([0, 0.8, 0.1])
    found = first_token(logprobs)
    assert found is not None and found.ceiling == pytest.approx(0.1) and found.likeliest == "B"


def test_only_the_token_drawn_leaves_the_rest_unknown() -> None:
    found = first_token({"content": [{"token": "B", "logprob": LOG(0.3), "top_logprobs": []}]})
    assert found is not None and found.ceiling == pytest.approx(0.7), "another letter may be likelier"
    for nothing in (None, [], {"content": None}, {"content": []}, {"tokens": []}, entries(("A", 1.0))):
        assert first_token(nothing) is None
    greedy = {"content": [{"token": "A", "logprob": 0.0, "top_logprobs": {"A": 0.0, "B": -9999.0}}]}
    assert first_token(greedy) is None, "all on the token drawn is no distribution"


@pytest.mark.parametrize(
    ("logprobs", "why"),
    [
        (entries(("token_id:319", 0.9), ("token_id:350", 0.06)), "numbers"),
        ({"content": [{"token": "A", "logprob": 0.9, "top_logprobs": [{"token": "A", "logprob": 0.9}]}]}, "0.9"),
        (entries(("A", 0.7), ("A", 0.6)), "sum to 1.300"),
        ({"content": ["A"]}, "shape"),
        ({"top": [1]}, "shape"),
        ({"content": [{"token": "A", "logprob": "-0.1"}]}, "no number"),
        ([["A", -0.1]], "shape"),
    ],
)
def test_what_is_no_probability_is_refused_at_once(logprobs: Any, why: str) -> None:
    with pytest.raises(ModelUnavailable, match=why):
        first_token(logprobs)


@given(st.lists(st.tuples(st.text(max_size=3), st.floats(-60, 0)), max_size=6))
def test_letters_never_hold_more_than_everything(shown: list[tuple[str, float]]) -> None:
    try:
        found = checked(shown)
    except ModelUnavailable:
        return
    if found is not None:
        response = Response(letter_logprobs=found.letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        assert (response.mass or 0.0) <= 1.01 and 0 <= found.ceiling <= 1


@pytest.mark.parametrize(
    ("refusal", "next_asked"),
    [
        ("HTTP 400: top_logprobs must be between 0 and 8, got 20", 8),
        ("HTTP 400: logprobs: 20 is not supported, the maximum is 5", 5),
        ("HTTP 400: invalid top_logprobs", 10),
        ("HTTP 400: logprobs are not supported by this model", None),
        ("HTTP 400: max_tokens must be at most 16", None),
    ],
)
def test_an_endpoint_is_asked_for_as_many_as_it_shows(refusal: str, next_asked: int | None) -> None:
    top = TopLogprobs()
    assert top.lower(20, refusal) is (next_asked is not None)
    assert top.number == (next_asked or 20)
    assert top.lower(21, "") is (top.number < 21), "who asked before it was known asks again"


@pytest.mark.parametrize("own", [None, 3])
async def test_a_limit_of_the_endpoint_costs_one_refusal_a_request_and_the_studys_own_number_is_obeyed(
    own: int | None, tmp_path: Path
) -> None:
    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse | None:
        asked = (await request.json())["top_logprobs"]
        if asked > 7:
            said = f"Requested sample logprobs of {asked}, which is greater than max allowed: 7"
            return web.json_response({"error": {"message": said}}, status=400)
        return None

    with FakeLLM(misbehave=misbehave) as server:
        decoding = {} if own is None else {"top_logprobs": own}
        state = await run(load(tmp_path, [model(server.url, answer="probabilities", decoding=decoding)], n=1, groups=4))
        assert (state.exit_code, state.total("answered")) == (0, 8)
        assert {f'"top_logprobs":{own or 7}' in body for body in server.answered} == {True}
    assert rows(tmp_path, "SELECT count(*) FROM completion WHERE mass > 0.5 AND ceiling IS NULL") == [(8,)]


def shows(choose: Any) -> Any:
    """A server whose n-th reply has these log-probabilities, and the text B."""

    async def misbehave(server: FakeLLM, request: web.Request, raw: bytes) -> web.StreamResponse:
        choice = {"message": {"content": "B"}, "finish_reason": "stop", "logprobs": choose(server.requests)}
        return web.json_response({"choices": [choice], "model": server.model})

    return misbehave


async def test_a_text_never_stands_in_for_probabilities(tmp_path: Path) -> None:
    good = entries(("A", 0.6), ("B", 0.3))
    with FakeLLM(misbehave=shows(lambda number: None if number % 2 else good)) as server:
        study = load(tmp_path, [model(server.url, answer="probabilities", decoding={}, concurrency=1)], n=1, groups=4)
        state = await run(study, pilot=False)
    assert state.exit_code == 0
    found = "SELECT status, chosen_by_text IS NULL, value IS NULL, count(*) FROM score GROUP BY 1, 2, 3 ORDER BY 1"
    assert rows(tmp_path, found) == [("no probabilities", 1, 1, 4), ("ok", 0, 0, 4)]


@pytest.mark.parametrize(
    ("logprobs", "why"),
    [
        (None, "without probabilities of their first token"),
        (entries(("\n", 0.98), ("A", 0.004)), "a newline"),
        (entries(("<|channel|>", 0.99), ("B", 0.001)), "turn the model's thinking off"),
        (entries(("Sure", 0.5), ("The", 0.3)), "'Sure'"),
        (entries(("A", 0.3), ("The", 0.2), ("B", 0.1), ("I", 0.1)), "a letter is the likeliest token, but"),
    ],
)
async def test_the_pilot_stops_a_model_whose_letters_say_nothing(logprobs: Any, why: str, tmp_path: Path) -> None:
    with FakeLLM(misbehave=shows(lambda number: logprobs)) as server:
        study = load(tmp_path, [model(server.url, answer="probabilities", decoding={})], n=12)
        state = await run(study)
        assert (state.exit_code, server.requests) == (3, 50) and why in state.stopped["fake"]
        state = await run(study)  # what a pilot stopped is piloted again
        assert (state.exit_code, server.requests) == (3, 100) and why in state.stopped["fake"]


def test_a_local_model_that_spreads_its_answers_goes_on_while_most_begin_with_a_letter() -> None:
    def answered(likeliest: str) -> Piloted:
        letters = (math.log(0.3), math.log(0.1))
        return Piloted(Response(letter_logprobs=letters, likeliest=likeliest), Outcome("ok", None, 0), 0, 0, "letters")

    spread = [answered("A"), answered(" A"), answered("The")]
    assert letters_verdict(spread, is_local=True) is None
    assert "40.0%" in (letters_verdict(spread) or "")
    assert "'The'" in (letters_verdict([answered("A"), answered("The"), answered("The")], is_local=True) or "")


async def test_a_short_run_says_so_too(tmp_path: Path) -> None:
    with FakeLLM(misbehave=shows(lambda number: entries(("\n", 0.9), ("A", 0.01)))) as server:
        study = load(tmp_path, [model(server.url, answer="probabilities", decoding={})], n=1, groups=2)
        state = await run(study)
    assert state.exit_code == 3 and "hold only 1.0%" in state.stopped["fake"]
