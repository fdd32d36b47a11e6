"""Variances and degrees of freedom against statsmodels and against their definitions."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scoring.statistics.clustered_errors import one_way, two_way
from scoring.statistics.codes import clustered
from scoring.statistics.effect import Contributions
from scoring.statistics.gaps import gap, least_variance
from scoring.statistics.pairs import Part, cells
from scoring.statistics.weights import persona_weights


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
    by_group: pd.Series = score.groupby(pairs["group"]).sum()
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
