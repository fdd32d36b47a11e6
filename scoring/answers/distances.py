"""Distances between answer distributions.

In plain numpy: `scipy.stats` would double the time that every command takes to start. The tests compare them with it.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def jensen_shannon(first: Sequence[float], second: Sequence[float]) -> float:
    """The Jensen-Shannon distance of two distributions over the same options, base 2: 0 equal, 1 disjoint.

    Each is normalised to sum 1. GlobalOpinionQA's similarity (Durmus et al. 2023) is one minus this. NaN where one of
    them has no mass.
    """
    if not sum(first) or not sum(second):
        return math.nan
    p, q = _shares(first), _shares(second)
    middle = (p + q) / 2
    divergence = sum(float((each[each > 0] * np.log2(each[each > 0] / middle[each > 0])).sum()) for each in (p, q)) / 2
    return math.sqrt(max(0.0, divergence))  # of equal distributions it may round to just below 0


def ordinal_wasserstein(positions: Sequence[float], first: Sequence[float], second: Sequence[float]) -> float:
    """The 1-Wasserstein distance of two distributions over the same positions of a 0-1 scale: 0 equal, 1 furthest.

    It is the area between the two cumulative distributions. OpinionQA's alignment (Santurkar et al. 2023) is one minus
    this, WorldValuesBench's score is this. NaN where one of them has no mass.
    """
    if not sum(first) or not sum(second):
        return math.nan
    places = np.asarray(positions, dtype=float)
    order = np.argsort(places, kind="stable")
    between = np.abs(np.cumsum((_shares(first) - _shares(second))[order]))[:-1]
    return float((between * np.diff(places[order])).sum())


def unit_scale(positions: Sequence[float]) -> tuple[float, ...]:
    """Positions moved to [0, 1], the least to 0 and the greatest to 1. Raises ValueError where they are all equal."""
    least, greatest = min(positions), max(positions)
    if least == greatest:
        raise ValueError("has a scale whose options all stand in one place")
    return tuple((each - least) / (greatest - least) for each in positions)


def _shares(weights: Sequence[float]) -> NDArray[np.float64]:
    raw = np.asarray(weights, dtype=np.float64)
    shares: NDArray[np.float64] = raw / raw.sum()
    return shares
