"""The worst tenth: who is picked, what selection does, and which way is worse."""

import math

import numpy as np
import pandas as pd
import pytest

from scoring.robustness.text_means import TextMeans
from scoring.robustness.worst_tenth import worst_tenth, worst_tenth_table
from scoring.statistics.designs.simulation import as_scores


def means(d: np.ndarray, weight: np.ndarray | None = None) -> TextMeans:
    share = np.ones(d.shape) if weight is None else np.tile(weight[:, None], d.shape[1])
    return TextMeans(d * share, share)


def test_people_who_differ_alike_on_every_item_are_picked_by_either_half() -> None:
    own = np.random.default_rng(2).normal(size=100)
    found = worst_tenth(means(np.tile(own[:, None], 20)))
    assert found.chosen == 10
    assert found.seen == pytest.approx(np.sort(own)[:10].mean()) == found.effect
    assert found.bound < found.effect


def test_what_luck_alone_picks_is_no_worse_than_everybody() -> None:
    random = np.random.default_rng(3)
    found = [worst_tenth(means(random.normal(size=(100, 20))), seed=seed) for seed in range(40)]
    assert np.mean([each.seen for each in found]) == pytest.approx(-1.755 / math.sqrt(20), abs=0.03)
    assert np.mean([each.effect for each in found]) == pytest.approx(0, abs=0.03)


def test_a_tenth_is_a_tenth_of_the_weight() -> None:
    own = np.arange(60.0)
    heavy = np.where(own < 3, 19.0, 1.0)  # the first three hold half of the weight
    assert worst_tenth(means(np.tile(own[:, None], 20), heavy)).chosen == 1


def test_where_lower_is_better_the_highest_are_the_worst() -> None:
    d = np.random.default_rng(4).normal(size=(80, 24))
    one, other = worst_tenth(means(d), seed=5), worst_tenth(means(-d), higher_is_better=False, seed=5)
    assert (other.seen, other.effect, other.bound) == pytest.approx((-one.seen, -one.effect, -one.bound))


def test_people_who_read_the_same_are_one_and_few_say_nothing() -> None:
    random = np.random.default_rng(5)
    text = [f"text {number // 10}" for number in range(200)]
    scores = as_scores(random.random((200, 12)), np.zeros((1, 12)), None, {"cluster": text})
    row = worst_tenth_table(scores).iloc[0]
    assert (row["personas"], row["clusters"], row["chosen"]) == (200, 20, 2)
    assert math.isnan(row["bound"]) and row["side"] == "at least"
    few_items = worst_tenth_table(as_scores(random.random((200, 9)), np.zeros((1, 9)))).iloc[0]
    assert math.isnan(few_items["bound"]) and not math.isnan(few_items["seen"])


def test_nobody_is_worse_where_one_half_is_unbiased() -> None:
    scores = as_scores(np.random.default_rng(6).random((60, 12)), np.zeros((1, 12)))
    assert worst_tenth_table(scores.assign(benchmark=pd.Categorical(["crows_pairs:choice"] * len(scores)))).empty
