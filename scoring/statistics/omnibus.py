"""Does an attribute matter at all? One test for all its levels, for these items and for items like these."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from scoring.statistics.clustered_errors import Matrix, Variance, cell_variance, group_freedom, one_way
from scoring.statistics.codes import clustered
from scoring.statistics.effect import Contributions
from scoring.statistics.gaps import least_variance
from scoring.statistics.pairs import Codes
from scoring.statistics.weights import Floats

NO_VARIANCE = 1e-12  # of the largest variance: what rounding leaves of none
PERMUTATIONS = 999
_BLOCK = 4_000_000
CONFOUNDED = "confounded with the survey"
ONE_TEXT = "not testable: the people of a level all read the same"
FEW_ITEMS = "not testable: as many levels as item groups"
TOO_LITTLE = "not testable: too little varies between people or items"


class Family(NamedTuple):
    """One benchmark × model × attribute, judged as a whole.

    `omnibus_p` tests "no level differs" for people like these on these items: the larger p of a studentised permutation
    and of a Wald test with each level's own variance, of which one holds where scores are skewed and the other where
    spreads differ. `omnibus_items_p` is for items like these too; `omnibus_note` says why there is none. `disparity` is
    max − min of Δ over the levels, which is biased upward: `disparity_null` is its median where the attribute does not
    matter.
    """

    omnibus_p: float
    omnibus_items_p: float
    omnibus_note: str
    disparity: float
    disparity_null: float


def family(of: Contributions, level: Codes, survey: Codes, seed: int) -> Family:
    """The omnibus tests and the disparity of one attribute; `level` is each persona's (−1: not in the family)."""
    means = of.cells.by_persona(of.cells.d)
    used = (level >= 0) & ~np.isnan(means)
    if len(np.unique(level[used])) < 2:
        return Family(np.nan, np.nan, "", np.nan, np.nan)
    tested = np.where(used, level, -1)
    p, disparity, null = _permuted(of, means, used, level, survey, seed)
    notes = [CONFOUNDED] if np.isnan(p) else []
    if _one_text(of, tested):
        return Family(np.nan, np.nan, "; ".join([*notes, ONE_TEXT]), disparity, null)
    if not np.isnan(p):  # shuffled levels spread alike: where a few people spread widely that alone finds too much
        p = float(np.fmax(p, wald_test(_within(of, survey, used), tested, items=False)))
    items_p = wald_test(of, tested)
    if np.isnan(items_p):
        levels, groups = len(np.unique(tested[used])), int((of.share.sum(axis=0) > 0).sum())
        notes.append(FEW_ITEMS if levels >= groups else TOO_LITTLE)
    return Family(p, items_p, "; ".join(notes), disparity, null)


def _within(of: Contributions, survey: Codes, used: NDArray[np.bool_]) -> Contributions:
    """The same less each survey's mean, since levels are compared within surveys."""
    total, share = (np.bincount(survey[used], weights=each[used].sum(axis=1)) for each in (of.total, of.share))
    means = np.divide(total, share, out=np.zeros(len(share)), where=share > 0)
    return replace(of, total=of.total - np.where(used, means[np.where(used, survey, 0)], 0.0)[:, None] * of.share)


def _one_text(of: Contributions, level: Codes) -> bool:
    """Whether some level is one persona cluster, whose people show no variance."""
    return any(len(np.unique(of.cells.cluster[level == name])) < 2 for name in np.unique(level[level >= 0]))


def _permuted(
    of: Contributions, means: Floats, used: NDArray[np.bool_], level: Codes, survey: Codes, seed: int
) -> tuple[float, float, float]:
    """A studentised permutation test: levels are permuted over persona clusters within survey.

    The statistic Σ_g (Δ_g − Δ)² / v_g compares means on the scale of each level's own variance, so that levels whose
    people differ more among each other are no sign that their means differ (Pauly, Brunner & Konietschke 2015). The
    observed order counts as one of the permutations. NaN where the survey decides the level.
    """
    _, unit = np.unique(np.column_stack([of.cells.cluster, level, survey])[used], axis=0, return_inverse=True)
    weight = clustered(of.weight[used], unit)
    total = clustered((of.weight * means)[used], unit)
    first = np.unique(unit, return_index=True)[1]
    levels = np.unique(level[used][first], return_inverse=True)[1]
    blocks = survey[used][first]
    least = of.cells.answers.answer_variance / max(float(of.cells.answers.answered[used].mean()), 1.0)
    random = np.random.default_rng(seed)
    size = max(1, _BLOCK // len(levels))
    found = [_statistics(levels[None, :], total, weight, least)]
    for start in range(0, PERMUTATIONS, size):
        shuffled = shuffled_within(levels, blocks, min(size, PERMUTATIONS - start), random)
        found.append(_statistics(shuffled, total, weight, least))
    statistic, disparity = (np.concatenate(each) for each in zip(*found, strict=True))
    movable = any(len(np.unique(levels[blocks == block])) > 1 for block in np.unique(blocks))
    # rounding must not tell a permutation from the order that was observed
    p = float(np.mean(statistic >= statistic[0] * (1 - 1e-9))) if movable else np.nan
    return p, float(disparity[0]), float(np.nanmedian(disparity[1:]))


def shuffled_within(levels: Codes, blocks: Codes, count: int, random: np.random.Generator) -> Codes:
    """`count` rows, each the levels permuted within blocks."""
    rows = np.tile(levels, (count, 1))
    for block in np.unique(blocks):
        columns = np.flatnonzero(blocks == block)
        rows[:, columns] = random.permuted(rows[:, columns], axis=1)
    return rows


def _statistics(levels: Codes, total: Floats, weight: Floats, least: float) -> tuple[Floats, Floats]:
    """Per row of levels: the studentised statistic, and max − min of the level means."""
    count, size = len(levels), int(levels.max()) + 1
    place = (np.arange(count)[:, None] * size + levels).ravel()

    def sums(values: Floats) -> Matrix:
        found = np.bincount(place, weights=np.tile(values, count), minlength=count * size).reshape(count, size)
        return np.asarray(found, dtype=np.float64)

    share, square, units = sums(weight), sums(weight**2), sums(np.ones(len(weight)))
    delta = sums(total) / share
    spread = sums(total**2) - 2 * delta * sums(total * weight) + delta**2 * square
    with np.errstate(divide="ignore", invalid="ignore"):
        own = units / (units - 1) * np.maximum(spread, 0.0) / share**2
        variance = np.fmax(own, least * square / share**2)
        precision = np.where(variance > 0, 1 / variance, 0.0)
        centre = (precision * delta).sum(axis=1) / precision.sum(axis=1)
        statistic = (precision * (delta - centre[:, None]) ** 2).sum(axis=1)
    return np.nan_to_num(statistic), delta.max(axis=1) - delta.min(axis=1)


class _Levels(NamedTuple):
    """Each level's mean and what its error is made of.

    Its variance over persona clusters, what its cells alone explain, and what each item group adds to its error (levels
    × groups).
    """

    means: Floats
    people: list[Variance]
    cells: Floats
    by_group: Matrix

    @classmethod
    def of(cls, of: Contributions, level: Codes, items: bool) -> "_Levels":
        """From what each persona adds; `level` is −1 for people who are at none.

        Where `items` are random no level is surer than its answers allow; where they are not, the permutation beside
        this test sees to it, but for a level whose people all answer alike.
        """
        names = np.unique(level[level >= 0])
        means, cells, people, groups = np.zeros(len(names)), np.zeros(len(names)), [], []
        for place, name in enumerate(names):
            inside = level == name
            total, part = of.total[inside], of.share[inside]
            means[place] = of.delta(inside)
            scores = (total - means[place] * part) / part.sum()
            cluster = of.cells.cluster[inside]
            own = one_way(*(clustered(each.sum(axis=1), cluster) for each in (total, part)))
            least = least_variance(of, inside)
            people.append(own._replace(value=max(own.value, least) if items else own.value or least))
            cells[place] = cell_variance(clustered(scores, cluster), clustered(part, cluster))
            groups.append(scores.sum(axis=0))
        return cls(means, people, cells, np.array(groups))


def wald_test(of: Contributions, level: Codes, items: bool = True) -> float:
    """The p-value of "no level differs", for these items or where `items` are random too.

    NaN where item groups are too few for so many levels, where a level's people all read the same, or where nothing
    varies.

    A cluster-robust Wald test of the level means, F by Hotelling's T² with the degrees of freedom that match the
    variance estimate's spread (Pustejovsky & Tipton 2018, HTZ). Each level has its own variance over its persona
    clusters; where items are random, the levels' over item groups is added.
    """
    found = _Levels.of(of, level, items)
    tests = len(found.means) - 1
    share = of.share.sum(axis=0) / of.share.sum()
    few_groups = items and tests >= int((share > 0).sum()) - 1
    if tests < 1 or few_groups or any(np.isnan(own.freedom) for own in found.people):
        return np.nan
    contrast = np.c_[np.eye(tests), -np.ones(tests)]
    shared = _between_items(found, contrast, share) if items else np.zeros((tests, tests))
    variance = contrast @ np.diag([own.value for own in found.people]) @ contrast.T + shared
    scale = float(np.abs(variance).max())
    if not scale > 0 or np.linalg.eigvalsh(variance)[0] < NO_VARIANCE * scale:
        return np.nan  # in some direction nothing varies, so that nothing can be judged
    root = np.linalg.inv(np.linalg.cholesky(variance))
    lengths = ((root @ contrast) ** 2).sum(axis=0)
    doubt = sum(2 * (own.value * length) ** 2 / own.freedom for own, length in zip(found.people, lengths, strict=True))
    scaled = root @ shared @ root.T
    if items:
        doubt += (np.trace(scaled) ** 2 + np.trace(scaled @ scaled)) / group_freedom(share)
    freedom = tests * (tests + 1) / doubt
    if freedom <= tests - 1:
        return np.nan
    distance = root @ contrast @ found.means
    statistic = (freedom - tests + 1) / (freedom * tests) * float(distance @ distance)
    return float(special.fdtrc(tests, freedom - tests + 1, statistic))


def _between_items(found: _Levels, contrast: Matrix, share: Floats) -> Matrix:
    """The contrasts' variance over item groups, less what the cells alone explain, which is in that over people."""
    by_group = found.by_group / np.sqrt(1 - share)
    shared: Matrix = contrast @ (by_group @ by_group.T) @ contrast.T
    if (spread := float(np.trace(shared))) > 0:  # the shape stays that of the groups
        shared *= max(0.0, 1 - float(np.trace(contrast @ np.diag(found.cells) @ contrast.T)) / spread)
    return shared
