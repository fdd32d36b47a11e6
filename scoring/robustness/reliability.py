"""Does the same person move on other items too? Split-half reliability of each person's Δ."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.robustness.text_means import TextMeans
from scoring.statistics.clustered_errors import Matrix, quantile
from scoring.statistics.effect import contributions
from scoring.statistics.pairs import Scores, parts

SPLITS = 100
LEAST_CLUSTERS, LEAST_GROUPS = 20, 10


class Reliability(NamedTuple):
    """The correlation of people's Δ on these items with their Δ on as many other items, with its 95 % interval.

    NaN where nobody differs, or under 20 persona clusters or 10 item groups.
    """

    reliability: float
    reliability_low: float
    reliability_high: float


def reliability_table(scores: Scores, seed: int = 0) -> pd.DataFrame:
    """A row per model, benchmark and measure: persona clusters, item groups, and `Reliability`."""
    rows = []
    for part in parts(scores):
        for name in part.measures:
            if not len(part.pairs(name).person):
                continue
            means = TextMeans.of(contributions(part, name))
            found = split_half(means, seed)
            if not math.isnan(found.reliability):
                head = {"model": part.model, "benchmark": part.benchmark, "measure": name}
                rows.append({**head, "clusters": means.clusters, "groups": means.groups, **found._asdict()})
    return pd.DataFrame(rows)


def split_half(means: TextMeans, seed: int = 0) -> Reliability:
    """The mean correlation of half-test Δ over 100 random halves of the item groups, stepped up to the whole test.

    Spearman & Brown (1910): 2r / (1 + r). The interval is the jackknife's over persona clusters, of Fisher's z.
    """
    random = np.random.default_rng(seed)
    if means.clusters < LEAST_CLUSTERS or means.groups < LEAST_GROUPS:
        return Reliability(math.nan, math.nan, math.nan)
    halves = [means.halves(random) for _ in range(SPLITS)]
    one, two = (np.array([means.on(half == side) for half in halves]) for side in (True, False))
    whole, left_out = _mean_correlation(one, two)
    if math.isnan(whole) or np.isnan(left_out).any() or abs(whole) >= 1 - 1e-9:
        return Reliability(whole if whole > 0 else math.nan, math.nan, math.nan)
    z, each = math.atanh(whole), np.arctanh(np.clip(left_out, -1 + 1e-9, 1 - 1e-9))
    count = len(each)
    error = math.sqrt((count - 1) / count * float(((each - each.mean()) ** 2).sum()))
    half = quantile(0.95, min(count, means.groups) - 1) * error  # no surer than the items are many
    return Reliability(*(_stepped_up(math.tanh(value)) for value in (z, z - half, z + half)))


def _stepped_up(r: float) -> float:
    return 2 * r / (1 + r)


def _mean_correlation(one: Matrix, two: Matrix) -> tuple[float, Matrix]:
    """The correlation of both halves over people, averaged over splits, and the same without each one person."""
    there = ~np.isnan(one) & ~np.isnan(two)
    x, y = np.where(there, one, 0.0), np.where(there, two, 0.0)
    x, y = x - _mean(x, there) * there, y - _mean(y, there) * there
    sums = [there.astype(float), x, y, x * x, y * y, x * y]
    whole = [each.sum(axis=1, keepdims=True) for each in sums]
    with np.errstate(invalid="ignore", divide="ignore"):
        all_of_them = _correlation(*whole)
        left_out = _correlation(*(total - each for total, each in zip(whole, sums, strict=True)))
    if np.isnan(all_of_them).all():
        return math.nan, np.full(one.shape[1], np.nan)
    kept = ~np.isnan(all_of_them[:, 0])
    return float(all_of_them[kept].mean()), left_out[kept].mean(axis=0)


def _mean(values: Matrix, there: NDArray[np.bool_]) -> Matrix:
    found: Matrix = values.sum(axis=1, keepdims=True) / np.maximum(there.sum(axis=1, keepdims=True), 1)
    return found


def _correlation(n: Matrix, x: Matrix, y: Matrix, xx: Matrix, yy: Matrix, xy: Matrix) -> Matrix:
    spread = (xx - x * x / n) * (yy - y * y / n)
    found: Matrix = np.where(spread > 1e-18, (xy - x * y / n) / np.sqrt(np.maximum(spread, 1e-300)), np.nan)
    return found
