"""The people whom a persona costs most: Δ of the worst tenth, with a bound that knows that they were selected.

The tenth with the lowest Δ is low by luck too. Item groups are split in two: one half picks the people, the other half
says what their Δ is, and the other way round (cross-fitting). What is found is Δ of the people whom half of the items
pick out. The worst tenth by all of the items at once is `seen`: with the luck in it, and lower than the truth on
average, because noise spreads people's means further than they are (Jensen's inequality for the mean of a tail).
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scoring.benchmarks.registry import measured
from scoring.robustness.text_means import TextMeans
from scoring.statistics.clustered_errors import Variance, Vector, cell_variance, one_way, quantile, satterthwaite
from scoring.statistics.effect import contributions
from scoring.statistics.pairs import Scores, parts
from scoring.statistics.weights import effective_n

SHARE = 0.1
LEAST_TEXTS = 5  # persona clusters in the tenth, and item groups in a half, below which there is no bound
LEVEL = 0.975  # of one side: tails are skewed, and a bound at 95 % held in 92 to 97 % of simulated studies


@dataclass(frozen=True, slots=True)
class WorstTenth:
    """Δ of the worst tenth in score units.

    `seen` by all items, selection included; `effect` by the half that did not pick them, with its standard error,
    degrees of freedom, and the one-sided `bound` on what it is for people and items like these, which holds in at least
    95 % of simulated studies. NaN where the tenth has under five persona clusters, or a half under five item groups.
    """

    clusters: int
    groups: int
    chosen: int
    seen: float
    effect: float
    error: float
    freedom: float
    bound: float


def worst_tenth_table(scores: Scores, seed: int = 0) -> pd.DataFrame:
    """A row per model, benchmark and measure: `WorstTenth`, and which `side` of Δ the bound is on.

    "at least" where higher is better, "at most" where lower is.

    Nothing of benchmarks that are unbiased at one half: there no direction is worse.
    """
    rows = []
    for part in parts(scores):
        known = measured(part.benchmark)
        better = known.better if known else "higher"
        if better == "half":
            continue
        for name in part.measures:
            pairs = part.pairs(name)
            if not len(pairs.person):
                continue
            means = TextMeans.of(contributions(part, name))
            found = asdict(worst_tenth(means, better == "higher", seed))
            head = {"model": part.model, "benchmark": part.benchmark, "measure": name}
            size = {"personas": len(pairs.people), "items": pairs.n_items}
            rows.append({**head, **size, **found, "side": "at least" if better == "higher" else "at most"})
    return pd.DataFrame(rows)


def worst_tenth(means: TextMeans, higher_is_better: bool = True, seed: int = 0, share: float = SHARE) -> WorstTenth:
    """The worst share of the people by weight, cross-fitted over two halves of the item groups."""
    sign = 1.0 if higher_is_better else -1.0
    random = np.random.default_rng(seed)
    first, whole = means.halves(random), np.ones(means.groups, dtype=bool)
    own = means.on(whole)
    everybody, _ = _lowest(sign * own, means.weight, share, random)
    seen = float(np.average(own[everybody], weights=means.weight[everybody]))
    nothing = WorstTenth(means.clusters, means.groups, int(everybody.sum()), seen, *(math.nan,) * 4)
    if min(first.sum(), (~first).sum()) < LEAST_TEXTS:
        return nothing
    sides = list(_sides(means, first, sign, share, random))
    chosen = min(int(side.people) for side in sides)
    effect = float(np.mean([side.effect for side in sides]))
    if chosen < LEAST_TEXTS:
        return WorstTenth(means.clusters, means.groups, chosen, seen, effect, *(math.nan,) * 3)
    variance = _crossed(sides)
    error = math.sqrt(variance.value) if variance.value > 0 else math.nan
    reach = quantile(2 * LEVEL - 1, variance.freedom) * error
    return WorstTenth(
        means.clusters, means.groups, chosen, seen, effect, error, variance.freedom, effect - sign * reach
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """The people whom one half picked, measured on the other.

    How many, Δ, its variance over people, over item groups, and what the cells alone explain.
    """

    people: int
    effect: float
    of_people: Variance
    of_groups: Variance
    cells: float


def _sides(
    means: TextMeans, first: NDArray[np.bool_], sign: float, share: float, random: np.random.Generator
) -> Iterator[_Side]:
    for picking, telling in ((first, ~first), (~first, first)):
        told = means.share[:, telling].sum(axis=1) > 0
        score = np.where(told, sign * means.on(picking), np.nan)
        chosen, margin = _lowest(score, means.weight, share, random)
        total, part = means.total[chosen][:, telling], means.share[chosen][:, telling]
        effect = float(total.sum() / part.sum())
        people = one_way(total.sum(axis=1), part.sum(axis=1))
        beside = means.total[margin][:, telling].sum() / means.share[margin][:, telling].sum()
        people = people._replace(value=people.value + _of_threshold(effect - float(beside), part.sum(axis=1), share))
        groups = one_way(total.sum(axis=0), part.sum(axis=0))
        cells = cell_variance((total - effect * part) / part.sum(), part)
        yield _Side(int(chosen.sum()), effect, people, groups, cells)


def _of_threshold(distance: float, weight: Vector, share: float) -> float:
    """What the place of the threshold, which other people would move, adds to the variance of a tail's mean.

    By the distance between the tail and its margin (the influence function of expected shortfall).
    """
    return (1 - share) * distance**2 / effective_n(weight)


def _lowest(
    score: Vector, weight: Vector, share: float, random: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Those of the lowest score who hold this share of the weight, and as many at the margin.

    Ties are broken at random.
    """
    known = np.flatnonzero(~np.isnan(score))
    order = random.permutation(known)
    order = order[np.argsort(score[order], kind="stable")]
    cumulated = np.cumsum(weight[order]) / weight[known].sum()
    count = int(np.searchsorted(cumulated, share - 1e-12)) + 1
    chosen, margin = np.zeros(len(score), dtype=bool), np.zeros(len(score), dtype=bool)
    chosen[order[:count]] = True
    margin[order[count // 2 : count + -(-count // 2)]] = True
    return chosen, margin


def _crossed(sides: list[_Side]) -> Variance:
    """The variance of the mean of both sides.

    Mostly the same people are picked twice, so that what people add is taken to be wholly shared; the item groups of
    the halves are different ones, and add independently.
    """
    error = float(np.mean([math.sqrt(side.of_people.value) for side in sides]))
    people = Variance(error**2, min(side.of_people.freedom for side in sides))
    groups = [Variance(side.of_groups.value / 4, side.of_groups.freedom) for side in sides]
    beyond = sum(max(0.0, side.of_groups.value - side.cells) for side in sides) / 4
    value = max(people.value + beyond, sum(each.value for each in groups))
    return Variance(value, satterthwaite(value, people, *groups))
