"""Variances, degrees of freedom and intervals of weighted means over clusters.

An estimate is Σ total / Σ share over persona clusters (rows) and item groups (columns). Variances are bias-reduced
(CR2) with the degrees of freedom of Bell & McCaffrey (2002): few clusters, unequal clusters and survey weights cost
degrees of freedom instead of coverage.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
LEVEL = 0.95
LEAST_GROUPS = 5  # item groups below which nothing is said of items like these
SCORE, T, BOUND, NONE = "score", "t", "bound", ""  # how an interval was made


class Variance(NamedTuple):
    """A variance and the degrees of freedom of its estimate: infinite where it is known exactly, NaN where unknown."""

    value: float
    freedom: float

    def plus(self, other: "Variance") -> "Variance":
        """The variance of a sum of independent errors, by Satterthwaite's (1946) degrees of freedom."""
        value = self.value + other.value
        return Variance(value, satterthwaite(value, self, other))


EXACT = Variance(0.0, np.inf)
UNKNOWN = Variance(np.nan, np.nan)


def satterthwaite(value: float, *parts: Variance) -> float:
    """Degrees of freedom of a variance made of independent parts: value² / Σ part² / freedom; at least 1.

    Where no part varies, the fewest of any.
    """
    doubt = sum(part.value**2 / part.freedom for part in parts if part.value > 0)
    if np.isnan(value) or np.isnan(doubt):
        return np.nan
    if value > 0:
        return max(1.0, value**2 / doubt) if doubt > 0 else np.inf
    return min(part.freedom for part in parts)


class Interval(NamedTuple):
    """A standard error, a two-sided interval, its degrees of freedom, and how it was made; NaN where there is none."""

    error: float
    low: float
    high: float
    freedom: float
    method: str


NO_INTERVAL = Interval(np.nan, np.nan, np.nan, np.nan, NONE)


def one_way(total: Vector, share: Vector) -> Variance:
    """Variance of Σ total / Σ share over independent clusters; UNKNOWN under two of them.

    CR2 for a weighted mean: Σ p² e² / (1 − p), p a cluster's share of the weight and e its mean's distance to the
    mean, unbiased where clusters have one variance (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018). Degrees of
    freedom tr(B)² / tr(B²) with B = (I − p1') diag(p²/(1 − p)) (I − 1p'), whose traces are sums because B is diagonal
    plus rank two.
    """
    there = share > 0
    total, share = total[there], share[there]
    if len(share) < 2:
        return UNKNOWN
    p = share / share.sum()
    residual = total / share - total.sum() / share.sum()
    factor = p**2 / (1 - p)
    return Variance(float(factor @ residual**2), _freedom(p, factor))


def _freedom(p: Vector, factor: Vector) -> float:
    square, cross, whole = float(p @ p), float(factor @ p), float(factor.sum())
    trace = whole - 2 * cross + whole * square
    beside = whole * p / 2 - factor  # B = diag(factor) + beside p' + p beside'
    outer = 2 * float(beside @ beside) * square + 2 * float(beside @ p) ** 2
    return float(trace**2 / (factor @ factor + 4 * float((factor * beside) @ p) + outer))


def group_freedom(share: Vector) -> float:
    """Bell & McCaffrey's degrees of freedom of a variance over groups with these shares of the weight."""
    p = share[share > 0]
    return _freedom(p, p**2 / (1 - p)) if len(p) > 1 else np.nan


def two_way(total: Matrix, share: Matrix) -> Variance:
    """Variance of Σ total / Σ share where both persona clusters and item groups are random.

    Cameron, Gelbach & Miller (2011), equation 2.10: V_people + V_groups − V_both, each bias-reduced; never under either
    side's own, because an estimate for more people and more items is not surer than one for either alone. UNKNOWN
    under two clusters of people or five item groups.
    """
    people = one_way(total.sum(axis=1), share.sum(axis=1))
    groups = one_way(total.sum(axis=0), share.sum(axis=0))
    if (share > 0).any(axis=0).sum() < LEAST_GROUPS:
        return UNKNOWN
    scores = (total - total.sum() / share.sum() * share) / share.sum()
    both = people.value + groups.value - cell_variance(scores, share)
    value = max(both, people.value, groups.value)
    return Variance(value, satterthwaite(value, people, groups))


def cell_variance(scores: Matrix, share: Matrix) -> float:
    """V_both: what is left of the cells' errors once rows and columns are taken out, as if each cell were a cluster.

    Both one-way variances hold it, so it is subtracted once. 0 where the cells are too few to tell it apart.
    """
    cells, rows, columns = int((share > 0).sum()), share.sum(axis=1), share.sum(axis=0)
    freedom = cells - int((rows > 0).sum()) - int((columns > 0).sum()) + 1
    if freedom <= 0:
        return 0.0
    of_row = np.divide(share, rows[:, None], out=np.zeros_like(share), where=rows[:, None] > 0)
    of_column = np.divide(share, columns, out=np.zeros_like(share), where=columns > 0)
    rest = scores - of_row * scores.sum(axis=1)[:, None] - of_column * scores.sum(axis=0)
    return float(cells / freedom * (rest**2).sum())


def quantile(level: float, freedom: float) -> float:
    """How many standard errors a two-sided interval at this level reaches: Student's t, normal where that is infinite.

    `scipy.stats` gives the same number, half a second of imports later.
    """
    side = (1 + level) / 2
    return float(special.ndtri(side) if np.isinf(freedom) else special.stdtrit(freedom, side))


def two_sided_p(t: float, freedom: float) -> float:
    """How likely a t at least as far from zero is by chance."""
    return float(2 * (special.ndtr(-abs(t)) if np.isinf(freedom) else special.stdtr(freedom, -abs(t))))


def detectable(error: float, freedom: float, tests: int = 1) -> float:
    """The smallest effect that a two-sided test at 5 % finds with 80 % power, by the noncentral t distribution.

    About (t_.975 + t_.80) standard errors.

    `error` is the true standard error; of an estimated one take `unbiased_error`. `tests` is the number of tests that
    share the 5 %: the first of Holm's steps needs 5 % / tests.
    """
    if not (error >= 0 and freedom > 0):
        return np.nan
    t = quantile(1 - 0.05 / tests, freedom)
    return error * float(t + special.ndtri(0.8) if np.isinf(freedom) else special.nctdtrinc(freedom, 0.2, t))


def unbiased_error(error: float, freedom: float) -> float:
    """An estimated standard error, corrected so that half of its estimates are too small: by the median of χ².

    Few degrees of freedom have a skewed estimate, most often too small (by 8 % with four of them).
    """
    known = freedom > 0 and not np.isinf(freedom)
    return error / float(np.sqrt(special.chdtri(freedom, 0.5) / freedom)) if known else error


def t_interval(effect: float, variance: Variance, level: float = LEVEL) -> Interval:
    """Effect ± t · √variance; none where nothing varies, or where that or its degrees of freedom are unknown."""
    if not (variance.value > 0 and variance.freedom > 0):
        return NO_INTERVAL
    error = float(np.sqrt(variance.value))
    half = quantile(level, variance.freedom) * error
    return Interval(error, effect - half, effect + half, variance.freedom, T)


class Mean(NamedTuple):
    """A mean score between 0 and 1, its variance, and how many independent units it is at most a mean of."""

    value: float
    variance: Variance
    units: float


def difference_interval(one: Mean, two: Mean, level: float = LEVEL) -> Interval:
    """The interval of one − two, two means between 0 and 1 with independent errors.

    Each mean has limits that stay within 0 and 1 (`_limits`); the two are joined by MOVER (Zou & Donner 2008; Newcombe
    1998). Where the first does not vary this is a bound and no interval.
    """
    variance = one.variance.plus(two.variance)
    if not (variance.value >= 0 and variance.freedom > 0 and one.units > 1):
        return NO_INTERVAL
    effect = one.value - two.value
    (one_low, one_high), (two_low, two_high) = (
        _limits(one, variance.freedom, level),
        _limits(two, variance.freedom, level),
    )
    low = effect - np.hypot(one.value - one_low, two_high - two.value)
    high = effect + np.hypot(one_high - one.value, two.value - two_low)
    method = SCORE if one.variance.value > 0 else BOUND
    return Interval(float(np.sqrt(variance.value)), float(low), float(high), variance.freedom, method)


def _limits(mean: Mean, freedom: float, level: float) -> tuple[float, float]:
    """Wilson's (1927) score limits with value (1 − value) / variance trials.

    Where no unit differs from any other, what is left possible, the rule of three: of units like these at most
    1 − (α/2)^(1/n) are otherwise (Hanley & Lippman-Hand 1983), and each of those moves its score to 0 or to 1 at the
    most; nothing where the mean is known exactly, from units without number.
    """
    value, variance = mean.value, mean.variance.value
    if variance == 0:
        others = 1 - ((1 - level) / 2) ** (1 / mean.units)
        return value - others * value, value + others * (1 - value)
    t, spread = quantile(level, freedom), max(0.0, value * (1 - value))
    trials = spread / variance if spread > 0 else mean.units
    centre = (value + t**2 / (2 * trials)) / (1 + t**2 / trials)
    half = t / (1 + t**2 / trials) * np.sqrt(spread / trials + t**2 / (4 * trials**2))
    return float(centre - half), float(centre + half)


def joined(one: Interval, two: Interval) -> Interval:
    """The first interval, never narrower than the second on either side."""
    if np.isnan(one.low) or np.isnan(two.low):
        return one
    return one._replace(low=min(one.low, two.low), high=max(one.high, two.high))


def clipped(interval: Interval, low: float, high: float) -> Interval:
    """The interval within what is possible."""
    return interval._replace(low=max(interval.low, low), high=min(interval.high, high))
