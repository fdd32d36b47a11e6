"""Distances between answer distributions.

In plain numpy: `scipy.stats` would double the time that every command takes to start. The tests compare them with it.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]  # many distributions over the same options, a row each


def jensen_shannon(first: Sequence[float], second: Sequence[float]) -> float:
    """The Jensen-Shannon distance of two distributions over the same options, base 2: 0 equal, 1 disjoint.

    Each is normalised to sum 1. GlobalOpinionQA's similarity (Durmus et al. 2023) is one minus this. NaN where one of
    them has no mass.
    """
    if not sum(first) or not sum(second):
        return math.nan
    return float(jensen_shannon_rows(_shares(first), _shares(second)))


def ordinal_wasserstein(positions: Sequence[float], first: Sequence[float], second: Sequence[float]) -> float:
    """The 1-Wasserstein distance of two distributions over the same positions of a 0-1 scale: 0 equal, 1 furthest.

    It is the area between the two cumulative distributions. OpinionQA's alignment (Santurkar et al. 2023) is one minus
    this, WorldValuesBench's score is this. NaN where one of them has no mass.
    """
    if not sum(first) or not sum(second):
        return math.nan
    return float(wasserstein_rows(np.asarray(positions, dtype=float), _shares(first), _shares(second)))


def jensen_shannon_rows(first: Rows, second: Rows) -> Rows:
    """Jensen-Shannon distance, base 2, of matching rows, each of sum 1; rows of one broadcast."""
    p, q = np.broadcast_arrays(first, second)
    middle = (p + q) / 2
    divergence = sum(_divergence(each, middle) for each in (p, q)) / 2
    found: Rows = np.sqrt(np.maximum(divergence, 0.0))  # of equal distributions it may round to just below 0
    return found


def _divergence(shares: Rows, middle: Rows) -> Rows:
    ratio = np.divide(shares, middle, out=np.ones_like(middle), where=shares > 0)
    found: Rows = (shares * np.log2(ratio)).sum(axis=-1)
    return found


def wasserstein_rows(places: Rows, first: Rows, second: Rows) -> Rows:
    """1-Wasserstein distance of matching rows on the scale on which the options stand."""
    order = np.argsort(places, kind="stable")
    between = np.abs(np.cumsum((first - second)[..., order], axis=-1))[..., :-1]
    found: Rows = between @ np.diff(places[order])
    return found


def total_variation_rows(first: Rows, second: Rows) -> Rows:
    """Total variation distance of matching rows: the share of the answers that would have to change."""
    found: Rows = np.abs(first - second).sum(axis=-1) / 2
    return found


def distances(places: Rows | None, first: Rows, second: Rows) -> dict[str, Rows]:
    """All that are defined: "js", "tv", and "wasserstein" where the options are a scale."""
    found = {"js": jensen_shannon_rows(first, second), "tv": total_variation_rows(first, second)}
    return found if places is None else {**found, "wasserstein": wasserstein_rows(places, first, second)}


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
