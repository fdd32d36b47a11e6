"""Are similar people embedded similarly? Embedding similarity against trait similarity."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from scoring.answers.distances import jensen_shannon_rows
from scoring.statistics.levels import ALL, HIDDEN_UNDER, is_missing

Matrix = NDArray[np.float64]
LEAST_GROUPS = 5


class Coherence(NamedTuple):
    """Spearman's correlation over pairs of personas, its Mantel p, and the same with shuffled traits (their median)."""

    correlation: float
    p: float
    shuffled: float


def gower(codes: Matrix, ordinal: NDArray[np.bool_]) -> Matrix:
    """Gower's (1971) similarity, persona × persona, from persona × trait codes (NaN: not answered).

    An ordinal trait counts 1 − |difference| / range, another one 1 where equal; a pair's mean is over traits that both
    answered, NaN where there are none.
    """
    total = np.zeros((len(codes), len(codes)))
    count = np.zeros_like(total)
    for column, scale in zip(codes.T, ordinal, strict=True):
        there = ~np.isnan(column)
        known = there[:, None] & there[None, :]
        apart = np.abs(column[:, None] - column[None, :])
        span = np.nanmax(column) - np.nanmin(column) if there.any() else 0.0
        alike = 1 - apart / span if scale and span > 0 else (apart == 0).astype(float)
        total[known] += alike[known]
        count += known
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def coherence(embeddings: Matrix, similarity: Matrix, seed: int = 0, permutations: int = 999) -> Coherence:
    """Spearman's correlation of cosine similarity with trait similarity, and Mantel's (1967) permutation p, one-sided.

    `embeddings` is persona × dimension, `similarity` persona × persona. NaN under three personas or without variance.
    """
    upper = np.triu_indices(len(embeddings), 1)
    known = ~np.isnan(similarity[upper])
    cosine = 1 - squareform(pdist(embeddings, "cosine")) if len(embeddings) > 1 else np.ones((1, 1))
    if len(embeddings) < 3 or np.ptp(cosine[upper][known]) == 0 or np.ptp(similarity[upper][known]) == 0:
        return Coherence(np.nan, np.nan, np.nan)
    ranks = stats.rankdata(similarity[upper][known])
    random = np.random.default_rng(seed)
    ranked = squareform(
        stats.rankdata(cosine[upper])
    )  # moving personas moves the ranks along, where no pair is left out

    def correlation(order: NDArray[np.int64]) -> float:
        moved = ranked[np.ix_(order, order)][upper][known]
        return float(np.corrcoef(moved if known.all() else stats.rankdata(moved), ranks)[0, 1])

    observed = correlation(np.arange(len(embeddings)))
    drawn = np.array([correlation(random.permutation(len(embeddings))) for _ in range(permutations)])
    p = (1 + int((drawn >= observed - 1e-12).sum())) / (1 + permutations)
    return Coherence(observed, p, float(np.median(drawn)))


def coherence_table(
    embeddings: Matrix, codes: Matrix, ordinal: NDArray[np.bool_], surveys: Sequence[str], seed: int = 0
) -> pd.DataFrame:
    """`coherence` over everybody, then within each survey of several; NaN where there is nothing to compare.

    `codes` is persona × trait (NaN: not answered). Surveys under five people are left out.
    """
    own = np.array(surveys)
    names = [name for name in np.unique(own) if (own == name).sum() >= HIDDEN_UNDER]
    parts = {ALL: np.ones(len(own), dtype=bool)} | (
        {str(name): own == name for name in names} if len(names) > 1 else {}
    )
    rows = [
        {"survey": name, "personas": int(inside.sum()), "traits": int((~np.isnan(codes[inside])).any(axis=0).sum())}
        | coherence(embeddings[inside], gower(codes[inside], ordinal), seed)._asdict()
        for name, inside in parts.items()
    ]
    return pd.DataFrame(rows)


def group_coherence(
    embeddings: Matrix, codes: Matrix, levels: Sequence[str], seed: int = 0
) -> tuple[int, int, Coherence]:
    """Whether groups that answer alike are embedded alike.

    How many groups and people that is of, and `coherence` of the groups' mean embeddings with the similarity of their
    answers.

    That is 1 − the mean Jensen-Shannon distance of their answers over the traits, `codes` persona × trait (NaN: not
    answered). Levels under five people, and those whose answer is missing, are left out; NaN under five levels.
    """
    own = np.array(levels)
    names = [str(name) for name in np.unique(own) if (own == name).sum() >= HIDDEN_UNDER and not is_missing(name)]
    inside = np.isin(own, names)
    if len(names) < LEAST_GROUPS:
        return len(names), int(inside.sum()), Coherence(np.nan, np.nan, np.nan)
    means = np.array([embeddings[own == name].mean(axis=0) for name in names])
    return len(names), int(inside.sum()), coherence(means, _answer_similarity(codes, own, names), seed)


def _answer_similarity(codes: Matrix, own: NDArray[np.str_], names: Sequence[str]) -> Matrix:
    """Group × group similarity of answers; NaN where two have no trait in common."""
    total, count = np.zeros((len(names), len(names))), np.zeros((len(names), len(names)))
    for column in codes.T:
        options = np.unique(column[~np.isnan(column)])
        shares = np.array(
            [[(column[own == name] == option).sum() for option in options] for name in names], dtype=float
        )
        mass = shares.sum(axis=1)
        there = (mass[:, None] > 0) & (mass[None, :] > 0)
        shares = shares / np.maximum(mass, 1)[:, None]
        apart = jensen_shannon_rows(shares[:, None, :], shares[None, :, :])
        total[there] += 1 - apart[there]
        count[there] += 1
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
