"""Two runs compared trial by trial."""

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.designs.simulation import as_scores
from scoring.tables.two_runs import difference_by_level, difference_table


def test_differences_by_hand():
    random = np.random.default_rng(2)
    one, two = random.random((12, 14)), random.random((12, 14))
    base = random.random((2, 14))
    table = difference_table(as_scores(one, base[0]), as_scores(two, base[1])).set_index("compared")
    assert table.loc["with persona", "effect"] == pytest.approx((two - one).mean())
    assert table.loc["baseline", "effect"] == pytest.approx((base[1] - base[0]).mean())
    assert table.loc["persona effect", "effect"] == pytest.approx(((two - base[1]) - (one - base[0])).mean())
    gap = (two - one).mean(axis=1)
    error = np.sqrt(gap.var(ddof=1) / 12)
    assert table.loc["with persona", "people_error"] == pytest.approx(error)


def test_only_trials_of_both_are_compared():
    one, two = np.ones((12, 14)), np.zeros((12, 14))
    one[0, :], two[1, 3] = np.nan, np.nan
    table = difference_table(as_scores(one, np.ones(14)), as_scores(two, np.ones(14))).set_index("compared")
    assert table.loc["with persona", "pairs"] == 11 * 14 - 1
    assert table.loc["with persona", "personas"] == 11


def test_runs_with_one_set_of_traits_each_are_compared_whichever_it_is():
    random = np.random.default_rng(3)
    values, base = random.random((12, 14)), random.random(14)
    one, two = (
        (frame := as_scores(values, base)).assign(traits=np.where(frame["persona_id"] == "", "", told))
        for told in ("demographic (10)", "demographic, value (33)")
    )
    assert set(difference_table(one, two)["compared"]) == {"baseline", "with persona", "persona effect"}


def test_replicates_are_averaged_and_none_is_lost():
    """One run asked twice, the other three times: the means of each are compared."""
    random = np.random.default_rng(4)
    answers = [random.random((12, 14)) for _ in range(5)]
    base = random.random((5, 14))
    one, two = (
        pd.concat([as_scores(answers[n], base[n]).assign(replicate=n) for n in numbers], ignore_index=True)
        for numbers in ((0, 1), (2, 3, 4))
    )
    table = difference_table(one, two).set_index("compared")
    difference = np.mean(answers[2:], axis=0) - np.mean(answers[:2], axis=0)
    assert table.loc["with persona", "effect"] == pytest.approx(difference.mean())
    assert table.loc["with persona", "pairs"] == 12 * 14
    assert table.loc["baseline", "effect"] == pytest.approx((base[2:].mean(axis=0) - base[:2].mean(axis=0)).mean())


def test_persona_weights_reach_the_difference():
    random = np.random.default_rng(5)
    one, two = random.random((12, 14)), random.random((12, 14))
    people = {"country": ["NOR"] * 9 + ["SWE"] * 3}
    first, second = (as_scores(values, np.zeros(14), None, people, [1.0] * 12) for values in (one, two))
    table = difference_table(first, second, weights="population", population={"NOR": 4.0, "SWE": 8.0})
    gap = (two - one).mean(axis=1)
    expected = (4 * gap[:9].mean() + 8 * gap[9:].mean()) / 12
    assert table.set_index("compared").loc["with persona", "effect"] == pytest.approx(expected)


def test_for_whom_it_differs_by_hand():
    random = np.random.default_rng(5)
    one, two, base = random.random((12, 14)), random.random((12, 14)), random.random((2, 14))
    levels = np.array(["old"] * 7 + ["young"] * 4 + ["few"])
    sides = []
    for values, alone in ((one, base[0]), (two, base[1])):
        scores = as_scores(values, alone)
        told = scores["persona_id"] != ""
        names = dict(zip(scores.loc[told, "persona_id"].unique(), levels, strict=True))
        sides.append(scores.assign(age=scores["persona_id"].map(names).fillna("")))
    table = difference_by_level(sides[0], sides[1], ["age", "absent"], 4).set_index("level")
    assert set(table.index) == {"old", "young"}
    effect = (two - base[1]) - (one - base[0])
    for level, rows in (("old", effect[:7]), ("young", effect[7:11])):
        assert table.loc[level, "effect"] == pytest.approx(rows.mean())
        assert table.loc[level, "personas"] == len(rows)
