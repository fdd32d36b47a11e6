"""The pigeonhole bootstrap of sums over people and item groups (Owen, 2007)."""

import math
from collections.abc import Mapping

import numpy as np

from scoring.statistics.clustered_errors import LEVEL, Matrix
from scoring.statistics.pairs import Codes, Floats

DRAWS = 2000


Totals = Mapping[str, Floats]


def pigeonhole(sums: Mapping[str, Matrix], person: Codes, group: Codes, seed: int) -> dict[str, Floats]:
    """The total of each persona × group matrix: as observed first, then in each of the draws.

    Every matrix sees the same draw of personas and of groups; a one-row matrix (the baseline) only that of groups.
    """
    groups, people = int(group.max()) + 1, int(person.max(initial=-1)) + 1
    random = np.random.default_rng(seed)
    group_weight = _draws(random, groups)
    person_weight = _draws(random, people) if people else np.zeros((DRAWS + 1, 0))
    totals = {}
    for name, matrix in sums.items():
        if len(matrix) == 1 and people != 1:
            totals[name] = group_weight @ matrix[0]
        else:
            totals[name] = ((person_weight @ matrix) * group_weight).sum(axis=1)
    return totals


def _draws(random: np.random.Generator, count: int) -> Matrix:
    """How often each of `count` is drawn: ones first, then multinomial draws."""
    drawn = random.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return np.vstack([np.ones((1, count)), drawn])


def _row(without: Floats, with_persona: Floats) -> dict[str, float]:
    """Point estimates from the first entry, the percentile interval from the others."""
    effect = with_persona - without
    drawn = effect[1:][np.isfinite(effect[1:])]
    low, high = math.nan, math.nan
    if len(drawn) > 0.9 * (len(effect) - 1) > 0:
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    names = ("without", "with_persona", "effect", "low", "high")
    return dict(zip(names, map(float, (without[0], with_persona[0], effect[0], low, high)), strict=True))
