"""How sure each look at a growing study must be, so that all its looks together are as sure as one look would be.

Lan & DeMets (1983), Biometrika 70: the k-th of K looks may spend α · s(k / K) of the error in all, here with their
Pocock-type s(t) = ln(1 + (e − 1) t), which leaves early looks enough to end a run. What a look has to be for that
depends on how much it has in common with those before it: an average over a set and one over a larger set that holds
it have covariance equal to the variance of the second, so the looks are a Brownian motion in 1 / error² (Jennison &
Turnbull 2000, chapters 3 and 7). Its paths are drawn, from a fixed seed, and the bounds are read from them.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scoring.statistics.clustered_errors import LEVEL

_PATHS = 100_000
_SEED = 1983


class _Look(NamedTuple):
    """The bound of |z| at a look, the paths that have stayed inside all bounds so far, and their information."""

    bound: float
    inside: NDArray[np.float32]
    information: float


def confidence(errors: tuple[float, ...], looks: int) -> float:
    """The level of the interval at the last of these looks, a number from 0.95 to 1.

    `errors` are the standard errors of Δ at each look so far, in order; `looks` is how many there may be. Intervals at
    these levels hold the truth at all looks at once in 95 % of studies. An error that grew by chance counts as equal to
    the one before it.

    Raises
    ------
    ValueError
        No look, more looks than there may be, or an error that is not positive.
    """
    if not 0 < len(errors) <= looks or min(errors) <= 0:
        raise ValueError(f"{len(errors)} of {looks} looks with standard errors {errors}")
    return float(2 * special.ndtr(_look(errors, looks).bound) - 1)


@lru_cache(maxsize=64)
def _look(errors: tuple[float, ...], looks: int) -> _Look:
    number = len(errors)
    before = _look(errors[:-1], looks) if number > 1 else _Look(math.inf, np.zeros(_PATHS, np.float32), 0.0)
    information = max(before.information, (errors[0] / errors[-1]) ** 2)
    steps = np.random.default_rng([_SEED, number]).standard_normal(len(before.inside), np.float32)
    paths = before.inside + math.sqrt(information - before.information) * steps
    size = np.abs(paths) / math.sqrt(information)
    staying = round(_PATHS * (1 - _spent(number / looks)))
    bound = float(np.partition(size, staying)[staying])
    return _Look(bound, paths[size < bound], information)


def _spent(share: float) -> float:
    return (1 - LEVEL) * math.log1p((math.e - 1) * share)
