"""Variance components of paired differences, and the cheapest design that resolves a gap."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoring.statistics.clustered_errors import detectable
from scoring.statistics.levels import columns_of, levels_of
from scoring.statistics.pairs import Cells, Codes, Scores, factorized, parts
from scoring.statistics.weights import Floats


@dataclass(frozen=True, slots=True)
class Components:
    """Variances of d = persona + item group + level × item group + residual, in squared score units.

    `rotation` is the part of the residual that a further rotation averages out (within persona and item group).
    """

    persona: float
    group: float
    level_group: float
    residual: float
    rotation: float = 0.0


# Where a file has no run to learn from: accuracy on lettered questions at temperature 0.7, deliberately wide.
DEFAULTS = Components(persona=0.004, group=0.01, level_group=0.002, residual=0.12, rotation=0.08)


@dataclass(frozen=True, slots=True)
class DesignPlan:
    """A design and what it resolves: `per_level` personas of each of `levels` levels, item groups, rotations."""

    per_level: int
    levels: int
    groups: int
    rotations: int
    resolves: float
    requests: int
    usd: float


def components(found: Cells, level: Codes) -> Components:
    """Unbiased moment estimates for crossed random effects, not below 0 (Searle, Casella & McCulloch 1992, chapter 5).

    Over pairs of cells: those of one persona share its variance, those of one item group the group's, those of one
    group within a level the level's too. Equal to the two-way ANOVA's on complete data; missing cells are allowed.
    """
    groups = found.n_groups
    place = found.person * groups + found.group
    used, code = np.unique(place, return_inverse=True)
    d = np.bincount(code, weights=found.d) / np.bincount(code)
    person, group = used // groups, used % groups
    everything = _Moment(np.zeros(len(d), dtype=np.int64), d)
    by_person, by_group = _Moment(person, d), _Moment(group, d)
    by_level = _Moment(level[person] * groups + group, d)
    self_pairs = _Moment(np.arange(len(d)), d, itself=True)
    apart = everything.without(by_person).without(by_group)
    square = apart.mean
    persona, shared = by_person.mean - square, by_level.mean - square
    elsewhere = by_group.without(by_level)
    group_only = (elsewhere.mean if elsewhere.pairs > 0 else by_group.mean) - square
    interaction = shared - group_only if elsewhere.pairs > 0 else 0.0
    residual = self_pairs.mean - square - max(persona, 0) - max(group_only, 0) - max(interaction, 0)
    values = (persona, group_only, interaction, residual)
    return Components(*(max(0.0, each) if math.isfinite(each) else 0.0 for each in values))


class _Moment:
    """The sum and number of products d_a · d_b over ordered pairs of distinct cells with the same code."""

    def __init__(self, code: Codes, d: Floats, itself: bool = False) -> None:
        if itself:
            self.total, self.pairs = float(d @ d), float(len(d))
            return
        sums, squares, count = (np.bincount(code, weights=each) for each in (d, d * d, np.ones(len(d))))
        self.total, self.pairs = float((sums**2 - squares).sum()), float((count * (count - 1)).sum())

    def without(self, other: "_Moment") -> "_Moment":
        """The pairs that are not the other's."""
        rest = object.__new__(_Moment)
        rest.total, rest.pairs = self.total - other.total, self.pairs - other.pairs
        return rest

    @property
    def mean(self) -> float:
        return self.total / self.pairs if self.pairs > 0 else math.nan


def component_table(scores: Scores, by: Sequence[str]) -> pd.DataFrame:
    """`components` for every model, benchmark and measure, for each attribute; with the scores' rotations.

    They describe people and items as they were asked, to plan with: persona weights play no part.
    """
    rows = []
    for part in parts(scores, columns_of(by)):
        for measure in part.measures:
            found = part.pairs(measure)
            if not len(found.person):
                continue
            for attribute in by:
                level = factorized(levels_of(found.people, attribute))
                own = components(found, level)
                head = {"model": part.model, "benchmark": part.benchmark, "measure": measure, "attribute": attribute}
                values = {name: getattr(own, name) for name in ("persona", "group", "level_group", "residual")}
                rows.append({**head, **values, "rotations": int(part.scores["rotation"].nunique())})
    return pd.DataFrame(rows)


def resolvable_gap(of: Components, per_level: int, levels: int, groups: int, rotations: int = 1) -> float:
    """The least gap (one level against the others) found with 80 % power at Holm's first step.

    Var = (persona + residual/groups)(1/n + 1/(n(L − 1))) + level_group/groups · (1 + 1/(L − 1)): what the levels share
    of the items cancels. With one level it is the effect itself: (persona + residual/groups)/n + group/groups.
    """
    residual = max(of.residual - of.rotation * (1 - 1 / rotations), 0.0)
    own = (of.persona + residual / groups) / per_level
    if levels < 2:
        return detectable(math.sqrt(own + of.group / groups), min(per_level, groups) - 1)
    both = 1 + 1 / (levels - 1)
    return detectable(math.sqrt(both * (own + of.level_group / groups)), min(per_level, groups) - 1, levels)


def hardest_gap(levels: pd.DataFrame) -> float:
    """The gap that was found with 80 % power where that is hardest, of the `gap_resolvable` of one family's levels.

    The median over the levels of the fewest people, since the largest of many estimates is too large. NaN of none.
    """
    tested = levels[levels["gap_resolvable"] > 0]
    return float(tested.loc[tested["personas"] == tested["personas"].min(), "gap_resolvable"].median())


def baseline_replicates(of: Components, people: int, items: int, rotations: int = 1) -> int:
    """How often a sampled baseline is best asked, for Δ on these items at the least requests.

    Δ's variance is A/people + B/R with A = persona + s²/items and B = s²/items, s² the variance of one answer; the
    requests are items · (people + R). They are fewest for a variance at R/people = √(B/A), from 2 to `people`.
    """
    answer = of.residual / max(1, items * rotations)
    ratio = math.sqrt(answer / (of.persona + answer)) if answer > 0 else 0.0
    return max(2, min(people, math.ceil(people * ratio)))


@dataclass(frozen=True, slots=True)
class DesignLimits:
    """What a design may use.

    Personas of the smallest level, item groups, items a group, rotations; price of one request in USD.
    """

    per_level: int
    groups: int
    items_a_group: float = 1.0
    rotations: int = 1
    usd: float = 0.0


def cheapest(of: Components, target: float, levels: int, limits: DesignLimits, least: int = 10) -> DesignPlan | None:
    """The design with the fewest requests (hence the least price) that resolves a gap of `target`; None if none does.

    At least `least` personas a level and item groups, below which intervals are not to be trusted.
    """
    found: DesignPlan | None = None
    for plan in _plans(of, target, levels, limits, least):
        if found is None or plan.requests < found.requests:
            found = plan
    return found


def _plans(of: Components, target: float, levels: int, limits: DesignLimits, least: int) -> Iterator[DesignPlan]:
    steps = np.unique(np.geomspace(min(least, limits.groups), limits.groups, 60).astype(int))
    for rotations in range(1, limits.rotations + 1):
        for groups in map(int, steps):
            per_level = _fewest(of, target, levels, groups, rotations, limits.per_level)
            if per_level is None:
                continue
            per_level = max(per_level, min(least, limits.per_level))
            asked = math.ceil(groups * limits.items_a_group) * rotations
            requests = asked * (1 + per_level * levels)
            resolves = resolvable_gap(of, per_level, levels, groups, rotations)
            yield DesignPlan(per_level, levels, groups, rotations, resolves, requests, requests * limits.usd)


def _fewest(of: Components, target: float, levels: int, groups: int, rotations: int, most: int) -> int | None:
    """The fewest personas a level, by bisection; None where even the most do not do."""
    if resolvable_gap(of, most, levels, groups, rotations) > target:
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if resolvable_gap(of, middle, levels, groups, rotations) > target:
            low = middle
        else:
            high = middle
    return high
