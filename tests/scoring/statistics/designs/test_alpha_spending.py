"""Bounds of looks: published tables, and what they are for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from scoring.statistics.designs.alpha_spending import confidence

SHRINKING = tuple(k**-0.5 for k in range(1, 6))


def bound(errors: tuple[float, ...], looks: int) -> float:
    return float(stats.norm.ppf((1 + confidence(errors, looks)) / 2))


def test_five_equal_parts_have_the_bounds_of_the_published_tables():
    """Lan-DeMets with the Pocock-type function, two-sided 5 %: as in Jennison & Turnbull's and PASS's tables."""
    found = [bound(SHRINKING[: k + 1], 5) for k in range(5)]
    assert found == pytest.approx([2.4380, 2.4268, 2.4101, 2.3966, 2.3859], abs=0.02)


def test_one_look_is_the_plain_interval():
    assert confidence((0.3,), 1) == pytest.approx(0.95, abs=2e-3)


def test_looks_that_learn_nothing_new_cost_nothing():
    assert bound((0.1,) * 8, 8) == pytest.approx(stats.norm.ppf(0.975), abs=0.01)


@settings(max_examples=20)
@given(some.lists(some.floats(0.05, 1.0), min_size=1, max_size=8), some.integers(0, 4))
def test_all_looks_together_keep_to_five_percent(errors, more):
    """Whatever the errors are, paths of the same process leave the bounds in at most 5 of 100 cases."""
    errors = tuple(sorted(errors, reverse=True))
    looks = len(errors) + more
    information = np.array(errors) ** -2.0
    random = np.random.default_rng(5)
    steps = random.standard_normal((40_000, len(errors))) * np.sqrt(np.diff(information, prepend=0.0))
    bounds = [bound(errors[: k + 1], looks) for k in range(len(errors))]
    left = (np.abs(np.cumsum(steps, axis=1) / np.sqrt(information)) > bounds).any(axis=1).mean()
    assert left == pytest.approx(0.05 * np.log1p((np.e - 1) * len(errors) / looks), abs=0.005)


@pytest.mark.parametrize(("errors", "looks"), [((), 3), ((0.1, 0.1), 1), ((0.1, 0.0), 3)])
def test_looks_that_cannot_be(errors, looks):
    with pytest.raises(ValueError, match=f"of {looks} looks"):
        confidence(errors, looks)
