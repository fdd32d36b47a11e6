"""The distances against scipy's, on whatever distributions."""

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from scoring.answers.distances import jensen_shannon, ordinal_wasserstein, unit_scale

SHARE = st.one_of(st.just(0.0), st.floats(1e-3, 1))
PAIRS = st.integers(2, 9).flatmap(
    lambda n: st.tuples(*(st.lists(SHARE, min_size=n, max_size=n).filter(any) for _ in "pq"))
)


@given(PAIRS)
def test_jensen_shannon_is_scipys(pair: tuple[list[float], list[float]]) -> None:
    expected = jensenshannon(*pair, base=2)
    assert jensen_shannon(*pair) == pytest.approx(0.0 if math.isnan(expected) else expected, abs=1e-7)


@given(PAIRS, st.randoms())
def test_wasserstein_is_scipys_in_any_order_of_the_options(
    pair: tuple[list[float], list[float]], random: Random
) -> None:
    places = [random.random() for _ in pair[0]]
    assert ordinal_wasserstein(places, *pair) == pytest.approx(wasserstein_distance(places, places, *pair), abs=1e-12)


def test_ends_and_nothing() -> None:
    assert jensen_shannon([1, 0], [0, 2]) == 1.0 and jensen_shannon([0.1, 0.3], [1, 3]) == pytest.approx(0, abs=1e-7)
    assert ordinal_wasserstein([0, 0.5, 1], [1, 0, 0], [0, 0, 9]) == 1.0
    assert math.isnan(jensen_shannon([0, 0], [1, 0])) and math.isnan(ordinal_wasserstein([0, 1], [1, 0], [0, 0]))
    assert unit_scale([4, 2, 3]) == (1.0, 0.0, 0.5)
    with pytest.raises(ValueError, match="all stand in one place"):
        unit_scale([2, 2])
