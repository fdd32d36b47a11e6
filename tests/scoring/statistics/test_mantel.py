"""Embedding similarity against trait similarity."""

import math

import numpy as np
import pytest

from scoring.statistics.mantel import coherence, gower, group_coherence


def test_gower_by_hand():
    codes = np.array([[1, 1, 2], [3, 1, math.nan], [5, 2, 2.0]])
    found = gower(codes, np.array([True, False, False]))
    assert found[0, 1] == pytest.approx((0.5 + 1) / 2)  # the third trait is unanswered
    assert found[0, 2] == pytest.approx((0 + 0 + 1) / 3)


def test_similar_people_embedded_similarly_or_not():
    random = np.random.default_rng(1)
    traits = random.integers(0, 3, (40, 8)).astype(float)
    similarity = gower(traits, np.zeros(8, dtype=bool))
    onehot = np.concatenate([traits == value for value in range(3)], axis=1).astype(float)
    close = coherence(onehot + random.normal(0, 0.1, onehot.shape), similarity, permutations=199)
    assert close.correlation > 0.9 and close.p == pytest.approx(1 / 200) and abs(close.shuffled) < 0.1
    chance = coherence(random.normal(size=(40, 16)), similarity, permutations=199)
    assert chance.p > 0.01
    assert math.isnan(coherence(np.ones((2, 4)), np.ones((2, 2))).p)


def test_groups_that_answer_alike_and_are_embedded_alike_are_found() -> None:
    random = np.random.default_rng(0)
    levels = np.repeat([f"g{place}" for place in range(8)], 20)
    place = np.repeat(np.arange(8), 20) / 8
    codes = (random.random((160, 3)) < 0.1 + 0.8 * place[:, None]).astype(float)
    angle = place[:, None] * 1.5 + 0.1 * random.normal(size=(160, 1))
    near = np.hstack([np.cos(angle), np.sin(angle)])
    groups, people, found = group_coherence(near, codes, list(levels))
    assert (groups, people) == (8, 160) and found.correlation > 0.8 and found.p < 0.01
    assert abs(found.shuffled) < 0.2
    assert np.isnan(group_coherence(near[:80], codes[:80], list(levels[:80]))[2].correlation)
