"""PPI++: a mean from many model answers and few human ones (Angelopoulos, Duchi & Zrnic 2023).

The people whose own answers are known correct what the model says of the others. The estimate is unbiased however wrong
the model is, and no less sure than the human answers alone but for what estimating λ costs. `corrected_mean` takes any
numbers: whatever is told of many units and known of a few of them can be corrected by it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import LEVEL, NO_INTERVAL, Variance, one_way, quantile, t_interval
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats

FOLDS = 5
LEAST_KNOWN, LEAST_CHOSEN = 50, 10  # people, for the interval of a share


@dataclass(frozen=True)
class People:
    """Some people: the model's answer as each of them, their own where it is known, weight and cluster."""

    told: Floats
    weight: Floats
    cluster: Codes
    own: Floats | None = None

    def __len__(self) -> int:
        return len(self.told)

    @property
    def answers(self) -> Floats:
        """Their own answers. Raises ValueError where they are not known."""
        if self.own is None:
            raise ValueError("the own answers of these people are not known")
        return self.own


@dataclass(frozen=True)
class Corrected:
    """An estimate with its 95 % interval, beside that of the human answers alone (`human`).

    `tuning` is λ, how far the model is trusted: 0 not at all. `effective` is how many human answers alone would be as
    sure: their number (`known`) times the ratio of the variances. `residual` is the variance of a person's own answer
    less λ times the model's, `plain` that of the own answer; `shared` is what the unknown people add to the variance.
    """

    value: float
    low: float
    high: float
    human: float
    human_low: float
    human_high: float
    tuning: float
    known: int
    effective: float
    residual: float
    plain: float
    shared: float


def power_tuning(known: People, unknown: int) -> float:
    """λ that makes the estimate surest: cov(own, told) / ((1 + n / N) var(told)), in [0, 1]; 0 without variance."""
    w = known.weight / known.weight.sum()
    told, own = known.told - w @ known.told, known.answers - w @ known.answers
    variance = float(w @ told**2)
    if variance <= 1e-15 or not unknown:
        return 0.0
    return float(np.clip((w @ (told * own)) / ((1 + len(known) / unknown) * variance), 0.0, 1.0))


def corrected_mean(known: People, unknown: People, tuning: float | None = None, seed: int = 0) -> Corrected | None:
    """The mean of the own answers of all people.

    λ times the model's mean over the unknown, and the mean of own − λ · told over the known.

    λ is cross-fitted: each fifth of the known people (whole clusters) is corrected by the λ of the others, so that it
    is not tuned to the errors that it corrects; `tuning` sets it instead. Variances are clustered (CR2), with
    Satterthwaite's degrees of freedom. There is no interval of a share under fifty known people, or ten on either side
    of it, and no estimate (None) under two clusters of known or of unknown people.
    """
    tuned = _cross_fitted(known, len(unknown), seed) if tuning is None else np.full(len(known), tuning)
    w = known.weight / known.weight.sum()
    mean_tuning = float(w @ tuned)
    residual, plain = (_mean(each, known) for each in (known.answers - tuned * known.told, known.answers))
    model = _mean(unknown.told, unknown)
    shared = Variance(mean_tuning**2 * model[1].value, model[1].freedom)
    if math.isnan(residual[1].value) or math.isnan(model[1].value):
        return None
    value = mean_tuning * model[0] + residual[0]
    variance = residual[1].plus(shared)
    ours, theirs = t_interval(value, variance), t_interval(plain[0], plain[1])
    if _is_rare(known.answers):
        ours = theirs = NO_INTERVAL
    effective = len(known) * plain[1].value / variance.value if variance.value > 0 else math.nan
    spreads = (residual[1].value * len(known), plain[1].value * len(known), shared.value)
    human = (plain[0], theirs.low, theirs.high)
    return Corrected(value, ours.low, ours.high, *human, mean_tuning, len(known), float(effective), *spreads)


def people_needed(found: Corrected, half_width: float) -> float:
    """How many people's own answers make the estimate known to ± `half_width`.

    Infinite where the unknown people's part of the variance alone is more than that. λ and the number of unknown people
    stay what they are.
    """
    left = (half_width / quantile(LEVEL, math.inf)) ** 2 - found.shared
    return math.ceil(found.residual / left) if left > 0 else math.inf


def people_needed_alone(found: Corrected, half_width: float) -> float:
    """How many people's own answers do so without the model."""
    return math.ceil(found.plain / (half_width / quantile(LEVEL, math.inf)) ** 2)


def people_to_ask(found: Corrected, half_width: float) -> float:
    """How many more people than the known ones must be asked for ± `half_width`.

    Infinite where no number of people is enough beside so few answers of the model.
    """
    return max(0.0, people_needed(found, half_width) - found.known)


def _is_rare(own: Floats) -> bool:
    """Whether answers are 0 or 1, and too few are one of these for their mean to be near normal."""
    ones = float(own.sum())
    few = len(own) < LEAST_KNOWN or min(ones, len(own) - ones) < LEAST_CHOSEN
    return few and bool(np.isin(own, (0.0, 1.0)).all())


def _mean(values: Floats, people: People) -> tuple[float, Variance]:
    total, share = (
        np.bincount(people.cluster, weights=each).astype(float) for each in (people.weight * values, people.weight)
    )
    return float(total.sum() / share.sum()), one_way(total, share)


def _cross_fitted(known: People, unknown: int, seed: int) -> Floats:
    """λ of each known person, from the clusters of the other folds."""
    found = np.zeros(len(known))
    for inside in folds(known.cluster, seed):
        others = ~inside
        if others.sum() > 2:
            rest = People(known.told[others], known.weight[others], known.cluster[others], known.answers[others])
            found[inside] = power_tuning(rest, unknown)
    return found


def folds(cluster: Codes, seed: int) -> Iterator[NDArray[np.bool_]]:
    """Which rows are in each of five folds of whole clusters: what is fitted without them is independent of them."""
    names = np.unique(cluster)
    dealt = np.random.default_rng(seed).permutation(len(names)) % FOLDS
    fold = dealt[np.searchsorted(names, cluster)]
    yield from (fold == number for number in range(FOLDS))
