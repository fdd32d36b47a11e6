"""The effect and its intervals: by hand, against statsmodels, and where there is nothing to estimate."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.statistics.clustered_errors import variances
from scoring.statistics.effect import Contributions, persona_effect
from scoring.statistics.pairs import Part, cells
from scoring.statistics.simulation import Design, as_scores, simulate
from scoring.statistics.subgroups import gap
from scoring.statistics.weights import persona_weights

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
    got = variances((of.total - of.share / 3) / of.share.sum(), of.share > 0)
    assert got.people == pytest.approx(3 / 2 * 2 / 81)
    assert got.two_way == pytest.approx((3 / 2 * 2 + 3 / 2 * 8 - 9 / 8 * 4) / 81)


def test_weights_by_hand():
    # scaled within country: x's two people weigh 0.5 and 1.5, y's one weighs 1; person means of d are 1/3, 2/3, 0.
    frame = as_scores(ANSWERS, BASELINE, people_columns={"country": ["x", "x", "y"]}, weight=[2.0, 6.0, 9.0])
    assert persona_effect(frame, weights="survey").effect == pytest.approx((0.5 / 3 + 1.5 * 2 / 3) / 3)
    # population: x has 3 adults for each of y's; its two people share the 3.
    by_population = persona_effect(frame, weights="population", population={"x": 3.0, "y": 1.0})
    assert by_population.effect == pytest.approx(3 * (0.25 / 3 + 0.75 * 2 / 3) / 4)
    assert persona_effect(frame, weights="survey").effective == pytest.approx(9 / (0.25 + 2.25 + 1))


@settings(max_examples=30, deadline=None)
@given(st.integers(10, 16), st.integers(10, 18), st.integers(0, 10**6), st.booleans())
def test_equals_statsmodels(people, items, seed, weighted):
    random = np.random.default_rng(seed)
    answers = random.random((people, items)).round(2)
    answers[random.random(answers.shape) < 0.2] = np.nan
    rows = [("", item, 0.5) for item in range(items)]
    rows += [(f"p{p}", i, answers[p, i]) for p in range(people) for i in range(items)]
    frame = pd.DataFrame(rows, columns=["persona_id", "item_id", "value"])
    alone = frame["persona_id"] == ""
    frame["cluster"] = frame["persona_id"].replace({"p1": "p0"})  # two respondents who read the same
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
    labels = np.column_stack([pd.factorize(pairs["cluster"])[0], pd.factorize(pairs["group"])[0]])

    def fit(design):
        model = sm.WLS(pairs["value"] - 0.5, design, weights=own / size)
        return model.fit(cov_type="cluster", cov_kwds={"groups": labels}), model.fit(
            cov_type="cluster", cov_kwds={"groups": labels[:, 0]}
        )

    both, one = fit(np.ones(len(pairs)))
    effect = of.total.sum() / of.share.sum()
    cluster = found.cluster
    sums = np.zeros((cluster.max() + 1, found.n_groups))
    np.add.at(sums, cluster, (of.total - effect * of.share) / of.share.sum())
    here = np.zeros_like(sums)
    np.add.at(here, cluster, of.share)
    got = variances(sums, here > 0)
    assert effect == pytest.approx(both.params.iloc[0], abs=1e-10)
    assert got.people == pytest.approx(one.cov_params().iloc[0, 0], abs=1e-10)
    if both.cov_params().iloc[0, 0] > 0:
        assert got.two_way == pytest.approx(both.cov_params().iloc[0, 0], abs=1e-10)
    inside = (found.people["inside"] == "in").to_numpy()
    _check_gap(of, inside, fit, pairs)


def _check_gap(of, inside, fit, pairs):
    got = gap(of, inside)
    if pairs.groupby("item_id")["inside"].nunique().min() < 2:
        return  # then the gap is of the items that both sides have
    both, one = fit(sm.add_constant((pairs["inside"] == "in").astype(float)))
    assert got["gap"] == pytest.approx(both.params.iloc[1], abs=1e-10)
    sides = min(len(set(of.cells.cluster[inside])), len(set(of.cells.cluster[~inside])))
    # statsmodels also multiplies by (N - 1)/(N - 2); ours by the smaller side's n/(n - 1)
    factor = sides / (sides - 1) * (len(pairs) - 2) / (len(pairs) - 1)
    larger = max(both.cov_params().iloc[1, 1], one.cov_params().iloc[1, 1])
    if of.cells.n_groups < 10:
        larger = one.cov_params().iloc[1, 1]
    if both.cov_params().iloc[1, 1] <= 0:
        return
    assert got["gap_error"] ** 2 == pytest.approx(factor * larger, abs=1e-10)


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


def test_no_variance_gives_a_point():
    found = persona_effect(as_scores([[1, 1, 1]] * 12, [1, 1, 1]))
    assert (found.effect, found.people_error, found.people_low, found.people_high) == (0, 0, 0, 0)


def test_few_clusters_get_the_wild_bootstrap_and_it_is_reproducible():
    scores = simulate(Design(8, 6), seed=3).scores
    first, again = persona_effect(scores, seed=5), persona_effect(scores, seed=5)
    assert first == again
    assert (first.people_method, first.items_method) == ("wild", "wild")
    assert first.people_low < first.effect < first.people_high
    assert first.items_high - first.items_low > 2 * 1.96 * first.items_error  # wider than a normal interval


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
    assert found.people_high - found.people_low > 4 * found.people_error  # one degree of freedom for two formats


def test_the_neutral_control_is_not_a_persona():
    frame = as_scores(ANSWERS, BASELINE)
    control = frame[frame["persona_id"] != ""].assign(format="neutral", value=0.0)
    assert persona_effect(pd.concat([frame, control])) == persona_effect(frame)
