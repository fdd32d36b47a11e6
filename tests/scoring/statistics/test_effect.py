"""The effect and its intervals: by hand, against statsmodels, and where there is nothing to estimate."""

import math

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.clustered_errors import BOUND, one_way
from scoring.statistics.designs.simulation import Design, as_scores, simulate
from scoring.statistics.effect import Contributions, persona_effect
from scoring.statistics.pairs import Part, cells

ANSWERS = [[1, 0, 1], [1, 1, 1], [0, 0, 1]]
BASELINE = [1, 0, 0]


def test_three_by_three_by_hand():
    # d = [0 0 1 / 0 1 1 / -1 0 1], sum 3, Δ = 1/3; residuals by person sum to 0, 1, -1 and by item to -2, 0, 2.
    frame = as_scores(ANSWERS, BASELINE)
    found = persona_effect(frame)
    assert found.effect == pytest.approx(1 / 3)
    assert (found.without, found.with_persona) == pytest.approx((1 / 3, 2 / 3))
    assert (found.personas, found.items, found.groups, found.pairs) == (3, 3, 3, 9)
    part = cells(Part("m", "b", frame))
    of = Contributions.of(part, np.ones(3))
    people = one_way(of.total.sum(axis=1), of.share.sum(axis=1))
    assert people == pytest.approx((3 / 2 * 2 / 81, 2))
    assert math.isnan(found.items_low)  # three item groups are too few


def test_no_interval_from_one_persona_or_one_item():
    alone = persona_effect(as_scores([[1, 0, 1]], BASELINE))
    assert alone.effect == pytest.approx(1 / 3)
    assert math.isnan(alone.people_low) and math.isnan(alone.items_low)
    one_item = persona_effect(as_scores([[1], [0], [1]], [0]))
    assert one_item.effect == pytest.approx(2 / 3)
    assert math.isnan(one_item.items_low)


def test_no_variance_gives_a_bound():
    found = persona_effect(as_scores([[1, 1, 1]] * 12, [1, 1, 1]))
    assert (found.effect, found.people_error, found.people_method) == (0, 0, "bound")
    # of people like twelve who are all alike at most 1 - 0.025^(1/12) are otherwise, and those can only score less
    assert (found.people_low, found.people_high) == pytest.approx((0.025 ** (1 / 12) - 1, 0))
    opposite = persona_effect(as_scores([[0] * 6] * 40, [1] * 6))
    assert (opposite.effect, opposite.people_low) == (-1, -1)
    assert opposite.items_high == pytest.approx(-(0.025 ** (1 / 6)))  # six items are fewer than forty people


@pytest.mark.parametrize("chance", [0.02, 0.98])
def test_limits_stay_within_what_is_possible(chance):
    random = np.random.default_rng(5)
    for _ in range(50):
        answers, alone = ((random.random(shape) < chance).astype(float) for shape in ((15, 8), (3, 8)))
        found = persona_effect(as_scores(answers, alone))
        for low, high in ((found.people_low, found.people_high), (found.items_low, found.items_high)):
            assert -1 <= low <= found.effect <= high <= 1
        assert found.items_low <= found.people_low and found.people_high <= found.items_high


def test_a_baseline_sampled_once_has_unknown_noise():
    scores = simulate(Design(30, 20, baseline_replicates=1), seed=3).scores
    unknown, exact = (persona_effect(scores.assign(sampled=sampled)) for sampled in (True, False))
    assert math.isnan(unknown.people_low) and unknown.people_method == ""
    assert exact.people_low < exact.people_high
    assert unknown.items_low == exact.items_low or unknown.items_method == "t"
    twice = persona_effect(simulate(Design(30, 20, baseline_replicates=2), seed=3).scores)
    assert twice.people_high - twice.people_low > exact.people_high - exact.people_low


def test_few_clusters_cost_degrees_of_freedom():
    scores = simulate(Design(8, 6), seed=3).scores
    first = persona_effect(scores)
    assert first == persona_effect(scores)
    assert first.items_freedom < 8 and first.people_method == "score"
    assert first.items_high - first.items_low > 2 * 1.96 * first.items_error  # wider than a normal interval
    weighted = persona_effect(scores.assign(weight=1 + 20 * (scores["persona_id"] == "person 0")), weights="survey")
    assert weighted.people_freedom < 3 < first.people_freedom


def test_formats_and_replicates_widen_the_interval():
    scores = simulate(Design(40, 30, baseline_replicates=5), seed=1).scores
    narrow = persona_effect(scores[scores["replicate"] == 0])
    assert persona_effect(scores).people_error > 0.9 * narrow.people_error
    alone = scores["persona_id"] == ""
    second = scores[~alone].assign(value=0.2, format="bullets")
    two = pd.concat([scores.assign(format="prose"), second])
    wording = two.loc[two["persona_id"] != ""].groupby("format")["value"].mean()
    found = persona_effect(two)
    added = wording.var() / 2
    assert found.people_error**2 > added
    assert found.people_freedom < 2  # one degree of freedom for two formats


@pytest.mark.parametrize("draws", [1, 2, 5])
def test_where_everybody_scores_alike_there_is_a_bound_and_no_power_is_claimed(draws: int):
    found = persona_effect(as_scores(np.zeros((30, 20)), np.ones((draws, 20))))
    assert found.effect == -1 and (found.people_method, found.items_method) == (BOUND, BOUND)
    assert found.people_high > -(0.025 ** (1 / 30)) - 1e-9 and found.items_high > -(0.025 ** (1 / 20)) - 1e-9
    assert found.people_low == found.items_low == -1 and math.isnan(found.resolvable)


def test_a_score_stays_within_0_and_1_and_few_wordings_put_no_standard_errors_beyond_it():
    random = np.random.default_rng(4)
    frames = []
    for name, chance in (("prose", 0.25), ("bullets", 0.45)):
        frame = as_scores(
            (random.random((8, 20)) < chance).astype(float), np.zeros(20), np.repeat(range(5), 4).tolist()
        )
        frames.append(frame.assign(format=np.where(frame["persona_id"] == "", "none", name)))
    found = persona_effect(pd.concat([frames[0], frames[1][frames[1]["persona_id"] != ""]], ignore_index=True))
    assert found.people_freedom < 2  # one degree of freedom between two wordings
    assert 0 <= found.items_low <= found.people_low < found.effect < found.people_high <= found.items_high <= 1
