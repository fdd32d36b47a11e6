"""Whose ranking survives another wording: the levels of an attribute under every specification."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from scoring.robustness.multiverse import specifications_of
from scoring.statistics.clustered_errors import Matrix
from scoring.statistics.levels import columns_of, hidden_levels, is_missing, levels_of
from scoring.statistics.omnibus import PERMUTATIONS, shuffled_within
from scoring.statistics.pairs import Codes, Part, Scores, parts

_BLOCK = 100


def multiverse_gap_table(scores: Scores, attributes: Sequence[str], min_n: int = 20, seed: int = 0) -> pd.DataFrame:
    """A row per model, benchmark and attribute with two specifications or more, by the option chosen.

    `concordance` is Kendall's W of the levels' ranks over specifications (1: the same ranking under each); `first` and
    `last` are the levels of the highest and lowest mean rank, with the share of specifications in which they hold that
    place. `p` is of "no specification tells the levels apart", for these items; the statistic is the variance between
    levels, summed over specifications. It is the larger p of the attribute permuted over persona clusters within survey
    and of signs flipped, both for all specifications together. NaN where the survey decides the level.
    """
    rows = []
    for part in parts(scores, columns_of(attributes)):
        moved = _moves(part) if attributes else None
        if moved is None:
            continue
        people, value, weight = moved
        for attribute in attributes:
            found = ranked(people, value, weight, attribute, (min_n, seed))
            if found is not None:
                rows.append({"model": part.model, "benchmark": part.benchmark, "attribute": attribute, **found})
    return pd.DataFrame(rows)


def _moves(part: Part) -> tuple[pd.DataFrame, Matrix, Matrix] | None:
    """The people, and for each person and specification the mean d (0 where not asked) and the weight (0 there)."""
    columns: list[dict[str, float]] = []
    weights: dict[str, float] = {}
    people: list[pd.DataFrame] = []
    for each in specifications_of(part, "value"):
        names = each.people["persona_id"].astype(str)
        columns.append(dict(zip(names, each.d, strict=True)))
        weights |= dict(zip(names, each.weight, strict=True))
        people.append(each.people)
    if len(columns) < 2:
        return None
    every = pd.concat(people).drop_duplicates("persona_id").reset_index(drop=True)
    names = every["persona_id"].astype(str)
    value = np.array([names.map(column).to_numpy(dtype=float) for column in columns]).T
    there = ~np.isnan(value)
    weight = np.where(there, names.map(weights).to_numpy(dtype=float)[:, None], 0.0)
    return every, np.where(there, value, 0.0), weight


def ranked(
    people: pd.DataFrame, value: Matrix, weight: Matrix, attribute: str, how: tuple[int, int]
) -> dict[str, object] | None:
    """What a row says of an attribute, from each person's mean d and weight under each specification.

    `how` is `min_n` and the seed. None under two levels of enough people.
    """
    min_n, seed = how
    levels = levels_of(people, attribute)
    sizes = levels.value_counts().sort_index()
    hidden = hidden_levels(sizes)
    enough = [str(name) for name, size in sizes.items() if size >= min_n and not is_missing(str(name))]
    names = [name for name in enough if name not in hidden]
    code = levels.map({name: place for place, name in enumerate(names)}).fillna(-1).to_numpy(dtype=np.int64)
    if len(names) < 2:
        return None
    used = code >= 0
    sums, shares = (_by_level(code[used], each[used], len(names)) for each in (weight * value, weight))
    whole = (shares > 0).all(axis=0)
    if whole.sum() < 2:
        return None
    ranks = pd.DataFrame(sums[:, whole] / shares[:, whole]).rank().to_numpy()
    order = ranks.mean(axis=1)
    top, bottom = int(order.argmax()), int(order.argmin())
    survey = pd.factorize(people["survey"])[0] if "survey" in people else np.zeros(len(people), dtype=np.int64)
    p = _p_of_no_gap((weight * value)[used][:, whole], weight[used][:, whole], _units(people, code, survey, used), seed)
    return {
        "levels": len(names),
        "specifications": int(whole.sum()),
        "concordance": _concordance(ranks),
        "first": names[top],
        "first_share": float((ranks[top] == ranks.max(axis=0)).mean()),
        "last": names[bottom],
        "last_share": float((ranks[bottom] == ranks.min(axis=0)).mean()),
        "p": p,
    }


def _concordance(ranks: Matrix) -> float:
    """Kendall's W of levels × specifications, corrected for ties; NaN where all are tied."""
    levels, judges = ranks.shape
    square = float(((ranks.sum(axis=1) - ranks.sum() / levels) ** 2).sum())
    ties = sum(float((times**3 - times).sum()) for times in _ties(ranks))
    most = judges**2 * (levels**3 - levels) - judges * ties
    return 12 * square / most if most > 0 else float("nan")


def _ties(ranks: Matrix) -> Iterator[Codes]:
    for column in ranks.T:
        yield np.unique(column, return_counts=True)[1]


def _by_level(code: Codes, values: Matrix, size: int) -> Matrix:
    sums = np.zeros((size, values.shape[1]))
    np.add.at(sums, code, values)
    return sums


def _units(people: pd.DataFrame, code: Codes, survey: Codes, used: np.ndarray) -> tuple[Codes, Codes, Codes]:
    """Of each person used the persona cluster at a level; of each of these the level and the survey."""
    cluster = pd.factorize(people["cluster"].astype(str))[0]
    keys = np.column_stack([cluster, code, survey])[used]
    distinct, unit = np.unique(keys, axis=0, return_inverse=True)
    return unit.ravel().astype(np.int64), distinct[:, 1].astype(np.int64), distinct[:, 2].astype(np.int64)


def _p_of_no_gap(total: Matrix, weight: Matrix, units: tuple[Codes, Codes, Codes], seed: int) -> float:
    """The larger p of two tests of Σ over specifications of the variance between levels; NaN where surveys decide.

    Levels permuted over units is exact where levels spread alike; signs flipped, each unit's for all
    specifications at once, keeps each level's own spread, of which a few people who spread widely make a permutation
    find too much.
    """
    unit, level, survey = units
    size = len(level)
    sums, shares = _by_level(unit, total, size), _by_level(unit, weight, size)
    if not any(len(np.unique(level[survey == block])) > 1 for block in np.unique(survey)):
        return float("nan")
    sums = sums - _means(survey, sums, shares)[survey] * shares  # levels are compared within surveys
    random, names = np.random.default_rng(seed), int(level.max()) + 1
    observed = _between(level[None, :], sums, shares, names)[0] * (1 - 1e-9)
    permuted = [
        _between(shuffled_within(level, survey, rows, random), sums, shares, names) for rows in _blocks(PERMUTATIONS)
    ]
    flipped = _flipped(sums, shares, level, survey, random)
    # the observed order counts as one of the draws
    return max(
        float((1 + (null >= observed).sum()) / (1 + PERMUTATIONS)) for null in (np.concatenate(permuted), flipped)
    )


def _blocks(count: int) -> Iterator[int]:
    yield from (min(_BLOCK, count - start) for start in range(0, count, _BLOCK))


def _means(code: Codes, sums: Matrix, shares: Matrix) -> Matrix:
    size = int(code.max()) + 1
    total, share = _by_level(code, sums, size), _by_level(code, shares, size)
    return np.divide(total, share, out=np.zeros_like(total), where=share > 0)


def _flipped(sums: Matrix, shares: Matrix, level: Codes, survey: Codes, random: np.random.Generator) -> Matrix:
    """The statistic with each unit's distance from its survey's mean as it is or negated.

    A wild bootstrap under the null (Cameron, Gelbach & Miller 2008).
    """
    names = int(level.max()) + 1
    of_level = _by_level(level, shares, names)
    leverage = np.divide(shares, of_level[level], out=np.zeros_like(shares), where=shares > 0)
    moves = sums / np.sqrt(np.maximum(1 - leverage, 0.5))  # as HC2 does: few people vary more than they show
    inside = (level == np.arange(names)[:, None]).astype(float)
    blocks = (survey == np.arange(int(survey.max()) + 1)[:, None]).astype(float)
    in_block = blocks @ shares
    both = np.array([[(one * block) @ shares for block in blocks] for one in inside])  # level × survey × specification
    found = []
    for rows in _blocks(PERMUTATIONS):
        signs = random.choice([-1.0, 1.0], (rows, len(level)))
        total = (signs[:, None, :] * inside) @ moves
        moved = np.divide(
            (signs[:, None, :] * blocks) @ moves, in_block, out=np.zeros((rows, *in_block.shape)), where=in_block > 0
        )
        total -= np.einsum("rbs,lbs->rls", moved, both)
        found.append((np.divide(total**2, of_level, out=np.zeros_like(total), where=of_level > 0)).sum(axis=(1, 2)))
    return np.concatenate(found)


def _between(level: Codes, sums: Matrix, shares: Matrix, names: int) -> Matrix:
    """Per row of levels: Σ over specifications of Σ over levels share · mean²."""
    inside = (level[:, None, :] == np.arange(names)[:, None]).astype(float)
    total, share = inside @ sums, inside @ shares
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Matrix = np.nansum(total**2 / np.where(share > 0, share, np.nan), axis=(1, 2))
    return found
