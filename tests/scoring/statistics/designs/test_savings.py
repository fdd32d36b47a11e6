"""Priced ways: the variance against simulated studies, and what the ways save."""

import numpy as np
import pytest

from scoring.statistics.designs.power import Components
from scoring.statistics.designs.savings import (
    ALL_OF_THEM,
    COVARIATE,
    FULL,
    PART,
    ROUNDS,
    DesignPool,
    SharedAnswers,
    error,
    priced_ways,
)

OF = Components(persona=0.0025, group=0.0, level_group=0.0, residual=0.12)
POOL = DesignPool(people=600, groups=40)


def test_the_error_is_that_of_simulated_means() -> None:
    random = np.random.default_rng(1)
    means = []
    for _ in range(400):
        person, answer = 0.05 * random.normal(size=60), 0.12**0.5 * random.normal(size=(60, 5))
        means.append((person + answer.mean(axis=1)).mean())
    assert np.std(means) == pytest.approx(error(OF, 60, 5, DesignPool(600, 10**9)), rel=0.1)


def test_every_way_reaches_the_half_width_and_a_covariate_takes_about_one_minus_rho_squared() -> None:
    found = {way.name: way for way in priced_ways(OF, 0.02, POOL, SharedAnswers(0.7, 0.7))}
    assert list(found) == [FULL, PART, COVARIATE, ROUNDS, ALL_OF_THEM]
    assert all(way.half_width <= 0.02 for way in found.values())
    asked = {name: way.requests - POOL.groups for name, way in found.items()}
    assert asked[PART] < asked[FULL] and 0.51 < asked[COVARIATE] / asked[PART] < 0.6
    assert asked[ALL_OF_THEM] < 0.5 * asked[ROUNDS]
    assert found[COVARIATE].beside == 40 * 601 and found[PART].beside == 0


def test_what_no_number_of_people_reaches_is_left_out() -> None:
    assert priced_ways(OF, 0.001, POOL, SharedAnswers(0.7, 0.7)) == []
