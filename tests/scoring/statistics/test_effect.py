"""The effect and its intervals: by hand, against statsmodels, and where there is nothing to estimate."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scoring.statistics.clustered_errors import BOUND, one_way, two_way
from scoring.statistics.designs.simulation import Design, as_scores, simulate
from scoring.statistics.effect import Contributions, persona_effect
from scoring.statistics.gaps import gap, least_variance
from scoring.statistics.pairs import Part, cells, clustered, persona_weights

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


def test_weights_by_hand():
    # scaled within country: x's two people weigh 0.5 and 1.5, y's one weighs 1; person means of d are 1/3, 2/3, 0.
    frame = as_scores(ANSWERS, BASELINE, people_columns={"country": ["x", "x", "y"]}, weight=[2.0, 6.0, 9.0])
    assert persona_effect(frame, weights="survey").effect == pytest.approx((0.5 / 3 + 1.5 * 2 / 3) / 3)
    # population: x has 3 adults for each of y's; its two people share the 3.
    by_population = persona_effect(frame, weights="population", population={"x": 3.0, "y": 1.0})
    assert by_population.effect == pytest.approx(3 * (0.25 / 3 + 0.75 * 2 / 3) / 4)
    assert persona_effect(frame, weights="survey").effective == pytest.approx(9 / (0.25 + 2.25 + 1))


@settings(max_examples=30)
@given(st.integers(10, 16), st.integers(10, 18), st.integers(0, 10**6), st.booleans())
def test_equals_statsmodels(people, items, seed, weighted):
    random = np.random.default_rng(seed)
    answers = random.random((people, items)).round(2)
    answers[random.random(answers.shape) < 0.2] = np.nan
    rows = [("", item, 0.5) for item in range(items)]
    rows += [(f"p{p}", i, answers[p, i]) for p in range(people) for i in range(items)]
    frame = pd.DataFrame(rows, columns=["persona_id", "item_id", "value"])
    alone = frame["persona_id"] == ""
    frame["cluster"] = frame["persona_id"].replace({"p3": "p0"})  # two respondents who read the same
    frame["weight"] = frame["persona_id"].map({f"p{p}": 0.5 + p % 3 for p in range(people)})
    frame = frame.assign(group=frame["item_id"] - frame["item_id"] % 2 * (frame["item_id"] < 2), rotation=0, survey="s")
    frame["inside"] = np.where(frame["persona_id"].isin([f"p{p}" for p in range(0, people, 3)]), "in", "out")
    part = Part("m", "b", frame)
    found = cells(part, extra=("inside",))
    weight = persona_weights(found.people, "survey" if weighted else "none")
    of = Contributions.of(found, weight)
    pairs = frame[~alone & frame["value"].notna()].copy()
    size = pairs.groupby("persona_id")["value"].transform("size")
    own = pairs["weight"] / pairs.drop_duplicates("persona_id")["weight"].mean() if weighted else 1.0
    pairs = pairs.assign(d=pairs["value"] - 0.5, w=own / size)
    effect = sm.WLS(pairs["d"], np.ones(len(pairs)), weights=pairs["w"]).fit().params.iloc[0]
    assert of.total.sum() / of.share.sum() == pytest.approx(effect, abs=1e-10)
    total, share = clustered(of.total, found.cluster), clustered(of.share, found.cluster)
    sides = [_by_statsmodels(pairs, name) for name in ("cluster", "group")]
    assert one_way(total.sum(axis=1), share.sum(axis=1)).value == pytest.approx(sides[0], abs=1e-10)
    both = sum(sides) - _cells(pairs, pairs["w"] * (pairs["d"] - effect) / pairs["w"].sum())
    assert two_way(total, share).value == pytest.approx(max(both, *sides), abs=1e-10)
    _check_gap(of, pairs)


def _by_statsmodels(pairs, name):
    """The variance of the weighted mean over clusters: the HC2 of a weighted regression of their means."""
    sums = pairs.assign(d=pairs["d"] * pairs["w"]).groupby(name)[["d", "w"]].sum()
    fit = sm.WLS(sums["d"] / sums["w"], np.ones(len(sums)), weights=sums["w"]).fit(cov_type="HC2")
    return float(fit.cov_params().iloc[0, 0])


def _cells(pairs, score):
    """The variance of cells, rows and columns taken out in proportion to the weight in each cell."""
    table, share = (
        each.groupby([pairs["cluster"], pairs["group"]]).sum().unstack(fill_value=0) for each in (score, pairs["w"])
    )
    rest = table - share.mul(table.sum(axis=1) / share.sum(axis=1), axis=0)
    rest = rest - share * (table.sum() / share.sum())
    cells = int((share > 0).to_numpy().sum())
    return (rest**2).to_numpy().sum() * cells / (cells - share.shape[0] - share.shape[1] + 1)


def _check_gap(of, pairs):
    inside = (of.cells.people["inside"] == "in").to_numpy()
    got, here = gap(of, inside), pairs["inside"] == "in"
    assume(set(pairs.loc[here, "item_id"]) == set(pairs.loc[~here, "item_id"]))  # common items have a test of their own
    sides = [pairs[here], pairs[~here]]
    means = [np.average(side["d"], weights=side["w"]) for side in sides]
    assert got["gap"] == pytest.approx(means[0] - means[1], abs=1e-10)
    people = sum(
        max(_by_statsmodels(side, "cluster"), least_variance(of, which))
        for side, which in zip(sides, (inside, ~inside), strict=True)
    )
    scores = [(side["w"] * (side["d"] - mean)) / side["w"].sum() for side, mean in zip(sides, means, strict=True)]
    score = pd.concat([scores[0], -scores[1]])
    by_group = score.groupby(pairs["group"]).sum()
    share = pairs.groupby("group")["w"].sum() / pairs["w"].sum()
    both = people + (by_group**2 / (1 - share)).sum() - _cells(pairs, score)
    assert got["gap_error"] ** 2 == pytest.approx(max(people, both), abs=1e-10)


@settings(max_examples=30)
@given(st.lists(st.floats(0.01, 10), min_size=2, max_size=12))
def test_degrees_of_freedom_are_those_of_the_definition(weights):
    p = np.array(weights) / sum(weights)
    away = np.eye(len(p)) - np.outer(p, np.ones(len(p)))
    matrix = away @ np.diag(p**2 / (1 - p)) @ away.T
    wanted = np.trace(matrix) ** 2 / np.trace(matrix @ matrix)
    assert one_way(p * np.arange(len(p)), p).freedom == pytest.approx(wanted, rel=1e-3)
    assert one_way(np.ones(9), np.ones(9)).freedom == pytest.approx(8)  # equal clusters: n − 1


def test_no_interval_from_one_persona_or_one_item():
    alone = persona_effect(as_scores([[1, 0, 1]], BASELINE))
    assert alone.effect == pytest.approx(1 / 3)
    assert math.isnan(alone.people_low) and math.isnan(alone.items_low)
    one_item = persona_effect(as_scores([[1], [0], [1]], [0]))
    assert one_item.effect == pytest.approx(2 / 3)
    assert math.isnan(one_item.items_low)


def test_unparsed_answers_are_no_pairs_but_are_counted():
    nan = float("nan")
    found = persona_effect(as_scores([[nan, nan, nan], [nan, nan, nan]], [1, nan, 0]))
    assert found.pairs == 0 and math.isnan(found.effect)
    assert (found.invalid_without, found.invalid_with) == pytest.approx((1 / 3, 1.0))
    some = persona_effect(as_scores([[1, 0, nan], [1, nan, 1]], [0, nan, 0]))
    assert some.effect == pytest.approx(1.0)  # the item without a parsed baseline makes no pair
    assert some.pairs == 3


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


def test_the_neutral_control_is_not_a_persona():
    frame = as_scores(ANSWERS, BASELINE)
    control = frame[frame["persona_id"] != ""].assign(format="neutral", value=0.0)
    assert persona_effect(pd.concat([frame, control])) == persona_effect(frame)


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
