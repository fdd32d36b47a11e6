"""Differential item functioning: the item that differs, and none where a level differs on all alike."""

import numpy as np
import pytest
from scipy import stats

from scoring.robustness.item_differences import item_difference_table
from scoring.statistics.designs.simulation import as_scores


def table(shift: np.ndarray, noise: float = 0.3):
    random = np.random.default_rng(1)
    level = np.repeat(["one", "other"], [30, 50])
    moved = np.where((level == "one")[:, None], shift, 0.0)
    answers = moved + noise * random.normal(size=(80, len(shift))) + 0.2 * random.normal(size=(80, 1))
    scores = as_scores(answers, np.zeros((1, len(shift))), None, {"level": level.tolist()})
    return answers, level, item_difference_table(scores, ["level"], 20)


def test_only_the_item_that_differs_is_found() -> None:
    answers, level, found = table(np.r_[0.5, np.zeros(19)])
    held = found[found["q"] < 0.05]
    assert set(held["item_id"]) == {"item 0"} and set(held["level"]) == {"one", "other"}
    row = held[held["level"] == "one"].iloc[0]
    rest = answers - answers.mean(axis=0)
    rest = (rest - rest.mean(axis=1, keepdims=True))[:, 0]
    sides = rest[level == "one"], rest[level == "other"]
    p = max(stats.ttest_ind(*sides, equal_var=equal).pvalue for equal in (True, False))
    assert (row["p"], row["difference"]) == pytest.approx((p, sides[0].mean() - sides[1].mean()))
    assert row["clusters"] == 30


def test_a_gap_on_all_items_is_no_difference_of_items() -> None:
    assert (table(np.full(20, 0.5))[2]["q"] > 0.05).all()


def test_items_that_hardly_anybody_answers_otherwise_are_not_tested() -> None:
    answers = np.zeros((80, 3))
    answers[:2, 0], answers[:40, 1] = 1, 1
    level = ["one", "other"] * 40
    found = item_difference_table(as_scores(answers, np.zeros((1, 3)), None, {"level": level}), ["level"])
    assert set(found["item_id"]) == {"item 1"}
