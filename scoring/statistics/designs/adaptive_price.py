"""What adaptive rounds would take: how unequally item groups vary, and what their choice leaves to know by rounds."""

import numpy as np

from scoring.statistics.clustered_errors import Vector
from scoring.statistics.designs.adaptive import PRIOR_GROUP
from scoring.statistics.designs.adaptive_floor import FLOOR
from scoring.statistics.designs.inclusion import gain
from scoring.statistics.pairs import Cells

LEAST_ANSWERS = 10  # to an item group, on average, before it is said how much it varies


def group_spreads(found: Cells) -> tuple[float, ...]:
    """Standard deviations of the item groups' answers beside their items' means, relative to their root mean square.

    Variances are drawn to their mean as far as they differ by chance. () where nothing can be told: too few answers, or
    nothing that varies.
    """
    count = np.bincount(found.item, minlength=len(found.items))
    mean: Vector = np.bincount(found.item, weights=found.d, minlength=len(found.items)) / np.maximum(count, 1)
    place = found.person * found.n_groups + found.group
    used, code = np.unique(place, return_inverse=True)
    group = used % max(found.n_groups, 1)
    rest: Vector = np.bincount(code, weights=found.d - mean[found.item]) / np.sqrt(np.bincount(code))
    answers = np.bincount(group, minlength=found.n_groups).astype(np.float64)
    if not len(answers) or answers.min() < 2 or answers.mean() < LEAST_ANSWERS:
        return ()
    square, fourth = (np.bincount(group, weights=rest**power) for power in (2, 4))
    variance = square / (answers - 1)
    pooled = float(variance.mean())
    if pooled <= 0:
        return ()
    by_chance = np.maximum(fourth / answers - variance**2, 0.0) / answers
    between = float(variance.var(ddof=1)) if len(variance) > 1 else 0.0
    trust = max(0.0, 1 - float(by_chance.mean()) / between) if between > 0 else 0.0
    return tuple(np.sqrt((pooled + trust * (variance - pooled)) / pooled).tolist())


def left_to_know(spreads: tuple[float, ...], rounds: int, people: int) -> list[float]:
    """The variance that the choice of item groups adds to a person's mean after each round.

    Per residual variance of one answer. With equal spreads it is nearly that of a plain sample, 1/k − 1/G. What varies,
    and the items' means, are learnt from the answers of so many people in the rounds before.
    """
    variance: Vector = np.array(spreads) ** 2
    groups = len(variance)
    left, found, known = np.ones(groups), list[float](), 0.0
    for number in range(1, rounds + 1):
        seen = people * (number - 1) / rounds  # answers to a group
        sizes: Vector = np.sqrt((seen * variance + PRIOR_GROUP) / (seen + PRIOR_GROUP))
        chance = np.ones(groups) if number == rounds else _chance(sizes, left, rounds)
        step = float(gain(number, np.array([rounds]))[0])
        own = float((variance * left * (1 / chance - 1)).sum()) / groups**2 * (1 + rounds / (number * people))
        known = (1 - step) ** 2 * known + step**2 * own
        found.append(known)
        left = left * (1 - chance)
    return found


def _chance(sizes: Vector, left: Vector, rounds: int) -> Vector:
    """π of each group, on average over people of whom a part was asked it before."""
    wanted = len(sizes) / rounds
    floor = min(FLOOR, wanted / max(float(left.sum()), 1e-12))
    low, high = 0.0, 1 / float(sizes.min())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if (left * np.clip(middle * sizes, floor, 1)).sum() < wanted else (low, middle)
    found: Vector = np.clip(high * sizes, floor, 1)
    return found
