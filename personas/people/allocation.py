"""Sampling rule 1, by which studies that began with it go on: how many each joint cell gets, by largest remainders.

Its samples keep the joint distribution as a whole, and not at every prefix.
"""

import numpy as np
import pandas as pd

from personas.errors import InputError
from personas.people.draws import Allocation

SEPARATOR = "\x1f"


def allocate(members: pd.Series, mass: pd.Series, n: int, allocation: Allocation, minimum: int) -> pd.Series:
    """How many of n each cell gets. `members` and `mass` are indexed by cell name, sorted."""
    floors = members.clip(upper=minimum)
    refuse_small(floors, n, minimum)
    if allocation == "proportional":
        return _with_floors(members, mass, n, floors)
    levels = np.array([cell.split(SEPARATOR)[0] for cell in members.index])
    capacity, least = members.groupby(levels).sum(), floors.groupby(levels).sum()
    targets = _with_floors(capacity, pd.Series(1.0, index=capacity.index), n, least)
    parts = [
        _with_floors(members[levels == level], mass[levels == level], int(target), floors[levels == level])
        for level, target in targets.items()
    ]
    return pd.concat(parts)


def refuse_small(floors: pd.Series, n: int, minimum: int) -> None:
    """Raises InputError where n is too small to give every cell its minimum."""
    if floors.sum() > n:
        raise InputError(
            f"{len(floors)} cells with at least {minimum} each need {floors.sum()} respondents, not {n}: "
            "raise n, lower the minimum or stratify by less"
        )


def _with_floors(members: pd.Series, mass: pd.Series, n: int, floors: pd.Series) -> pd.Series:
    """Largest remainders, where no cell gets less than its floor or more than it has members.

    Where plain shares do not fit, all are scaled by one factor and clipped, the factor found by bisection.
    """
    plain = largest_remainders(mass, n)
    if ((plain >= floors) & (plain <= members)).all():
        return plain
    share, least, most = mass.to_numpy(dtype=float), floors.to_numpy(), members.to_numpy()
    low, high = 0.0, float((most / np.where(share > 0, share, np.inf)).max()) + 1.0
    for _ in range(100):
        factor = (low + high) / 2
        low, high = (factor, high) if np.clip(share * factor, least, most).sum() < n else (low, factor)
    return _rounded(pd.Series(np.clip(share * high, least, most), index=members.index), n)


def largest_remainders(sizes: pd.Series, n: int) -> pd.Series:
    """Shares out n seats over cells of these sizes (Hamilton's method).

    Each cell gets the floor of its exact share; the rest goes to the largest remainders, ties by cell name.
    """
    total = sizes.sum()
    if total <= 0:
        return pd.Series(0, index=sizes.index)
    return _rounded(sizes * n / total, n)


def _rounded(exact: pd.Series, n: int) -> pd.Series:
    seats = np.floor(exact + 1e-9).astype(int)
    ranked = (seats - exact).round(9).sort_index().sort_values(kind="stable").index
    seats.loc[ranked[: n - int(seats.sum())]] += 1
    return seats
