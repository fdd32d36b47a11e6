"""Looking at many subgroups: adjusted p-values, and what permuting the attribute would have given."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.pairs import Codes, clustered
from scoring.statistics.weights import Floats

PERMUTATIONS = 1999
_BLOCK = 4_000_000


class Family(NamedTuple):
    """One benchmark × model × attribute, judged as a whole.

    `omnibus_p` is a permutation test of "no level differs"; `disparity` is max − min of Δ over the levels, which is
    biased upward: `disparity_null` is its median where the attribute does not matter.
    """

    omnibus_p: float
    disparity: float
    disparity_null: float


def adjusted(p_values: Floats) -> tuple[Floats, Floats]:
    """Holm's (1979) adjusted p and Benjamini & Hochberg's (1995) q; a NaN is no test and stays NaN."""
    from statsmodels.stats.multitest import multipletests  # a second of imports, and only a report needs it

    holm, q = np.full(len(p_values), np.nan), np.full(len(p_values), np.nan)
    tested = ~np.isnan(p_values)
    if tested.any():
        holm[tested] = multipletests(p_values[tested], method="holm")[1]
        q[tested] = multipletests(p_values[tested], method="fdr_bh")[1]
    return holm, q


def family(means: Floats, weight: Floats, level: Codes, cluster: Codes, survey: Codes, seed: int) -> Family:
    """The omnibus test and the disparity of one attribute.

    `means` is each persona's mean difference, `level` its level (−1: not in the family). The statistic is the weighted
    between-level sum of squares Σ_g W_g (Δ_g − Δ)²; levels are permuted over persona clusters within survey (Good
    2005), and the observed order counts as one of the permutations.
    """
    used = (level >= 0) & ~np.isnan(means)
    _, unit = np.unique(np.column_stack([cluster, level, survey])[used], axis=0, return_inverse=True)
    if not len(unit) or len(np.unique(level[used])) < 2:
        return Family(np.nan, np.nan, np.nan)
    weight_of = clustered(weight[used], unit)
    total = clustered((weight * means)[used], unit)
    first = np.unique(unit, return_index=True)[1]
    levels = np.unique(level[used][first], return_inverse=True)[1]
    blocks = survey[used][first]
    random = np.random.default_rng(seed)
    size = max(1, _BLOCK // len(levels))
    found = [_statistics(levels[None, :], total, weight_of)]
    for start in range(0, PERMUTATIONS, size):
        shuffled = _shuffled(levels, blocks, min(size, PERMUTATIONS - start), random)
        found.append(_statistics(shuffled, total, weight_of))
    statistic, disparity = (np.concatenate(each) for each in zip(*found, strict=True))
    # rounding must not tell a permutation from the order that was observed
    p = float(np.mean(statistic >= statistic[0] * (1 - 1e-9)))
    return Family(p, float(disparity[0]), float(np.nanmedian(disparity[1:])))


def _shuffled(levels: Codes, blocks: Codes, count: int, random: np.random.Generator) -> Codes:
    """`count` rows, each the levels permuted within blocks."""
    rows = np.tile(levels, (count, 1))
    for block in np.unique(blocks):
        columns = np.flatnonzero(blocks == block)
        rows[:, columns] = random.permuted(rows[:, columns], axis=1)
    return rows


def _statistics(levels: Codes, total: Floats, weight: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count, size = len(levels), int(levels.max()) + 1
    place = (np.arange(count)[:, None] * size + levels).ravel()
    sums = np.bincount(place, weights=np.tile(total, count), minlength=count * size).reshape(count, size)
    shares = np.bincount(place, weights=np.tile(weight, count), minlength=count * size).reshape(count, size)
    delta = sums / shares
    between = (shares * (delta - total.sum() / weight.sum()) ** 2).sum(axis=1)
    return between, delta.max(axis=1) - delta.min(axis=1)
