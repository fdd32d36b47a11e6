"""What it takes to know Δ to ± a half-width: all of the crossing, a part, with a covariate, by rounds, or all of these.

For people like these on these items. A person's mean over k of G item groups has the variance of people, of the answers
over G, and what the choice of k groups adds: (residual + group) (1/k − 1/G). A covariate that everybody is asked takes
away ρ² of the part that is told by answers, and of the people's part as far as it was asked about more of them. What
adaptive rounds take depends on how unequally item groups vary (`adaptive_price`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scoring.statistics.clustered_errors import LEVEL, quantile
from scoring.statistics.designs.adaptive_price import left_to_know
from scoring.statistics.designs.alpha_spending import confidence
from scoring.statistics.designs.power import Components

LEAST_PEOPLE, LEAST_GROUPS = 20, 2  # of people whom a model is asked about, and groups a person
FULL, PART, COVARIATE, ROUNDS, ADAPTIVE, ALL_OF_THEM = (
    "full crossing",
    "per_person",
    "per_person and covariate",
    "target",
    "target, neyman",
    "target, per_person and covariate",
)


@dataclass(frozen=True, slots=True)
class DesignPool:
    """Whom and what a study has.

    People, item groups, requests a group (items and orders), the baseline's replicates, and the rounds of a target.
    `spreads` say how far answers to each item group vary, relative to each other; () where that is not known.
    """

    people: int
    groups: int
    requests_a_group: float = 1.0
    baseline: int = 1
    rounds: int = 8
    spreads: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedAnswers:
    """What a cheap model shares with the dear one: ρ of answers within a person, and between people."""

    answers: float
    people: float


@dataclass(frozen=True, slots=True)
class PricedWay:
    """A way to know Δ to the wanted half-width.

    `people` are dealt `per_person` groups each, of which they are `asked` some by the end of `looks` (one where nobody
    looks before the end); `beside` are the requests to the covariate.
    """

    name: str
    people: int
    per_person: int
    asked: float
    looks: int
    half_width: float
    requests: int
    beside: int = 0


def error(
    of: Components, people: int, per_person: float, pool: DesignPool, shared: SharedAnswers | None = None
) -> float:
    """The standard error of Δ.

    With a covariate, of which everybody in the pool is asked everything, two λ are paid for.
    """
    choice = (of.residual + of.group + of.level_group) * (1 / per_person - 1 / pool.groups)
    whole = of.persona + of.residual / pool.groups
    if shared is None:
        return math.sqrt((whole + choice) / people)
    of_answers = of.residual * (1 / per_person - 1 / pool.groups)
    within = choice - shared.answers**2 * of_answers
    between = whole * (1 - shared.people**2 * (1 - people / pool.people))
    return math.sqrt((within + between) / people * (1 + 2 / people))


def priced_ways(of: Components, half_width: float, pool: DesignPool, shared: SharedAnswers) -> list[PricedWay]:
    """Every way that reaches the half-width within the pool, with the fewest requests that it takes."""
    all_groups = (pool.groups,)
    some = [int(k) for k in np.unique(np.geomspace(min(LEAST_GROUPS, pool.groups), pool.groups, 40).astype(int))]
    everything = math.ceil(pool.groups * pool.requests_a_group * (pool.people + pool.baseline))
    found = (
        (FULL, _one_look(of, half_width, pool, all_groups, None), 0),
        (PART, _one_look(of, half_width, pool, some, None), 0),
        (COVARIATE, _one_look(of, half_width, pool, some, shared), everything),
        (ROUNDS, _in_rounds(of, half_width, pool, _sizes(pool), None), 0),
        (ADAPTIVE, _adaptive(of, half_width, pool), 0),
        (ALL_OF_THEM, _in_rounds(of, half_width, pool, _sizes(pool), shared), everything),
    )
    return [replace(best, name=name, beside=beside) for name, ways, beside in found if (best := _fewest(ways))]


def _fewest(ways: Iterator[PricedWay]) -> PricedWay | None:
    return min(ways, key=lambda way: (way.requests, way.people), default=None)


def _sizes(pool: DesignPool) -> Sequence[int]:
    sizes = np.unique(np.geomspace(min(LEAST_PEOPLE, pool.people), pool.people, 40).astype(int))
    return [int(size) for size in sizes]


def _one_look(
    of: Components, half_width: float, pool: DesignPool, per_person: Sequence[int], shared: SharedAnswers | None
) -> Iterator[PricedWay]:
    for k in per_person:
        low, high = min(LEAST_PEOPLE, pool.people) - 1, pool.people
        if _half_width(of, high, k, pool, shared) > half_width:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if _half_width(of, middle, k, pool, shared) > half_width:
                low = middle
            else:
                high = middle
        yield _way(high, k, k, 1, _half_width(of, high, k, pool, shared), pool)


def _half_width(
    of: Components, people: int, per_person: float, pool: DesignPool, shared: SharedAnswers | None, level: float = LEVEL
) -> float:
    return quantile(level, people - 1) * error(of, people, per_person, pool, shared)


def _in_rounds(
    of: Components, half_width: float, pool: DesignPool, sizes: Sequence[int], shared: SharedAnswers | None
) -> Iterator[PricedWay]:
    """The round in which a target is reached on average; with a covariate, where per_person is what it takes."""
    for people in sizes:
        steps = (1.0,) if shared is None else (0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
        for most in (max(LEAST_GROUPS, round(step * pool.groups)) for step in steps):
            rounds = min(pool.rounds, most)
            errors: list[float] = []
            for number in range(1, rounds + 1):
                asked = most * number // rounds
                errors.append(error(of, people, asked, pool, shared))
                if _half_width(of, people, asked, pool, shared) > half_width:
                    continue  # not even a single look would be enough
                level = confidence(tuple(errors), rounds)
                if (half := _half_width(of, people, asked, pool, shared, level)) <= half_width:
                    yield _way(people, most, asked, number, half, pool)
                    break


def _adaptive(of: Components, half_width: float, pool: DesignPool) -> Iterator[PricedWay]:
    """The adaptive round in which a target is reached on average; none where it is not known what varies.

    What answers to an item group have in common is known from the other people's, and plays no part.
    """
    rounds = min(pool.rounds, pool.groups)
    for people in _sizes(pool) if pool.spreads else ():
        whole, errors = of.persona + of.residual / pool.groups, list[float]()
        left = left_to_know(pool.spreads, rounds, people)
        for number, choice in enumerate(left, start=1):
            errors.append(math.sqrt((whole + of.residual * choice) / people))
            if quantile(LEVEL, people - 1) * errors[-1] > half_width:
                continue
            level = confidence(tuple(errors), rounds)
            if (half := quantile(level, people - 1) * errors[-1]) <= half_width:
                asked = pool.groups * number / rounds
                yield _way(people, pool.groups, asked, number, half, pool)
                break


def _way(people: int, per_person: int, asked: float, looks: int, half_width: float, pool: DesignPool) -> PricedWay:
    requests = pool.requests_a_group * (people * asked + pool.groups * pool.baseline)
    return PricedWay("", people, per_person, asked, looks, half_width, math.ceil(requests))
