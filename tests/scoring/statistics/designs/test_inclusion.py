"""Whole rows from drawn parts: right on average over every draw, exactly."""

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest

from scoring.statistics.designs.adaptive import in_proportion, systematic
from scoring.statistics.designs.inclusion import AskedCells, gain, row_weights, whole_rows

D = np.array([[0.0, 1.0, -1.0, 0.5], [1.0, 0.0, 0.0, -0.5], [0.25, -1.0, 1.0, 0.0]])
PLANNED = 3


def outcomes(chance: np.ndarray) -> list[tuple[float, tuple[int, ...]]]:
    """Every draw of a person with its probability."""
    edges = np.unique(np.round(np.r_[0.0, np.cumsum(chance) % 1.0, 1.0], 12))
    return [
        (high - low, tuple(systematic(chance, (low + high) / 2))) for low, high in pairwise(edges) if high - low > 1e-9
    ]


def estimates(number: np.ndarray, chance: np.ndarray, asked: int) -> np.ndarray:
    """What a study estimates that saw the cells of these rounds alone."""
    people = np.arange(3)
    told = AskedCells(number, chance, np.full(3, asked), np.full(3, PLANNED))
    return whole_rows(np.where(number > 0, D, np.nan), told, people)


def second_chances(number: np.ndarray) -> np.ndarray:
    """Chances of the second round by what the first one saw: any rule will do."""
    seen = np.where(number == 1, np.abs(D), 0.0).sum(axis=0) + 0.2
    return in_proportion(seen, number == 0, np.full(3, 1.3))


def test_every_cell_is_right_on_average_over_all_draws_of_two_rounds() -> None:
    first = outcomes(np.full(4, 0.35))
    mean, total = np.zeros(D.shape), 0.0
    for draws in product(first, repeat=3):
        number, chance = np.zeros(D.shape, dtype=np.int64), np.ones(D.shape)
        for row, (_, chosen) in enumerate(draws):
            number[row, list(chosen)], chance[row, list(chosen)] = 1, 0.35
        probability = float(np.prod([each for each, _ in draws]))
        later = second_chances(number)
        ways = []
        for row in range(3):
            left = np.flatnonzero(number[row] == 0)
            ways.append([(each, left[list(chosen)]) for each, chosen in outcomes(later[row, left])])
        for second in product(*ways):
            after, with_what = number.copy(), chance.copy()
            for row, (_, chosen) in enumerate(second):
                after[row, chosen], with_what[row, chosen] = 2, later[row, chosen]
            own = probability * float(np.prod([each for each, _ in second]))
            mean += own * estimates(after, with_what, 2)
            total += own
    assert total == pytest.approx(1)
    assert mean == pytest.approx(D, abs=1e-9)


def test_after_the_last_round_an_estimate_is_the_answer() -> None:
    number = np.array([[1, 2, 3, 3], [3, 1, 2, 3], [2, 3, 3, 1]])
    chance = np.where(number == 3, 1.0, 0.4)
    assert estimates(number, chance, 3) == pytest.approx(D)


def test_rounds_weigh_by_their_variance_with_equal_chances() -> None:
    """The weights of all rounds so far, from the definition."""
    for planned, until in ((8, 4), (3, 2), (5, 5), (1, 1)):
        variance = [(planned - s + 1) * (planned - s) * (1 if s == 1 else 0.75) for s in range(1, until + 1)]
        expected = np.array([1 / max(each, 1e-12) for each in variance])
        weights, left = [], 1.0
        for number in range(until, 0, -1):
            step = float(gain(number, np.array([planned]))[0])
            weights.append(step * left)
            left *= 1 - step
        assert weights[::-1] == pytest.approx((expected / expected.sum()).tolist()) and left == 0


def test_a_row_counts_what_its_answer_moves_the_estimate_by() -> None:
    """Beside the means of the others, which it moves for these, and which are taken to stand still here."""
    number, chance = np.array([[1, 2, 0, 0], [2, 1, 0, 0], [1, 0, 2, 0]]), np.full((3, 4), 0.3)
    person, item = np.nonzero(number)
    names = {"persona_id": [f"p{each}" for each in person], "asked_round": number[person, item].astype(float)}
    frame = pd.DataFrame({**names, "inclusion": 0.3, "rounds_asked": 2.0, "rounds_planned": 3.0})
    told = AskedCells(number, chance, np.full(3, 2), np.full(3, PLANNED))
    before = whole_rows(np.where(number > 0, D, np.nan), told, np.arange(3))
    for row, (who, what) in enumerate(zip(person, item, strict=True)):
        moved = D.copy()
        moved[who, what] += 1.0
        after = whole_rows(np.where(number > 0, moved, np.nan), told, np.arange(3))
        assert row_weights(frame)[row] == pytest.approx((after - before)[who].sum())
