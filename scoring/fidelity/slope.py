"""The slope between two quantities that are both measured with error, in errors whose covariance is known."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import LEVEL, quantile

Floats = NDArray[np.float64]
Matrix = NDArray[np.float64]
LEAST_POINTS = 8
LEAST_RELIABILITY = 0.3


class MeasuredSlope(NamedTuple):
    """How much y changes with x, with its 95 % interval (NaN where there is none).

    `reliability` is the share of the variance of x that is not error.
    """

    slope: float
    low: float
    high: float
    reliability: float


NO_SLOPE = MeasuredSlope(math.nan, math.nan, math.nan, math.nan)


def slope_between(x: Floats, y: Floats, errors: Matrix) -> MeasuredSlope:
    """The slope of y on the true x; `errors` (n, 2, 2) are the covariances of each (x, y).

    The moments corrected for the errors (Fuller 1987; Akritas & Bershady 1996), which leaves room for scatter about the
    line: (S_xy − σ_xy) / (S_xx − σ_xx), σ the mean over the points. The interval holds every slope b that a t test does
    not refuse (Fieller 1954): under it, y − b · x has slope (σ_xy − b · σ_xx) / S_xx on x by the errors alone, which is
    known as well as S_xx is. It may be open where x hardly varies: then there is none. NaN under eight points, or where
    under three tenths of the variance of x is its own.
    """
    count = len(x)
    if count < LEAST_POINTS:
        return NO_SLOPE
    dx, dy = x - x.mean(), y - y.mean()
    square = float(dx @ dx) / (count - 1)
    shared, own = float(errors[:, 0, 1].mean()), float(errors[:, 0, 0].mean())
    reliability = 1 - own / square if square > 0 else 0.0
    if reliability < LEAST_RELIABILITY:
        return NO_SLOPE._replace(reliability=reliability)
    plain = float(dx @ dy / (dx @ dx))
    direct = plain - shared / square
    rest = dy - plain * dx
    variance = float(rest @ rest) / (count - 2) / float(dx @ dx)
    t = quantile(LEVEL, count - 2) ** 2
    doubt = t * 2 / (count - 1) / square**2  # of S_xx: by chance it is so far off, relative to itself, squared
    # (direct − reliability b)² ≤ t variance + doubt (shared − own b)²
    a = reliability**2 - doubt * own**2
    b = direct * reliability - doubt * shared * own
    c = direct**2 - t * variance - doubt * shared**2
    root = b**2 - a * c
    if a <= 0 or root < 0:
        return MeasuredSlope(direct / reliability, math.nan, math.nan, reliability)
    bounds = ((b - math.sqrt(root)) / a, (b + math.sqrt(root)) / a)
    return MeasuredSlope(direct / reliability, *bounds, reliability)
