"""Stratified sampling of which every prefix is a sample, and the split into train and test."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from personas.errors import InputError
from personas.people.allocation import SEPARATOR, allocate, refuse_small
from personas.people.draws import RULE, Allocation, Weights
from personas.people.quota import QuotaTree
from personas.people.respondents import Respondents
from personas.stable_order import rank


def sample(
    respondents: Respondents,
    n: int,
    stratify: Sequence[str],
    seed: int,
    allocation: Allocation = "proportional",
    weights: Weights = "none",
    minimum: int = 0,
    rule: int = RULE,
) -> Respondents:
    """A sample of n respondents over the levels that `stratify` nests, in the order in which to ask them.

    It is the same on every machine.

    At every prefix of that order, each level of the first attribute is within one of its share of the prefix, each
    level of the second within one of its share of the level above, and so on (`personas.people.quota`). So a study
    that stops early has a smaller sample of the same people, and a larger n begins with those of a smaller one.

    `proportional` gives each level its share of the respondents; `equal` shares the prefix equally among the levels of
    the first attribute that have people left, then proportionally within each. `minimum` is what every cell gets first,
    as far as it has members. Inside a cell, respondents come in the order of sha256(seed, persona id). With
    `weights = "survey"` a level's share is its sum of weights, and inside a cell people are drawn without replacement
    with odds by weight (Efraimidis & Spirakis 2006). Such a sample stands for the population as it is: its own weights
    are 1.

    `rule` is the sampling rule: rule 1 draws the people that versions before rule 2 drew, with seats by largest
    remainders over the joint cells, and puts them in an order whose prefixes are balanced.

    Raises InputError when n is larger than the number of respondents or too small for `minimum`, an attribute is
    unknown, or weights are asked for that a survey does not have.
    """
    if not 0 < n <= len(respondents):
        raise InputError(
            f"n = {n}, but the sources hold {len(respondents)} respondents; choose 1 to {len(respondents)}"
        )
    weighted = weights == "survey"
    if weighted:
        require_weights(respondents)
    cells = _cells(respondents, stratify)
    ranks = np.array([rank(seed, each) for each in respondents.frame["persona_id"]], dtype="S32")
    weight = respondents.frame["weight"].to_numpy()
    keys = _weighted_order(ranks, weight) if weighted else ranks
    mass = weight.astype(float) if weighted else np.ones(len(respondents))
    order = np.lexsort((keys, cells.to_numpy(dtype=str)))
    if rule == 1:
        taken = balanced(respondents.take(_by_largest_remainders(cells, mass, order, n, allocation, minimum)), stratify)
    else:
        refuse_small(cells.value_counts().clip(upper=minimum), n, minimum)
        tree = replace(_tree(respondents, stratify, order, mass, seed), minimum=minimum, equal=allocation == "equal")
        taken = respondents.take(tree.order(n))
    return replace(taken, frame=taken.frame.assign(weight=1.0)) if weighted else taken


def balanced(respondents: Respondents, stratify: Sequence[str], seed: int = 0) -> Respondents:
    """The same respondents in an order of which every prefix is balanced; inside a cell they keep theirs."""
    return respondents.take(balance(respondents, stratify, seed))


def balance(respondents: Respondents, stratify: Sequence[str], seed: int = 0) -> np.ndarray:
    """The positions of the respondents in an order of which every prefix is balanced."""
    order = np.arange(len(respondents))
    return _tree(respondents, stratify, order, np.ones(len(order)), seed).order(len(order))


def _tree(
    respondents: Respondents, stratify: Sequence[str], order: np.ndarray, mass: np.ndarray, seed: int
) -> QuotaTree:
    """The respondents as levels within levels; `order` has those of each cell in the order in which they are drawn."""
    columns = [np.unique(respondents.attribute(name).to_numpy(dtype=str), return_inverse=True) for name in stratify]
    codes = np.column_stack([codes for _, codes in columns]) if columns else np.empty((len(order), 0), dtype=np.int64)
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return QuotaTree(codes, mass, place, [names.tolist() for names, _ in columns], f"{seed}")


def _by_largest_remainders(
    cells: pd.Series, mass: np.ndarray, order: np.ndarray, n: int, allocation: Allocation, minimum: int
) -> np.ndarray:
    """Whom rule 1 draws: the first of each cell, as many as `allocate` gives it."""
    members = cells.value_counts().sort_index()
    of_cell = pd.Series(mass).groupby(cells.to_numpy()).sum().reindex(members.index)
    shares = allocate(members, of_cell, n, allocation, minimum)
    in_order = cells.to_numpy()[order]
    place = pd.Series(in_order).groupby(in_order).cumcount().to_numpy()
    chosen: np.ndarray = order[place < shares.loc[in_order].to_numpy()]
    return chosen


def require_weights(respondents: Respondents) -> None:
    """Raises InputError where a survey of the respondents has no weights."""
    for name in respondents.frame["survey"].unique():
        if name not in respondents.sources or not respondents.sources[name].weighted:
            raise InputError(f'survey {name!r} has no weights in its file: do without weights (weights = "none")')


def deviation(source: Respondents, sampled: Respondents, stratify: Sequence[str]) -> tuple[str, float]:
    """The joint cell whose share differs most between sample and source, and by how much.

    The difference is sample minus source, as a share of 1.
    """
    of_all = _cells(source, stratify).value_counts(normalize=True)
    of_sample = _cells(sampled, stratify).value_counts(normalize=True)
    gap = of_sample.reindex(of_all.index, fill_value=0.0) - of_all
    worst = gap.abs().sort_index().idxmax()
    return str(worst).replace(SEPARATOR, " × "), float(gap[worst])


def split(
    respondents: Respondents, stratify: Sequence[str], seed: int, test: float = 0.2, least: int = 100
) -> Respondents:
    """Mark each respondent "train" or "test" (column `split`); the same on every machine.

    The share `test` of every cell is for testing. Where a trait has fewer than `least` answers in the test part, people
    with an answer are moved there from the train part, in the order of sha256, while every trait that they answer keeps
    `least` in train. A trait with fewer than 2 × least answers cannot have both.
    """
    cells = _cells(respondents, stratify).to_numpy()
    ranks = np.array([rank(seed, f"split:{each}") for each in respondents.frame["persona_id"]], dtype="S32")
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
    return columns[0].str.cat(columns[1:], sep=SEPARATOR) if len(columns) > 1 else columns[0]


def _weighted_order(ranks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Exponential arrival times, weight as rate, from the ranks' first 52 bits; first come, first drawn."""
    uniform = np.array([(int.from_bytes(rank.ljust(32, b"\0")[:7], "big") >> 4) + 0.5 for rank in ranks]) / 2**52
    times: np.ndarray = -np.log(uniform) / weights
    return times
