"""The chances of adaptive rounds: what they sum to, their floor, and that each is drawn as often as it says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scoring.statistics.designs.adaptive import Spread, chances, drawn, in_proportion, spread, systematic
from scoring.statistics.designs.adaptive_floor import FLOOR

SIZES = arrays(np.float64, st.integers(1, 30), elements=st.floats(1e-3, 10))


def of_one(size: np.ndarray, total: float) -> np.ndarray:
    """The chances of one person."""
    return in_proportion(size, np.ones((1, len(size)), dtype=bool), np.array([total]))[0]


@given(SIZES, st.floats(0, 1))
def test_chances_sum_to_what_is_asked_and_keep_their_floor(size: np.ndarray, share: float) -> None:
    total = max(share * len(size), min(1.0, len(size)))
    found = of_one(size, total)
    assert found.sum() == pytest.approx(total)
    assert (found <= 1).all() and (found >= min(FLOOR, total / len(size)) - 1e-12).all()
    inside = (found > min(FLOOR, total / len(size)) + 1e-9) & (found < 1 - 1e-9)
    assert np.ptp(found[inside] / size[inside]) < 1e-6 * found.max() / size.min() if inside.any() else True


@given(SIZES, st.floats(0.05, 1))
def test_each_is_drawn_as_often_as_its_chance_says(size: np.ndarray, share: float) -> None:
    """Exactly: the starts between which nothing changes, by their length."""
    chance = of_one(size, share * len(size))
    ends = np.cumsum(chance)
    edges = np.unique(np.r_[0.0, ends % 1.0, 1.0])
    often = np.zeros(len(size))
    for low, high in pairwise(edges):
        if high - low < 1e-9:  # of rounding
            continue
        chosen = systematic(chance, (low + high) / 2)
        assert abs(len(chosen) - ends[-1]) < 1 + 1e-9
        often[chosen] += high - low
    assert often == pytest.approx(chance, abs=1e-6)


def test_a_draw_is_the_seeds_alone_and_of_every_order() -> None:
    chance = np.full(6, 0.5)
    assert drawn(chance, "a").tolist() == drawn(chance, "a").tolist()
    together = np.zeros((6, 6))
    for seed in range(4000):
        chosen = drawn(chance, seed)
        together[np.ix_(chosen, chosen)] += 1 / 4000
    assert np.diag(together) == pytest.approx(0.5, abs=0.03)
    assert (together > 0.1).all()  # any two may be drawn together
    assert sorted(drawn(np.ones(6), "b").tolist()) == list(range(6))


def test_what_varies_is_asked_more_and_what_does_not_at_the_floor() -> None:
    random = np.random.default_rng(1)
    rest, seen = np.zeros((60, 20)), random.random((60, 20)) < 0.5
    rest[:, :8] = random.normal(size=(60, 8))
    rest[30:, :8] *= 4
    found = spread(rest, seen, np.repeat([0, 1], 30))
    assert found.of_group[:8].min() > 2 * found.of_group[8:].max()
    assert found.of_person[40] > 1.5 * found.of_person[10]
    chance = chances(np.ones((60, 20), dtype=bool), found, 4.0)
    assert chance.sum() == pytest.approx(240, rel=0.01) and chance.min() == pytest.approx(FLOOR)
    assert chance[30:, :8].mean() > 2 * chance[:30, :8].mean() and chance[:, 8:].max() < 0.12


def test_before_anything_was_seen_all_chances_are_equal() -> None:
    found = spread(np.zeros((4, 10)), np.zeros((4, 10), dtype=bool), np.zeros(4, dtype=np.int64))
    assert chances(np.ones((4, 10), dtype=bool), found, 2.5) == pytest.approx(0.25)
    nothing = chances(np.zeros((4, 10), dtype=bool), Spread(np.ones(10), np.ones(4)), 2.5)
    assert not nothing.any()
