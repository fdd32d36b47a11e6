"""Which answers make a pair, and what a pair weighs."""

import math

import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import persona_effect

ANSWERS = [[1, 0, 1], [1, 1, 1], [0, 0, 1]]


BASELINE = [1, 0, 0]


def test_weights_by_hand():
    # scaled within country: x's two people weigh 0.5 and 1.5, y's one weighs 1; person means of d are 1/3, 2/3, 0.
    frame = as_scores(ANSWERS, BASELINE, people_columns={"country": ["x", "x", "y"]}, weight=[2.0, 6.0, 9.0])
    assert persona_effect(frame, weights="survey").effect == pytest.approx((0.5 / 3 + 1.5 * 2 / 3) / 3)
    # population: x has 3 adults for each of y's; its two people share the 3.
    by_population = persona_effect(frame, weights="population", population={"x": 3.0, "y": 1.0})
    assert by_population.effect == pytest.approx(3 * (0.25 / 3 + 0.75 * 2 / 3) / 4)
    assert persona_effect(frame, weights="survey").effective == pytest.approx(9 / (0.25 + 2.25 + 1))


def test_unparsed_answers_are_no_pairs_but_are_counted():
    nan = float("nan")
    found = persona_effect(as_scores([[nan, nan, nan], [nan, nan, nan]], [1, nan, 0]))
    assert found.pairs == 0 and math.isnan(found.effect)
    assert (found.invalid_without, found.invalid_with) == pytest.approx((1 / 3, 1.0))
    some = persona_effect(as_scores([[1, 0, nan], [1, nan, 1]], [0, nan, 0]))
    assert some.effect == pytest.approx(1.0)  # the item without a parsed baseline makes no pair
    assert some.pairs == 3


def test_the_neutral_control_is_not_a_persona():
    frame = as_scores(ANSWERS, BASELINE)
    control = frame[frame["persona_id"] != ""].assign(format="neutral", value=0.0)
    assert persona_effect(pd.concat([frame, control])) == persona_effect(frame)
