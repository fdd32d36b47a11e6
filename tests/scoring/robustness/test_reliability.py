"""Split-half reliability beside Cronbach's alpha, which it equals where items are alike."""

import math

import numpy as np
import pytest

from scoring.robustness.reliability import reliability_table, split_half
from scoring.robustness.text_means import TextMeans
from scoring.statistics.designs.simulation import as_scores


def alpha(d: np.ndarray) -> float:
    count = d.shape[1]
    return float(count / (count - 1) * (1 - d.var(axis=0, ddof=1).sum() / d.sum(axis=1).var(ddof=1)))


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_it_is_alpha_of_alike_items(spread: float) -> None:
    random = np.random.default_rng(1)
    d = spread * random.normal(size=(200, 1)) + random.normal(size=(200, 20))
    found = split_half(TextMeans(d, np.ones(d.shape)))
    assert found.reliability == pytest.approx(alpha(d), abs=0.01)
    assert found.reliability_low < found.reliability < found.reliability_high


def test_without_each_person_is_what_leaving_them_out_gives() -> None:
    from scoring.robustness.reliability import _mean_correlation

    one, two = np.random.default_rng(2).normal(size=(2, 3, 25))
    two = two + one
    _, left_out = _mean_correlation(one, two)
    again = [np.corrcoef(np.delete(one[k], 7), np.delete(two[k], 7))[0, 1] for k in range(3)]
    assert left_out[7] == pytest.approx(np.mean(again))


def test_nobody_who_differs_is_no_row() -> None:
    assert reliability_table(as_scores(np.zeros((30, 12)), np.zeros((1, 12)))).empty
    assert math.isnan(split_half(TextMeans(np.zeros((5, 12)), np.ones((5, 12)))).reliability)
