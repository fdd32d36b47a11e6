"""Letter probabilities, and what a response chooses."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.answers.items import Item, option_order
from scoring.answers.responses import Outcome, Response, choose, letter_probabilities, option_probabilities

ITEM = Item("i", "b", "1", "?", ("red", "green", "blue"), "g", weights=(1.0, 0.0, 0.0))
NONE = -math.inf


def test_missing_letters_are_bounded_by_the_smallest_shown_and_the_rest_is_outside() -> None:
    letters = letter_probabilities([math.log(0.6), NONE, math.log(0.1), math.nan])
    assert letters is not None
    assert letters.probabilities == pytest.approx((6 / 7, 0, 1 / 7, 0))
    assert letters.missing == (1, 3) and letters.outside == pytest.approx(0.3) and letters.ceiling == pytest.approx(0.1)


def test_a_ceiling_is_never_more_than_what_is_left() -> None:
    letters = letter_probabilities([math.log(0.5), math.log(0.49), NONE])
    assert letters is not None and letters.ceiling == pytest.approx(0.01)


def test_no_letter_is_no_answer() -> None:
    assert letter_probabilities([NONE, math.nan]) is None
    assert choose(ITEM, (0, 1, 2), Response(letter_logprobs=(NONE, NONE, math.nan))) == Outcome("unparsed")


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1)), min_size=2, max_size=26).filter(any), st.randoms())
def test_probabilities_are_shares_whatever_is_missing(raw: list[float], random: object) -> None:
    total = max(1.0, sum(raw))
    letters = letter_probabilities([math.log(each / total) if each else NONE for each in raw])
    assert letters is not None and sum(letters.probabilities) == pytest.approx(1)
    assert letters.missing == tuple(place for place, each in enumerate(raw) if not each)


def test_text_and_probability_are_both_kept_and_mapped_back_through_the_order() -> None:
    order = (2, 0, 1)
    outcome = choose(ITEM, order, Response(text="A", letter_logprobs=(-3.0, -0.2, -2.1)))
    assert outcome == Outcome("ok", chosen_by_text=2, chosen_by_probability=0) and outcome.chosen == 0
    shares = option_probabilities(ITEM, order, Response(letter_logprobs=(math.log(0.2), math.log(0.5), math.log(0.1))))
    assert shares == pytest.approx((0.625, 0.125, 0.25))


def test_where_probabilities_were_asked_for_the_text_never_decides() -> None:
    order = (2, 0, 1)
    none = Outcome("no probabilities")
    assert choose(ITEM, order, Response(text="A", letter_logprobs=())) == none
    assert choose(ITEM, order, Response(text="A", letter_logprobs=(math.log(0.9), math.log(0.5), NONE))) == none
    # an answer that shows only the token drawn: what it does not show may be likelier
    drawn = (math.log(0.3), NONE, NONE)
    assert choose(ITEM, order, Response(text="A", letter_logprobs=drawn, ceiling=0.7)) == none
    assert choose(ITEM, order, Response(text="A", letter_logprobs=drawn, ceiling=0.1)).chosen == 2
    assert choose(ITEM, order, Response(letter_logprobs=(), finish="content_filter")) == Outcome("refused")
    assert Response(letter_logprobs=drawn).mass == pytest.approx(0.3) and Response(text="A").mass is None


def test_log_likelihoods_are_in_the_items_own_order() -> None:
    response = Response(logliks=(-2000.0, -1000.0, -1000.0))
    assert choose(ITEM, option_order(ITEM), response).chosen == 1
    assert option_probabilities(ITEM, (2, 0, 1), response) == pytest.approx((0, 0.5, 0.5))
    assert choose(ITEM, (0, 1, 2), Response(logliks=(math.nan, 0.0, 0.0))) == Outcome("no probabilities")


def test_refused_unparsed_and_filtered_are_told_apart() -> None:
    texts = {"I'm sorry, I can't answer that.": "refused", "Hm.": "unparsed", "": "unparsed"}
    assert {text: choose(ITEM, (0, 1, 2), Response(text=text)).status for text in texts} == texts
    assert choose(ITEM, (0, 1, 2), Response(text="", finish="content_filter")).status == "refused"
