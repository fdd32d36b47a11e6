"""The pigeonhole bootstrap of sums over persona clusters and item groups (Owen, 2007)."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from scoring.statistics.clustered_errors import LEVEL, Matrix, quantile
from scoring.statistics.weights import Floats

DRAWS = 2000
Totals = Mapping[str, Floats]


class Draws(NamedTuple):
    """How often each persona cluster and each item group is drawn, a row a draw; ones in the first."""

    people: Matrix
    groups: Matrix


def pigeonhole_weights(people: int, groups: int, seed: int) -> Draws:
    """Clusters of people and groups of items, each drawn with replacement and independently."""
    random = np.random.default_rng(seed)
    return Draws(*(_draws(random, count) for count in (people, groups)))


def drawn_totals(sums: Matrix, draws: Draws) -> Matrix:
    """The totals of cluster × group matrices, a row each: as observed first, then in each draw."""
    count, people, groups = sums.shape
    drawn = draws.people @ sums.transpose(1, 0, 2).reshape(people, count * groups)  # the draws are read once for all
    totals: Matrix = np.einsum("dcg,dg->cd", drawn.reshape(len(drawn), count, groups), draws.groups)
    return totals


def _draws(random: np.random.Generator, count: int) -> Matrix:
    """How often each of `count` is drawn: ones first, then multinomial draws."""
    drawn = random.multinomial(count, np.full(count, 1 / count), size=DRAWS) if count else np.zeros((DRAWS, 0))
    return np.vstack([np.ones((1, count)), drawn])


def interval_of(without: Floats, with_persona: Floats, clusters: int) -> dict[str, float]:
    """Point estimates from the first entry; the effect's 95 % interval from the spread of the others.

    It is ± t · s · √(G / (G − 1)) with G − 1 degrees of freedom, G the clusters of the smaller side (`clusters`): a
    percentile interval knows neither how few they are nor that a resample of G spreads too little by that factor. NaN
    under two clusters, or where a tenth of the draws is undefined.
    """
    effect = with_persona - without
    drawn = effect[1:][np.isfinite(effect[1:])]
    low = high = math.nan
    if clusters > 1 and len(drawn) > 0.9 * (len(effect) - 1) and math.isfinite(effect[0]):
        spread = float(drawn.std(ddof=1))
        half = quantile(LEVEL, clusters - 1) * spread * math.sqrt(clusters / (clusters - 1))
        if spread > 0:  # where no draw differs from another there is nothing to judge by
            low, high = float(effect[0]) - half, float(effect[0]) + half
    names = ("without", "with_persona", "effect", "low", "high")
    return dict(zip(names, map(float, (without[0], with_persona[0], effect[0], low, high)), strict=True))
