"""Stratified sampling that keeps the joint distribution, and the split into train and test."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from personas.errors import InputError
from personas.people.respondents import Respondents

Allocation = Literal["proportional", "equal"]
Weights = Literal["none", "survey"]
_SEPARATOR = "\x1f"


def sample(
    respondents: Respondents,
    n: int,
    stratify: Sequence[str],
    seed: int,
    allocation: Allocation = "proportional",
    weights: Weights = "none",
    minimum: int = 0,
) -> Respondents:
    """n respondents over the cells that `stratify` crosses; the same on every machine.

    `proportional` gives each cell its share by largest remainders; `equal` first shares n equally among the levels of
    the first attribute, then proportionally within each. `minimum` is what every cell gets first, as far as it has
    members. Inside a cell, respondents come in the order of sha256(seed, persona id), so that a larger n keeps those
    of a smaller one wherever the cell's share grows.

    With `weights = "survey"` a cell's share is its sum of weights, and inside it people are drawn without replacement
    with odds by weight (Efraimidis & Spirakis 2006). Such a sample stands for the population as it is: its own weights
    are 1.

    Raises InputError when n is larger than the number of respondents, an attribute is unknown, or weights are asked
    for that a survey does not have.
    """
    if not 0 < n <= len(respondents):
        raise InputError(
            f"[personas] n = {n}, but the sources hold {len(respondents)} respondents; choose 1 to {len(respondents)}"
        )
    weighted = weights == "survey"
    if weighted:
        require_weights(respondents)
    cells = _cells(respondents, stratify)
    members = cells.value_counts().sort_index()
    mass = respondents.frame["weight"].groupby(cells.to_numpy()).sum() if weighted else members.astype(float)
    shares = allocate(members, mass.reindex(members.index), n, allocation if stratify else "proportional", minimum)
    ranks = np.array([_rank(seed, each) for each in respondents.frame["persona_id"]], dtype="S32")
    keys = _weighted_order(ranks, respondents.frame["weight"].to_numpy()) if weighted else ranks
    order = np.lexsort((keys, cells.to_numpy(dtype=str)))
    place = pd.Series(cells.to_numpy()[order]).groupby(cells.to_numpy()[order]).cumcount().to_numpy()
    chosen = order[place < shares.loc[cells.to_numpy()[order]].to_numpy()]
    taken = respondents.take(chosen)
    return replace(taken, frame=taken.frame.assign(weight=1.0)) if weighted else taken


def require_weights(respondents: Respondents) -> None:
    """Raises InputError where a survey of the respondents has no weights."""
    for name in respondents.frame["survey"].unique():
        if name not in respondents.sources or not respondents.sources[name].weighted:
            raise InputError(f'survey {name!r} has no weights in its file: do without weights (weights = "none")')


def allocate(members: pd.Series, mass: pd.Series, n: int, allocation: Allocation, minimum: int) -> pd.Series:
    """How many of n each cell gets. `members` and `mass` are indexed by cell name, sorted."""
    floors = members.clip(upper=minimum)
    if floors.sum() > n:
        raise InputError(
            f"{len(members)} cells with at least {minimum} each need {floors.sum()} respondents, not {n}: "
            "raise n, lower the minimum or stratify by less"
        )
    if allocation == "proportional":
        return _with_floors(members, mass, n, floors)
    levels = np.array([cell.split(_SEPARATOR)[0] for cell in members.index])
    capacity, least = members.groupby(levels).sum(), floors.groupby(levels).sum()
    targets = _with_floors(capacity, pd.Series(1.0, index=capacity.index), n, least)
    parts = [
        _with_floors(members[levels == level], mass[levels == level], int(target), floors[levels == level])
        for level, target in targets.items()
    ]
    return pd.concat(parts)


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
    """n seats over cells of these sizes (Hamilton's method): floors of the exact shares, the rest to the largest
    remainders, ties by cell name."""
    total = sizes.sum()
    if total <= 0:
        return pd.Series(0, index=sizes.index)
    return _rounded(sizes * n / total, n)


def _rounded(exact: pd.Series, n: int) -> pd.Series:
    seats = np.floor(exact + 1e-9).astype(int)
    ranked = (seats - exact).round(9).sort_index().sort_values(kind="stable").index
    seats.loc[ranked[: n - int(seats.sum())]] += 1
    return seats


def deviation(source: Respondents, sampled: Respondents, stratify: Sequence[str]) -> tuple[str, float]:
    """The joint cell whose share differs most between sample and source: its name, and sample minus source (a share
    of 1)."""
    of_all = _cells(source, stratify).value_counts(normalize=True)
    of_sample = _cells(sampled, stratify).value_counts(normalize=True)
    gap = of_sample.reindex(of_all.index, fill_value=0.0) - of_all
    worst = gap.abs().sort_index().idxmax()
    return str(worst).replace(_SEPARATOR, " × "), float(gap[worst])


def split(
    respondents: Respondents, stratify: Sequence[str], seed: int, test: float = 0.2, least: int = 100
) -> Respondents:
    """Mark each respondent "train" or "test" (column `split`); the same on every machine.

    The share `test` of every cell is for testing. Where a trait has fewer than `least` answers in the test part, people
    with an answer are moved there from the train part, in the order of sha256, while every trait that they answer keeps
    `least` in train. A trait with fewer than 2 × least answers cannot have both.
    """
    cells = _cells(respondents, stratify).to_numpy()
    ranks = np.array([_rank(seed, f"split:{each}") for each in respondents.frame["persona_id"]], dtype="S32")
    order = np.lexsort((ranks, cells.astype(str)))
    place = np.arange(len(order))
    testing = np.zeros(len(respondents), dtype=bool)
    testing[order] = np.floor((place + 1) * test) > np.floor(place * test)
    answered = respondents.frame[respondents.columns()].to_numpy() >= 0
    _fill_test(testing, answered, np.argsort(ranks, kind="stable"), least)
    return replace(respondents, frame=respondents.frame.assign(split=np.where(testing, "test", "train").astype(object)))


def _fill_test(testing: np.ndarray, answered: np.ndarray, order: np.ndarray, least: int) -> None:
    """Moves people into the test part, the rarest trait first; changes `testing` (bool, shape (respondents,))."""
    for trait in np.argsort(answered.sum(axis=0), kind="stable"):
        if answered[:, trait].sum() < 2 * least:
            continue
        lacking = least - int(answered[testing, trait].sum())
        if lacking <= 0:
            continue
        train = answered[~testing].sum(axis=0)
        for row in order:
            if lacking <= 0:
                break
            if testing[row] or not answered[row, trait]:
                continue
            after = train - answered[row]
            if (after[answered[row]] >= least).all():
                testing[row], train, lacking = True, after, lacking - 1


def _cells(respondents: Respondents, stratify: Sequence[str]) -> pd.Series:
    if not stratify:
        return pd.Series("", index=respondents.frame.index)
    columns = [respondents.attribute(name) for name in stratify]
    return columns[0].str.cat(columns[1:], sep=_SEPARATOR) if len(columns) > 1 else columns[0]


def _weighted_order(ranks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Exponential arrival times, weight as rate, from the ranks' first 52 bits; first come, first drawn."""
    uniform = np.array([(int.from_bytes(rank.ljust(32, b"\0")[:7], "big") >> 4) + 0.5 for rank in ranks]) / 2**52
    times: np.ndarray = -np.log(uniform) / weights
    return times


def _rank(seed: int, persona_id: str) -> bytes:
    return hashlib.sha256(f"{seed}{_SEPARATOR}{persona_id}".encode()).digest()
