"""Variance components and the designs that follow from them."""

import numpy as np
import pytest

from scoring.statistics.designs.power import DEFAULTS, Components, DesignLimits, cheapest, components, resolvable_gap
from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.pairs import Part, cells


def test_equal_to_the_two_way_anova_on_complete_data():
    random = np.random.default_rng(5)
    d = 0.3 + random.normal(0, 0.4, (30, 1)) + random.normal(0, 0.3, (1, 20)) + random.normal(0, 0.5, (30, 20))
    found = components(cells(Part("", "", as_scores(d, np.zeros(20)))), np.zeros(30, dtype=int))
    residual = d - d.mean(1, keepdims=True) - d.mean(0, keepdims=True) + d.mean()
    error = (residual**2).sum() / (29 * 19)
    assert found.residual == pytest.approx(error)
    assert found.persona == pytest.approx(d.mean(1).var(ddof=1) - error / 20)
    assert found.group == pytest.approx(d.mean(0).var(ddof=1) - error / 30)


def test_level_by_item_is_told_apart_and_missing_cells_do_not_bias():
    random = np.random.default_rng(6)
    level = np.arange(120) % 4
    shared = random.normal(0, 0.4, (4, 60))[level]
    d = shared + random.normal(0, 0.3, (1, 60)) + random.normal(0, 0.5, (120, 60))
    d[random.random(d.shape) < 0.3] = np.nan
    found = components(cells(Part("", "", as_scores(d, np.zeros(60)))), level)
    assert found.level_group == pytest.approx(0.16, abs=0.04)
    assert found.group == pytest.approx(0.09, abs=0.05)
    assert found.residual == pytest.approx(0.25, abs=0.02)


def test_cheapest_resolves_and_nothing_cheaper_does():
    of = Components(persona=0.01, group=0.05, level_group=0.001, residual=0.2)
    limits = DesignLimits(per_level=400, groups=200, usd=0.001)
    plan = cheapest(of, 0.05, 5, limits)
    assert plan is not None and plan.resolves <= 0.05
    assert plan.usd == pytest.approx(plan.requests * 0.001)
    assert resolvable_gap(of, plan.per_level - 1, 5, plan.groups) > 0.05 or plan.per_level == 10
    assert cheapest(of, 0.0001, 5, limits) is None
    assert resolvable_gap(of, 100, 5, 100) > resolvable_gap(of, 200, 5, 100)
    assert resolvable_gap(DEFAULTS, 100, 5, 100, rotations=3) < resolvable_gap(DEFAULTS, 100, 5, 100)
