"""Which item groups each person is asked in an adaptive round: more of those, and of those people, that vary more.

Neyman (1934) allocation: what a person's draw of item groups adds to Δ's variance is least where a group's chance π is
in proportion to the standard deviation of what answers to it are off by, and a stratum's people are asked in proportion
to theirs. Both are learnt from the rounds before, by a model of two factors, stratum × item group, drawn towards the
mean of all while few answers are in; so chances depend on the past alone. None is under `FLOOR`, or under the equal
chance where that is less: an item that never varied so far is asked seldom, never not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import Matrix, Vector
from scoring.statistics.designs.adaptive_floor import FLOOR

PRIOR_GROUP = 2.0  # how many answers the variance of all item groups counts among those to one
_PRIOR_STRATUM = 20.0  # how many answers the mean of all strata counts among those of one
_FACTORS = 0.5, 2.0  # of a stratum's standard deviation


@dataclass(frozen=True, slots=True)
class Spread:
    """How far answers are off what their item leads one to expect: by item group, and a factor by person."""

    of_group: Vector
    of_person: Vector


def spread(rest: Matrix, seen: NDArray[np.bool_], strata: NDArray[np.int64]) -> Spread:
    """From persons × item groups: what was left of each answer beside its item's mean, where it was `seen`."""
    square, count = np.where(seen, rest, 0.0) ** 2, seen.sum(axis=0)
    pooled = float(square.sum() / max(1.0, np.maximum(count - 1, 0).sum()))
    people = np.ones(len(rest))
    if pooled <= 0:
        return Spread(np.ones(rest.shape[1]), people)
    variance = (square.sum(axis=0) + PRIOR_GROUP * pooled) / (np.maximum(count - 1, 0) + PRIOR_GROUP)
    relative = (square / variance).sum(axis=1)
    sums, counts = (np.bincount(strata, weights=each) for each in (relative, seen.sum(axis=1).astype(float)))
    factor = np.sqrt((sums + _PRIOR_STRATUM) / (counts + _PRIOR_STRATUM))
    return Spread(
        np.sqrt(variance), np.clip(factor / np.average(factor, weights=np.bincount(strata)), *_FACTORS)[strata]
    )


def chances(left: NDArray[np.bool_], spread: Spread, per_person: float) -> Matrix:
    """π of each person and item group that is `left`, on average `per_person` groups each."""
    open_groups = left.sum(axis=1)
    wanted = per_person * spread.of_person
    wanted *= per_person * len(wanted) / max(float(wanted.sum()), 1e-300)
    wanted = np.minimum(np.maximum(wanted, np.maximum(1.0, FLOOR * open_groups)), open_groups)
    return in_proportion(spread.of_group, left, wanted)


def in_proportion(size: Vector, left: NDArray[np.bool_], total: Vector) -> Matrix:
    """Chances of what is left, a row a person, that sum to the person's `total`.

    They are in proportion to `size` as far as none is above 1 or under the floor.
    """
    count = np.maximum(left.sum(axis=1), 1)
    floor = np.minimum(FLOOR, total / count)[:, None]
    low, high = np.zeros((len(left), 1)), np.full((len(left), 1), 1.0 / max(float(size.min()), 1e-300))
    for _ in range(60):  # the sum grows with the factor
        middle = (low + high) / 2
        under = np.where(left, np.clip(middle * size, floor, 1.0), 0.0).sum(axis=1, keepdims=True) < total[:, None]
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    found = np.where(left, np.clip(high * size, floor, 1.0), 0.0)
    inside = (found > floor) & (found < 1)
    part = np.where(inside, found, 0.0).sum(axis=1, keepdims=True)
    missing = total[:, None] - found.sum(axis=1, keepdims=True)  # of rounding
    found = found + np.divide(missing * np.where(inside, found, 0.0), part, out=np.zeros_like(found), where=part > 0)
    return np.where(left, np.clip(found, floor, 1.0), 0.0)


def drawn(chance: Vector, seed: object) -> NDArray[np.int64]:
    """Which are drawn: systematically from an order and a start that the seed gives, so that each has its chance.

    Their number is the sum of all chances, rounded up or down.
    """
    bits = np.random.PCG64(int.from_bytes(sha256(str(seed).encode()).digest()[:16], "big"))
    random = bits.random_raw(len(chance) + 1)
    order = np.argsort(random[1:], kind="stable")
    return order[systematic(chance[order], float(random[0] / 2.0**64))]


def systematic(chance: Vector, start: float) -> NDArray[np.int64]:
    """The places in which start, start + 1, start + 2 … fall along the cumulated chances."""
    hits = np.maximum(np.ceil(np.cumsum(chance) - start), 0)
    return np.flatnonzero(np.diff(hits, prepend=0) > 0)


def dealt(names: Sequence[str], groups: Sequence[str], chance: Matrix, seed: object) -> dict[str, dict[str, float]]:
    """What each person is asked in a round, with the chances, rounded as they are kept."""
    found: dict[str, dict[str, float]] = {}
    for name, row in zip(names, chance, strict=True):
        places = np.flatnonzero(row > 0)
        chosen = places[drawn(row[places], f"{seed}\x1f{name}")] if len(places) else places
        found[name] = {groups[place]: float(row[place]) for place in sorted(chosen.tolist())}
    return found
