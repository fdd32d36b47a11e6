"""Variances and intervals of clustered estimates, from a matrix of what each persona cluster and item group adds.

Every estimate here is linear: a sum of contributions, one a persona cluster (rows) and item group (columns). What a
variance needs are the residual contributions ("scores") and which cells exist.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Matrix = NDArray[np.float64]
Present = NDArray[np.bool_]
LEVEL = 0.95
FEW_CLUSTERS = 10
WILD_DRAWS = 999
_BISECTIONS = 14  # to a few ten-thousandths of a standard error


class Variances(NamedTuple):
    """One-way and two-way variances of an estimate, and how many clusters each side has; NaN under two clusters."""

    people: float
    two_way: float
    n_people: int
    n_groups: int


class Interval(NamedTuple):
    """A standard error, a 95 % interval and the t distribution's degrees of freedom; NaN where there is none."""

    error: float
    low: float
    high: float
    freedom: float


NO_INTERVAL = Interval(np.nan, np.nan, np.nan, np.nan)


def variances(scores: Matrix, present: Present) -> Variances:
    """Cameron, Gelbach & Miller (2011), equation 2.10: V = V_people + V_groups − V_both, each with G/(G−1).

    Where that is not positive, the larger one-way variance, as they advise (section 2.3).
    """
    n_people, n_groups = int(present.any(axis=1).sum()), int(present.any(axis=0).sum())
    people, groups = _one_way(scores.sum(axis=1), n_people), _one_way(scores.sum(axis=0), n_groups)
    both = people + groups - _one_way(scores.ravel(), int(present.sum()))
    return Variances(people, both if both > 0 else max(people, groups), n_people, n_groups)


def _one_way(sums: Matrix, clusters: int) -> float:
    return float(clusters / (clusters - 1) * (sums @ sums)) if clusters > 1 else np.nan


def quantile(level: float, freedom: float) -> float:
    """How many standard errors a two-sided interval at this level reaches: Student's t, normal where that is infinite.

    `scipy.stats` gives the same number, half a second of imports later.
    """
    side = (1 + level) / 2
    return float(special.ndtri(side) if np.isinf(freedom) else special.stdtrit(freedom, side))


def two_sided_p(t: float, freedom: float) -> float:
    """How likely a t at least as far from zero is by chance."""
    return float(2 * special.stdtr(freedom, -abs(t)))


def t_interval(effect: float, variance: float, freedom: float, level: float = LEVEL) -> Interval:
    """effect ± t(freedom) · √variance; NaN where the variance or the degrees of freedom are undefined."""
    if not (variance >= 0 and freedom > 0):
        return NO_INTERVAL
    error = float(np.sqrt(variance))
    half = quantile(level, freedom) * error
    return Interval(error, effect - half, effect + half, freedom)


def widened(interval: Interval, effect: float, variance: float, freedom: float, level: float = LEVEL) -> Interval:
    """The interval with an independent variance added: half-widths by Satterthwaite's approximate t.

    An interval that is not a t interval (the wild bootstrap's) keeps its shape: its two halves and the addition's are
    added in quadrature.
    """
    if not variance > 0 or np.isnan(interval.error):
        return interval
    own = interval.error**2
    total = own + variance
    if not np.isnan(interval.freedom):
        doubt = own**2 / interval.freedom + variance**2 / freedom  # none where what is added is known exactly
        return t_interval(effect, total, total**2 / doubt if doubt > 0 else np.inf, level)
    extra = quantile(level, freedom) * float(np.sqrt(variance))
    low, high = np.hypot(effect - interval.low, extra), np.hypot(interval.high - effect, extra)
    return Interval(float(np.sqrt(total)), effect - low, effect + high, np.nan)


def wild_interval(total: Matrix, share: Matrix, two_way: bool, seed: int, level: float = LEVEL) -> Interval:
    """The wild cluster bootstrap's interval for Σ total / Σ share, for fewer clusters than a t interval can bear.

    The null is imposed (Cameron, Gelbach & Miller 2008) and the test inverted by bisection; weights are Webb's six
    points, drawn for the side with fewer clusters (MacKinnon, Nielsen & Webb 2021), and the statistic is studentised
    with the two-way variance, or the persona-clustered one. NaN where no value can be excluded.
    """
    weight = share.sum()
    total, share, present = total / weight, share / weight, share > 0
    effect = float(total.sum())
    if not two_way:
        total, share, present = (each.sum(axis=1, keepdims=True) for each in (total, share, present))
        present = present > 0
    found = variances(total - effect * share, present)
    variance = found.two_way if two_way else found.people
    if not variance > 0:
        return t_interval(effect, variance, 1, level)
    if not two_way or found.n_people < found.n_groups:
        total, share, present = total.T, share.T, present.T
    error = float(np.sqrt(variance))
    test = _WildTest(total, share, present, effect / error, error, two_way, seed)
    low, high = (_excluded(test, effect, sign * error, 1 - level) for sign in (-1, 1))
    if not np.isfinite(low) or not np.isfinite(high):
        return NO_INTERVAL
    return Interval(error, low, high, np.nan)


class _WildTest:
    """p(null): how often the bootstrap's |t| reaches the observed one. Columns are the clusters that get weights."""

    def __init__(
        self, total: Matrix, share: Matrix, present: Present, t: float, error: float, two_way: bool, seed: int
    ) -> None:
        points = np.sqrt([0.5, 1.0, 1.5])
        random = np.random.default_rng(seed)
        self.weights = random.choice(np.r_[-points, points], size=(WILD_DRAWS, total.shape[1]))
        self.total, self.share, self.t, self.error, self.two_way = total, share, t, error, two_way
        self.rows = self.weights @ total.T, self.weights @ share.T
        counts = (present.any(axis=1).sum(), present.any(axis=0).sum(), present.sum())
        self.factors = [count / (count - 1) if count > 1 else 0.0 for count in counts]

    def p_value(self, null: float) -> float:
        scores = self.total - null * self.share
        moved = self.weights @ scores.sum(axis=0)
        columns = self.weights * scores.sum(axis=0) - np.outer(moved, self.share.sum(axis=0))
        variance = by_column = self.factors[1] * (columns**2).sum(axis=1)
        if self.two_way:
            rows = self.rows[0] - null * self.rows[1] - np.outer(moved, self.share.sum(axis=1))
            by_row = self.factors[0] * np.einsum("ij,ij->i", rows, rows)
            cells = (
                self.weights**2 @ (scores**2).sum(axis=0)
                - 2 * moved * (self.weights @ (scores * self.share).sum(axis=0))
                + moved**2 * (self.share**2).sum()
            )
            both = by_row + by_column - self.factors[2] * cells
            variance = np.where(both > 0, both, np.maximum(by_row, by_column))
        observed = abs(self.t - null / self.error)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = np.abs(moved) / np.sqrt(variance)
        return float(np.mean(~(statistic < observed * (1 - 1e-12))))


def _excluded(test: _WildTest, effect: float, step: float, alpha: float) -> float:
    """The edge of the values that the test does not reject, on the side of `step`; infinite where there is none."""
    inside, outside = effect, effect + 2 * step
    for _ in range(12):
        if test.p_value(outside) < alpha:
            break
        inside, outside = outside, effect + 2 * (outside - effect)
    else:
        return float(np.inf)
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if test.p_value(middle) < alpha:
            outside = middle
        else:
            inside = middle
    return outside
