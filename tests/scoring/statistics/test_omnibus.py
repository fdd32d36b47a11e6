"""The omnibus tests: right under the null, whatever the spreads; silent where nothing can be told."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from scoring.statistics.designs.simulation import as_scores
from scoring.statistics.effect import Contributions
from scoring.statistics.omnibus import CONFOUNDED, FEW_ITEMS, ONE_TEXT, TOO_LITTLE, family, wald_test
from scoring.statistics.pairs import Part, cells


def contributions(answers):
    found = cells(Part("m", "b", as_scores(answers, np.full(np.shape(answers)[1], 0.5))))
    return Contributions.of(found, np.ones(len(found.people)))


def test_permutation_p_is_uniform_under_the_null_and_seeded():
    random = np.random.default_rng(7)
    level, survey = np.arange(40) % 4, np.arange(40) // 20
    p_values = []
    for seed in range(150):
        of = contributions(random.gamma(2, size=(40, 3)) + survey[:, None])  # levels are permuted within surveys
        found = family(of, level, survey, seed)
        p_values.append(found.omnibus_p)
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    assert family(of, level, survey, seed) == found


@pytest.mark.slow
def test_unequal_spread_is_no_difference():
    level, survey = np.repeat([0, 1], [10, 60]), np.zeros(70, dtype=int)
    spread, rejected = np.where(level == 0, 0.3, 0.03)[:, None], 0
    for seed in range(200):
        random = np.random.default_rng(seed)
        of = contributions(0.5 + spread * random.normal(size=(70, 1)) + 0.01 * random.normal(size=(70, 6)))
        rejected += family(of, level, survey, seed).omnibus_p <= 0.05
    assert rejected / 200 < 0.09  # 38 % where spreads are not taken into account, 8 to 10 % by the permutation alone


@pytest.mark.slow
def test_items_that_levels_take_differently_are_no_difference_for_items_like_these():
    level = np.repeat(np.arange(4), 15)
    p_values = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        shared = 0.2 * random.normal(size=(4, 10))[level]
        of = contributions(0.5 + shared + 0.1 * random.normal(size=(60, 10)))
        p_values.append(wald_test(of, level))
    assert np.mean(np.array(p_values) <= 0.05) < 0.1
    assert stats.kstest(p_values, "uniform").pvalue > 1e-4
    different = contributions(0.5 + 0.3 * (level == 0)[:, None] + 0.1 * random.normal(size=(60, 10)))
    assert wald_test(different, level) < 0.001


def test_a_survey_far_off_does_not_hide_what_levels_differ_by():
    random = np.random.default_rng(3)
    level, survey = np.arange(60) % 2, np.arange(60) // 30
    of = contributions(0.5 + 0.1 * level[:, None] + 5.0 * survey[:, None] + 0.1 * random.normal(size=(60, 6)))
    assert family(of, level, survey, 0).omnibus_p < 0.01


def test_what_cannot_be_told_is_said():
    random = np.random.default_rng(1)
    level = np.repeat([0, 1], 20)
    confounded = family(contributions(random.random((40, 8))), level, level, 0)
    assert math.isnan(confounded.omnibus_p) and confounded.omnibus_note == CONFOUNDED
    of = contributions(random.random((40, 8)))
    alike = Contributions.of(
        replace(of.cells, people=of.cells.people.assign(cluster=["one", *"abcdefghi"] * 4)), of.weight
    )
    all_read_one = family(alike, (np.arange(40) % 10 > 0).astype(int), np.zeros(40, dtype=int), 0)
    assert math.isnan(all_read_one.omnibus_p) and all_read_one.omnibus_note == ONE_TEXT
    many = family(contributions(random.random((40, 5))), np.arange(40) // 4, np.zeros(40, dtype=int), 0)
    assert math.isnan(many.omnibus_items_p) and many.omnibus_note == FEW_ITEMS
    still = family(contributions(np.full((40, 8), 0.5)), np.arange(40) % 2, np.zeros(40, dtype=int), 0)
    assert (
        math.isnan(still.omnibus_items_p) and TOO_LITTLE in still.omnibus_note and FEW_ITEMS not in still.omnibus_note
    )


@pytest.mark.parametrize("level", [np.zeros(4, dtype=int), np.full(4, -1)])
def test_nothing_to_compare(level):
    found = family(contributions(np.random.default_rng(2).random((4, 6))), level, np.zeros(4, dtype=int), 0)
    assert math.isnan(found.omnibus_p) and math.isnan(found.omnibus_items_p) and math.isnan(found.disparity)


def test_nothing_is_judged_where_nothing_varies():
    level = np.arange(40) % 4
    assert math.isnan(wald_test(contributions(np.tile([0.0, 1.0] * 6, (40, 1))), level))
    # what varies within one level alone leaves no variance for the others
    answers = np.tile([0.5] * 12, (40, 1))
    answers[level == 0] += np.random.default_rng(1).normal(size=(10, 12))
    assert not wald_test(contributions(answers), level) < 0
