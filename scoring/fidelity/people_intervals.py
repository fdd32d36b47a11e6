"""Means over people who may have read the same, with intervals for people like these."""

from typing import NamedTuple

import numpy as np

from scoring.statistics.clustered_errors import (
    EXACT,
    Interval,
    Mean,
    Variance,
    difference_interval,
    one_way,
    t_interval,
)
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats


class PeopleMean(NamedTuple):
    """A weighted mean, and its 95 % interval over clusters of people; NaN where there is none."""

    value: float
    low: float
    high: float


def clustered_variance(values: Floats, weight: Floats, cluster: Codes) -> tuple[float, Variance, int]:
    """The weighted mean, its variance clustered (CR2, `one_way`), and the number of clusters."""
    total, share = (np.bincount(cluster, weights=each).astype(float) for each in (weight * values, weight))
    return float(total.sum() / share.sum()), one_way(total, share), int((share > 0).sum())


def share_interval(values: Floats, weight: Floats, cluster: Codes) -> PeopleMean:
    """The interval of a mean of values between 0 and 1, which stays between them (`difference_interval`)."""
    if not len(values):
        return PeopleMean(np.nan, np.nan, np.nan)
    value, variance, clusters = clustered_variance(values, weight, cluster)
    found = difference_interval(Mean(value, variance, clusters), Mean(0.0, EXACT, np.inf))
    return PeopleMean(value, *_limits(found))


def mean_interval(values: Floats, weight: Floats, cluster: Codes) -> PeopleMean:
    """Student's t interval of a mean; none where nothing varies."""
    if not len(values):
        return PeopleMean(np.nan, np.nan, np.nan)
    value, variance, _ = clustered_variance(values, weight, cluster)
    return PeopleMean(value, *_limits(t_interval(value, variance if variance.value > 0 else Variance(np.nan, np.nan))))


def _limits(found: Interval) -> tuple[float, float]:
    return found.low, found.high
