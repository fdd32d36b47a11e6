"""A gap: Δ of the people of one level minus Δ of everybody else, with its interval and p."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from scoring.statistics.clustered_errors import (
    LEAST_GROUPS,
    Matrix,
    Variance,
    cell_variance,
    group_freedom,
    one_way,
    satterthwaite,
    t_interval,
    two_sided_p,
)
from scoring.statistics.codes import clustered
from scoring.statistics.coverage_figures import REASONS
from scoring.statistics.effect import EDGE, NEAR_EDGE, UNEQUAL, Contributions, mean_variance, wording_means
from scoring.statistics.unread import BOUNDS
from scoring.statistics.weights import Floats, effective_n, weighted_mean

SHARED_TEXTS = "levels whose people read the same texts"
LEAST_TEXTS = 5
FEW_TEXTS = "a level whose people read fewer than five texts"
UNEQUAL_PEOPLE = "people of very unequal weight"
THESE_ITEMS, ITEMS_TOO = "these items", "items like these too"
NO_GAP: dict[str, float | str] = {
    **dict.fromkeys(("gap", "gap_error", "gap_low", "gap_high", "gap_freedom", "gap_p"), math.nan),
    **dict.fromkeys(("gap_holm", "gap_q", "gap_resolvable"), math.nan),
    "gap_scope": "",
    "gap_conservative": "",
    **dict.fromkeys(("gap_items", *BOUNDS), math.nan),
}


def gap(of: Contributions, inside: NDArray[np.bool_]) -> dict[str, float | str]:
    """Δ of some personas minus Δ of all others.

    Both sides are taken on the `gap_items` items that both have (in a table: that every tested level has), so that a
    side that was asked easier ones is not ahead by them. Where that is not all, the gap is not the difference of the
    two printed Δ.

    Clustered two-way, on persona and item group, from five item groups on; on fewer it is clustered on persona, and
    `gap_scope` is "these items". Each side has its own variance and degrees of freedom (Welch 1938), and none is surer
    than the number of its answers allows. Formats, frames, placements and trait orders are a random effect, as in Δ:
    the gap under each of K wordings shows what they add, with K − 1 degrees of freedom. `gap_conservative` says why the
    intervals of gaps like this one cover more than 95 % in simulation (`coverage_figures`), "" where they do not.
    """
    of = on_common_items(of, (inside, ~inside))
    items = {"gap_items": float(of.cells.n_items)}
    difference = of.delta(inside) - of.delta(~inside)
    if math.isnan(difference):
        return {**NO_GAP, **items}
    people, scores, freedoms = _people_variance(of, inside)
    groups = int((of.share > 0).any(axis=0).sum())
    wide = groups >= LEAST_GROUPS
    variance = _with_items(people, scores, of) if wide else people
    sides = [wording_means(of.cells.wording[side], of.weight[side]) for side in (inside, ~inside)]
    whole = variance.plus(mean_variance(sides[0] - sides[1]))
    found = t_interval(difference, whole)
    if math.isnan(found.error):
        return {**NO_GAP, **items, "gap": difference}
    # no variance, no test
    p = two_sided_p(difference / found.error, found.freedom) if found.error > 0 else math.nan
    return {
        **NO_GAP,
        **items,
        "gap": difference,
        "gap_error": found.error,
        "gap_low": max(-2.0, found.low),
        "gap_high": min(2.0, found.high),
        "gap_freedom": found.freedom,
        "gap_p": p,
        "gap_scope": ITEMS_TOO if wide else THESE_ITEMS,
        "gap_conservative": REASONS.join(_conservative(of, inside, freedoms)),
    }


def _conservative(of: Contributions, inside: NDArray[np.bool_], freedoms: Sequence[float]) -> Iterator[str]:
    """Why simulated gaps like this one were covered more often than they should; `freedoms` are each side's."""
    sides, cluster = (inside, ~inside), of.cells.cluster
    means = [weighted_mean(score[side], of.weight[side]) for score in of.cells.means for side in sides]
    if min(*means, *(1 - each for each in means)) < EDGE:
        yield NEAR_EDGE
    if len(np.intersect1d(cluster[inside], cluster[~inside])):
        yield SHARED_TEXTS
    clusters = [len(np.unique(cluster[side])) for side in sides]
    if min(clusters) < LEAST_TEXTS:
        yield FEW_TEXTS
    if any(each < UNEQUAL * (size - 1) for each, size in zip(freedoms, clusters, strict=True)):
        yield UNEQUAL_PEOPLE


def on_common_items(of: Contributions, sides: Sequence[NDArray[np.bool_]]) -> Contributions:
    """The same on the items that every side has; as it is where those are all of them, or none."""
    have = np.array([of.cells.items_of(side) for side in sides])
    if not len(have) or (have == have[0]).all() or not have.all(axis=0).any():
        return of
    return Contributions.of(of.cells.on_items(np.logical_and.reduce(have)), of.weight)


def least_variance(of: Contributions, people: NDArray[np.bool_]) -> float:
    """The variance that the mean of these personas has at least: that of as many independent answers.

    Personas of a level that all answer alike show none of their own; how answers to one item vary among all personas
    shows what to expect.
    """
    weight = clustered(of.weight[people], of.cells.cluster[people])
    given = of.cells.answers
    answers = effective_n(weight) * float(given.answered[people].mean())
    return given.answer_variance / answers if answers > 0 else math.nan


def _people_variance(of: Contributions, inside: NDArray[np.bool_]) -> tuple[Variance, Matrix, list[float]]:
    """The variance of the gap and what it is made of.

    The variance over persona clusters, what each cluster and item group adds to the gap's error, and the degrees of
    freedom of each side.
    """
    scores = np.zeros_like(of.total)
    sides, cluster_shares = [], []
    for side, sign in ((inside, 1.0), (~inside, -1.0)):
        total, share = of.total[side], of.share[side]
        scores[side] = sign * (total - of.delta(side) * share) / share.sum()
        own = one_way(*(clustered(each.sum(axis=1), of.cells.cluster[side]) for each in (total, share)))
        sides.append(Variance(max(own.value, least_variance(of, side)), own.freedom))
        added = own.value
        cluster_shares.append((clustered_share(of, side), sides[-1].value - added))
    shared = np.maximum(cluster_shares[0][0], cluster_shares[1][0])
    sums = clustered(scores.sum(axis=1), of.cells.cluster)
    value = float((sums**2 / np.where(shared < 1, 1 - shared, np.nan)).sum())
    value += sum(added for _, added in cluster_shares)
    return Variance(value, satterthwaite(value, *sides)), scores, [each.freedom for each in sides]


def clustered_share(of: Contributions, side: NDArray[np.bool_]) -> Floats:
    """Each persona cluster's share of a side's weight; a cluster may stand on both sides."""
    share = clustered(np.where(side, of.share.sum(axis=1), 0.0), of.cells.cluster)
    found: Floats = share / share.sum()
    return found


def _with_items(people: Variance, scores: Matrix, of: Contributions) -> Variance:
    """The two-way variance: what the sides share of the items cancels, so items may widen it and never narrow it."""
    share = of.share.sum(axis=0) / of.share.sum()
    groups = Variance(float((scores.sum(axis=0) ** 2 / (1 - share)).sum()), group_freedom(share))
    both = cell_variance(*(clustered(each, of.cells.cluster) for each in (scores, of.share)))
    value = max(people.value, people.value + groups.value - both)
    return Variance(value, satterthwaite(value, people, groups))
