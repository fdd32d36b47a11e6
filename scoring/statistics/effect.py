"""The persona effect Δ = score(with) − score(without), paired, weighted and clustered."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.errors import InputError
from scoring.statistics.clustered_errors import (
    BOUND,
    EXACT,
    LEVEL,
    UNKNOWN,
    Interval,
    Matrix,
    Mean,
    Variance,
    clipped,
    detectable,
    difference_interval,
    group_freedom,
    joined,
    one_way,
    t_interval,
    two_way,
    unbiased_error,
)
from scoring.statistics.codes import clustered
from scoring.statistics.coverage_figures import REASONS
from scoring.statistics.designs.inclusion import row_weights
from scoring.statistics.pairs import Cells, Part, is_invalid, weights_by_person
from scoring.statistics.weights import Floats, Weights, effective_n, weighted_mean

EDGE = 0.05  # a mean score nearer to 0 or 1 than this
UNEQUAL = 0.5  # item groups, or people, worth fewer than this share of the degrees of freedom that equal ones have
NEAR_EDGE = "scores near 0 or 1"
FEW_DRAWS = "a baseline drawn only twice"
UNEQUAL_GROUPS = "item groups of very unequal size"


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect with its intervals; NaN where there are too few clusters to have one.

    `people_*` generalises to people like these on these items (clustered on persona); `items_*` to items like these
    too (two-way, persona and item group). `*_method` says how an interval was made: "score" (limits that stay within
    what is possible), "t", "bound" (nothing varies: what is left possible), or "" where there is none: under two
    persona clusters, under five item groups, or a sampled baseline whose noise is unknown. `*_freedom` are the degrees
    of freedom behind `*_error`. `effective` is Kish's n. `invalid_*` is the share of answers that are unparsed, refused
    or failed. `conservative` says why the intervals of studies like this one cover more than 95 % in simulation
    (`coverage_figures`), "" where they do not. Scores are in the benchmark's unit, 0 to 1.
    """

    personas: int
    clusters: int
    items: int
    groups: int
    pairs: int
    effective: float
    without: float
    with_persona: float
    effect: float
    people_error: float
    people_low: float
    people_high: float
    people_freedom: float
    people_method: str
    items_error: float
    items_low: float
    items_high: float
    items_freedom: float
    items_method: str
    invalid_without: float
    invalid_with: float
    conservative: str = ""

    @property
    def resolvable(self) -> float:
        """The smallest effect that this design finds with 80 % power at the 5 % level, for items like these.

        NaN where nothing varies.
        """
        if self.items_method == BOUND:
            return math.nan
        return detectable(unbiased_error(self.items_error, self.items_freedom), self.items_freedom)


_NAN = math.nan
_NONE = (_NAN, _NAN, _NAN, _NAN)
NOTHING = Estimate(0, 0, 0, 0, 0, 0.0, _NAN, _NAN, _NAN, *_NONE, "", *_NONE, "", _NAN, _NAN)


@dataclass(frozen=True)
class Contributions:
    """What each persona and item group adds to Δ = Σ total / Σ share; with their persona weights."""

    cells: Cells
    weight: Floats
    total: Matrix
    share: Matrix

    @classmethod
    def of(cls, found: Cells, weight: Floats) -> "Contributions":
        """From cells and persona weights."""
        ones = np.ones(len(found.item))
        return cls(found, weight, found.per_group(found.d, weight), found.per_group(ones, weight))

    def delta(self, people: NDArray[np.bool_]) -> float:
        """Δ of some personas; NaN of none."""
        share = self.share[people].sum()
        return float(self.total[people].sum() / share) if share > 0 else math.nan


def persona_effect(
    scores: pd.DataFrame,
    value: str = "value",
    weights: Weights = "none",
    population: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Estimate:
    """Δ over all rows of one model and benchmark: Δ = Σ_p w_p (1/I_p) Σ_i d_pi / Σ_p w_p.

    For people like these on these items the variance is clustered on persona; for items like these too it is Cameron,
    Gelbach & Miller's (2011) on persona and item group; both are bias-reduced with the degrees of freedom of Bell &
    McCaffrey (2002), so that few or unequal clusters and survey weights are paid for. Persona clusters are respondents
    who read the same. What formats, frames, placements and trait orders add is a random effect, in both intervals;
    rotations are random within items, hence in the two-way one. Where the baseline was sampled, its replicates tell its
    own noise, which all personas share: it widens the interval for these items, and without replicates there is none.
    The neutral control is left out.

    Parameters
    ----------
    scores : DataFrame
        Rows of `load_scores`, of one model and benchmark.
    value : str
        The column that is averaged: "value", or "expected" for the mean over letter probabilities.
    weights : {"none", "survey", "population"}
        How personas are weighted: alike, by the survey's weights within country, or by countries' adult populations.
    population : mapping of str to float, optional
        The adult population of each country (alpha-3), for `weights = "population"`.
    seed : int
        Of the random draws that some intervals need.

    Raises
    ------
    InputError
        The scores are of several models or benchmarks, which have no common Δ.
    """
    for name in ("model", "benchmark"):
        if name in scores and len(found := sorted(scores[name].astype(str).unique())) > 1:
            raise InputError(
                f"persona_effect: the scores are of {len(found)} {name}s ({', '.join(found)}), which have no common "
                f"effect; choose one (scores[scores['{name}'] == {found[0]!r}]), or take effects(scores) for a table"
            )
    weight = weights_by_person(scores, weights, population)
    return effect_of(Part("", "", scores, weight=weight), value, seed)


def effect_of(part: Part, measure: str = "value", seed: int = 0) -> Estimate:
    """`persona_effect` of a part's respondents, with the weights that it gives them."""
    rates = invalid_rates(part, measure)
    found = part.pairs(measure)
    if not len(found.person):
        return replace(NOTHING, invalid_without=rates[0], invalid_with=rates[1])
    return estimate(contributions(part, measure), np.ones(len(found.people), dtype=bool), rates, seed)


def contributions(part: Part, measure: str) -> Contributions:
    """What the pairs of a part add to Δ, weighted."""
    found = part.pairs(measure)
    return part.once(
        "contributions", measure, lambda: Contributions.of(found, part.weights_of(found.people["persona_id"]))
    )


def estimate(
    of: Contributions, people: NDArray[np.bool_], invalid: tuple[float, float], seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Δ of some of the personas of a model and benchmark, with both intervals at this level."""
    if not people.any():
        return replace(NOTHING, invalid_without=invalid[0], invalid_with=invalid[1])
    found, weight = of.cells, of.weight[people]
    cluster = found.cluster[people]
    total, share = clustered(of.total[people], cluster), clustered(of.share[people], cluster)
    with_persona, without = (float(np.average(mean[people], weights=weight)) for mean in found.means)
    wording = mean_variance(wording_means(found.wording[people], weight))
    units = Units(total.shape[0], int((share > 0).any(axis=0).sum()), *baseline_draws(of, people))
    narrow, wide = intervals(total, share, (with_persona, without), wording, units, found.possible, level)
    return Estimate(
        personas=int(people.sum()),
        clusters=units.people,
        items=int(found.items_of(people).sum()),
        groups=units.groups,
        pairs=int(found.answers.answered[people].sum()),
        effective=effective_n(clustered(weight, cluster)),
        without=without,
        with_persona=with_persona,
        effect=float(total.sum() / share.sum()),
        people_error=narrow.error,
        people_low=narrow.low,
        people_high=narrow.high,
        people_freedom=narrow.freedom,
        people_method=narrow.method,
        items_error=wide.error,
        items_low=wide.low,
        items_high=wide.high,
        items_freedom=wide.freedom,
        items_method=wide.method,
        invalid_without=invalid[0],
        invalid_with=invalid[1],
        conservative=REASONS.join(_conservative(of, (with_persona, without), units)),
    )


def _conservative(of: Contributions, means: tuple[float, float], units: "Units") -> Iterator[str]:
    """Why simulated studies like this one covered more than they should."""
    found, share = of.cells, of.share.sum(axis=0)
    if found.sampled and min(*means, *(1 - each for each in means)) < EDGE:
        yield NEAR_EDGE
    if found.sampled and units.noise.value >= 0 and float(np.median(found.draws[found.draws > 0])) <= 2:
        yield FEW_DRAWS
    if group_freedom(share / share.sum()) < UNEQUAL * (units.groups - 1):
        yield UNEQUAL_GROUPS


class Units(NamedTuple):
    """What an estimate is made of: persona clusters, item groups, the baseline's noise and its independent draws."""

    people: int
    groups: int
    noise: Variance
    draws: float


def intervals(
    total: Matrix,
    share: Matrix,
    means: tuple[float, float],
    wording: Variance,
    units: Units,
    possible: tuple[float, float] | None,
    level: float = LEVEL,
) -> tuple[Interval, Interval]:
    """For these items, and for items like these too, from cluster × group contributions and the means with and without.

    Limits respect what is `possible`, where scores lie between 0 and 1. The baseline's noise is apart in the first
    interval; in the second it is in the variance between items already. There the limits are t's, which hold best where
    few items move far; those within the bounds stand beside them where the baseline is exact, and take what wordings
    add, since few wordings would put many standard errors into t's.
    """
    effect = means[0] - means[1]
    people, crossed = one_way(total.sum(axis=1), share.sum(axis=1)).plus(wording), two_way(total, share)
    everything = crossed.plus(wording)
    if possible is None:
        narrow = t_interval(effect, people.plus(units.noise), level)
        return narrow, joined(t_interval(effect, everything, level), narrow)
    without, known = Mean(means[1], units.noise, units.draws), Mean(means[1], EXACT, math.inf)
    narrow = difference_interval(Mean(means[0], people, units.people), without, level)
    wide = t_interval(effect, crossed, level)
    if units.noise == EXACT or wording.value > 0 or everything.value == 0:
        both = Mean(means[0], everything, min(units.people, units.groups))
        wide = joined(difference_interval(both, known if everything.value > 0 else without, level), wide)
    return clipped(narrow, *possible), clipped(joined(wide, narrow), *possible)


def wording_means(wording: Matrix, weight: Floats) -> Floats:
    """The weighted mean under each wording; NaN where nobody was asked by it."""
    there = ~np.isnan(wording)
    sums = (np.where(there, wording, 0.0) * weight[:, None]).sum(axis=0)
    counts = (there * weight[:, None]).sum(axis=0)
    means: Floats = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return means


def mean_variance(means: Floats) -> Variance:
    """Variance of the mean over K wordings taken as a random sample of wordings, with its K − 1 degrees of freedom."""
    known = means[~np.isnan(means)]
    return Variance(float(known.var(ddof=1)) / len(known), len(known) - 1.0) if len(known) > 1 else EXACT


def baseline_draws(of: Contributions, people: NDArray[np.bool_]) -> tuple[Variance, float]:
    """The noise of the baseline's mean, Σ_i (share of item i)² · Var(b_i), and the independent draws that it is worth.

    An item whose noise is unknown is taken to be as noisy as the others. Its degrees of freedom follow from how the
    items' noise differs, which is what the estimate is uncertain by. Where no replicate differs from another, half an
    event is taken to have happened (Jeffreys), so that the noise is never 0.
    """
    found = of.cells
    if not found.sampled:
        return EXACT, math.inf
    scale = np.where(people, of.weight / np.maximum(found.answered, 1), 0.0)[found.person]
    share = np.bincount(found.item, weights=scale, minlength=len(found.noise))
    share = share / share.sum()
    asked = share > 0
    draws = float(1 / (share[asked] ** 2 / found.draws[asked]).sum())
    known = asked & ~np.isnan(found.noise)
    if not known.any():
        return UNKNOWN, draws
    noise = share[known] ** 2 * found.noise[known]
    value = float(noise.sum() * (share**2).sum() / (share[known] ** 2).sum())
    if value == 0:
        chance = 0.5 / (draws + 1)
        return Variance(chance * (1 - chance) / draws, math.inf), draws
    count = len(noise)
    spread = float(((noise - noise.mean()) ** 2).sum() * count / (count - 1)) if count > 1 else math.inf
    return Variance(value, max(1.0, 2 * float(noise.sum()) ** 2 / spread) if spread > 0 else math.inf), draws


def invalid_rates(part: Part, measure: str = "value") -> tuple[float, float]:
    """Share of invalid answers, in the baseline and with personas (weighted); NaN of none."""
    return part.once("invalid rates", measure, lambda: _invalid_rates(part.clean, measure))


def _invalid_rates(clean: Part, measure: str) -> tuple[float, float]:
    invalid, alone = is_invalid(clean.scores, measure).to_numpy(dtype=float), clean.alone.to_numpy()
    weight = (clean.weights_of(clean.scores["persona_id"]) * row_weights(clean.scores))[~alone]
    return weighted_mean(invalid[alone], np.ones(alone.sum())), weighted_mean(invalid[~alone], weight)
