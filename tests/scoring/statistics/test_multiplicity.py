"""Adjusted p-values equal statsmodels'."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from scoring.statistics.multiplicity import adjusted


@pytest.mark.parametrize("size", [0, 1, 2, 40])
def test_equal_to_statsmodels_and_no_test_stays_none(size: int) -> None:
    p = np.round(np.random.default_rng(size).random(size) ** 3, 2)  # with ties
    if size > 2:
        p[[1, 7]] = np.nan
    there = ~np.isnan(p)
    holm, q = adjusted(p)
    assert np.isnan(holm[~there]).all() and np.isnan(q[~there]).all()
    if size:
        assert holm[there] == pytest.approx(multipletests(p[there], method="holm")[1], abs=1e-12)
        assert q[there] == pytest.approx(multipletests(p[there], method="fdr_bh")[1], abs=1e-12)
