"""What adaptive rounds would take: spreads of item groups, and the variance that is left, against simulated draws."""

import numpy as np
import pytest

from scoring.statistics.designs.adaptive import chances, spread, systematic
from scoring.statistics.designs.adaptive_price import group_spreads, left_to_know
from scoring.statistics.designs.inclusion import AskedCells, whole_rows
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.pairs import Part


def test_with_equal_spreads_nearly_what_a_plain_sample_leaves_is_left() -> None:
    found = left_to_know((1.0,) * 40, 8, 10**6)
    plain = [1 / (5 * number) - 1 / 40 for number in range(1, 9)]
    assert found == pytest.approx(plain, rel=0.03) and found[0] == pytest.approx(plain[0], rel=1e-4)


def test_what_is_left_is_what_simulated_rounds_leave() -> None:
    spreads = np.array([2.0] * 10 + [0.0] * 30)
    random, errors = np.random.default_rng(3), []
    for _ in range(60):
        d = spreads * random.normal(size=(40, 40))
        number, chance = np.zeros(d.shape, dtype=np.int64), np.ones(d.shape)
        for current in (1, 2, 3):
            left, seen = number == 0, number > 0
            own = chances(left, spread(np.where(seen, d, 0.0), seen, np.zeros(40, dtype=np.int64)), 5.0)
            for row in range(40):
                groups = random.permutation(np.flatnonzero(left[row]))
                chosen = groups[systematic(own[row, groups], random.random())]
                number[row, chosen], chance[row, chosen] = current, own[row, chosen]
        told = AskedCells(number, chance, np.full(40, 3), np.full(40, 8))
        errors.append(whole_rows(np.where(number > 0, d, np.nan), told, np.arange(40)).mean(axis=1) - d.mean(axis=1))
    expected = left_to_know(tuple(spreads.tolist()), 8, 40)[2]
    assert np.var(errors) == pytest.approx(expected, rel=0.15) and abs(np.mean(errors)) < 4 * (expected / 2400) ** 0.5


def test_spreads_are_told_where_answers_are_enough_and_are_drawn_together_where_they_differ_by_chance() -> None:
    random = np.random.default_rng(5)

    def spreads(answers: np.ndarray) -> np.ndarray:
        return np.array(group_spreads(Part("", "", as_scores(answers, np.zeros(20))).pairs()))

    alike = spreads(random.normal(size=(60, 20)))
    assert np.ptp(alike) < 0.25 and np.mean(alike**2) == pytest.approx(1)
    some = spreads(np.where(np.arange(20) < 8, random.normal(size=(60, 20)), 0.3))
    assert some[8:].max() < 0.4 and some[:8].min() > 1.2
    assert not len(spreads(random.normal(size=(6, 20)))) and not len(spreads(np.ones((60, 20))))
