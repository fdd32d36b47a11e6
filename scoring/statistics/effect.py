"""The persona effect Δ = score(with) − score(without), paired, weighted and clustered."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.errors import InputError
from scoring.statistics.clustered_errors import (
    FEW_CLUSTERS,
    LEVEL,
    NO_INTERVAL,
    Interval,
    Matrix,
    Present,
    t_interval,
    variances,
    widened,
    wild_interval,
)
from scoring.statistics.pairs import Cells, Part, clustered, is_invalid, weights_by_person
from scoring.statistics.weights import Floats, Weights, effective_n, weighted_mean

POWER_FACTOR = 2.8  # z(0.975) + z(0.8): what 80 % power at the 5 % level needs, in standard errors


@dataclass(frozen=True, slots=True)
class Estimate:
    """An effect with its intervals; NaN where there are too few clusters to have one.

    `people_*` generalises to people like these on these items (clustered on persona); `items_*` to items like these
    too (two-way, persona and item group). `method` is "t", or "wild" where a side has fewer than ten clusters.
    `effective` is Kish's n. `invalid_*` is the share of answers that are unparsed, refused or failed. Scores are in the
    benchmark's unit, 0 to 1.
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
    people_method: str
    items_error: float
    items_low: float
    items_high: float
    items_method: str
    invalid_without: float
    invalid_with: float

    @property
    def resolvable(self) -> float:
        """The smallest effect that this design finds with 80 % power at the 5 % level: 2.8 standard errors."""
        return POWER_FACTOR * self.items_error


_NAN = math.nan
NOTHING = Estimate(0, 0, 0, 0, 0, 0.0, _NAN, _NAN, _NAN, _NAN, _NAN, _NAN, "", _NAN, _NAN, _NAN, "", _NAN, _NAN)


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

    The variance is Cameron, Gelbach & Miller (2011), two-way clustered on persona and item group, t with min(G) − 1
    degrees of freedom; equal to statsmodels' WLS on a constant with `cov_type="cluster"` and two groups. Under ten
    clusters on a side, the wild cluster bootstrap's interval. What formats, frames, placements and trait orders add is
    a random effect, in both intervals; rotations are random within items, hence in the two-way one. Replicates of the
    baseline tell its own noise, which all personas share: it widens the interval for these items. The neutral control
    is left out. Persona clusters are respondents who read the same.

    Raises InputError where the scores are of several models or benchmarks, which have no common Δ.
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
    return Contributions.of(found, part.weights_of(found.people["persona_id"]))


def estimate(
    of: Contributions, people: NDArray[np.bool_], invalid: tuple[float, float], seed: int = 0, level: float = LEVEL
) -> Estimate:
    """Δ of some of the personas of a model and benchmark, with both intervals at this level."""
    if not people.any():
        return replace(NOTHING, invalid_without=invalid[0], invalid_with=invalid[1])
    found, weight = of.cells, of.weight[people]
    cluster = found.cluster[people]
    total, share = clustered(of.total[people], cluster), clustered(of.share[people], cluster)
    effect = float(total.sum() / share.sum())
    narrow, wide = intervals(total, share, effect, seed, level)
    added = mean_variance(wording_means(found.wording[people], weight))
    noise = _baseline_noise(of, people)
    narrow = widened(widened(narrow, effect, *added, level), effect, noise, math.inf, level)
    wide = widened(wide, effect, *added, level)
    few_people, few_groups = total.shape[0] < FEW_CLUSTERS, (share > 0).any(axis=0).sum() < FEW_CLUSTERS
    means = found.by_persona(found.y)[people], found.by_persona(found.b)[people]
    of_people = people[found.person]
    return Estimate(
        personas=int(people.sum()),
        clusters=total.shape[0],
        items=len(np.unique(found.item[of_people])),
        groups=int((share > 0).any(axis=0).sum()),
        pairs=int(of_people.sum()),
        effective=effective_n(clustered(weight, cluster)),
        without=float(np.average(means[1], weights=weight)),
        with_persona=float(np.average(means[0], weights=weight)),
        effect=effect,
        people_error=narrow.error,
        people_low=narrow.low,
        people_high=narrow.high,
        people_method="wild" if few_people else "t",
        items_error=wide.error,
        items_low=wide.low,
        items_high=wide.high,
        items_method="wild" if few_people or few_groups else "t",
        invalid_without=invalid[0],
        invalid_with=invalid[1],
    )


def intervals(
    total: Matrix, share: Matrix, effect: float, seed: int, level: float = LEVEL
) -> tuple[Interval, Interval]:
    """For these items, and for items like these too, from cluster × group contributions."""
    present: Present = share > 0
    found = variances((total - effect * share) / share.sum(), present)
    if found.n_people < FEW_CLUSTERS:
        narrow = wild_interval(total, share, False, seed, level) if found.n_people > 1 else NO_INTERVAL
    else:
        narrow = t_interval(effect, found.people, found.n_people - 1, level)
    least = min(found.n_people, found.n_groups)
    if least < 2:
        return narrow, NO_INTERVAL
    if least < FEW_CLUSTERS:
        return narrow, wild_interval(total, share, True, seed, level)
    return narrow, t_interval(effect, found.two_way, least - 1, level)


def wording_means(wording: Matrix, weight: Floats) -> Floats:
    """The weighted mean under each wording; NaN where nobody was asked by it."""
    there = ~np.isnan(wording)
    sums = (np.where(there, wording, 0.0) * weight[:, None]).sum(axis=0)
    counts = (there * weight[:, None]).sum(axis=0)
    means: Floats = np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0)
    return means


def mean_variance(means: Floats) -> tuple[float, float]:
    """Variance of the mean over K wordings taken as a random sample of wordings, with its K − 1 degrees of freedom."""
    known = means[~np.isnan(means)]
    return (float(known.var(ddof=1)) / len(known), len(known) - 1.0) if len(known) > 1 else (0.0, math.inf)


def _baseline_noise(of: Contributions, people: NDArray[np.bool_]) -> float:
    """Variance that the baseline's replicates show: Σ_i (share of item i)² · Var(b_i)."""
    found = of.cells
    if not found.noise.any():
        return 0.0
    scale = np.where(people, of.weight / np.maximum(found.answered, 1), 0.0)[found.person]
    share = np.bincount(found.item, weights=scale, minlength=len(found.noise))
    return float(((share / share.sum()) ** 2) @ found.noise)


def invalid_rates(part: Part, measure: str = "value") -> tuple[float, float]:
    """Share of invalid answers, in the baseline and with personas (weighted); NaN of none."""
    clean = part.clean
    invalid, alone = is_invalid(clean.scores, measure).to_numpy(dtype=float), clean.alone.to_numpy()
    weight = clean.weights_of(clean.scores["persona_id"][~alone])
    return weighted_mean(invalid[alone], np.ones(alone.sum())), weighted_mean(invalid[~alone], weight)
