"""Priced ways: the variance against simulated studies, and what the ways save."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.statistics.designs.power import Components
from scoring.statistics.designs.savings import (
    ADAPTIVE,
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


def test_adaptive_rounds_are_priced_where_it_is_known_what_varies() -> None:
    """Where all item groups vary alike they take about what balanced rounds do, and less where some never vary."""
    taken = {}
    for varying in (40, 16, 8):
        spreads = (*[(40 / varying) ** 0.5] * varying, *[0.0] * (40 - varying))
        ways = priced_ways(OF, 0.012, replace(POOL, spreads=spreads), SharedAnswers(0.7, 0.7))
        found = {way.name: way for way in ways}
        taken[varying] = found[ADAPTIVE].requests / found[ROUNDS].requests
    assert 0.97 < taken[40] < 1.12 and taken[16] < 0.85 and taken[8] < taken[16]


def test_what_no_number_of_people_reaches_is_left_out() -> None:
    assert priced_ways(OF, 0.001, POOL, SharedAnswers(0.7, 0.7)) == []
