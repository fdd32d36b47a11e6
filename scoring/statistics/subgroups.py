"""The effect overall and for every level of an attribute, with the gap to everybody else, as one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from personas.errors import InputError, nearest
from scoring.statistics.clustered_errors import FEW_CLUSTERS, t_interval, two_sided_p, variances, widened
from scoring.statistics.effect import (
    NOTHING,
    POWER_FACTOR,
    Contributions,
    contributions,
    effect_of,
    estimate,
    invalid_rates,
    mean_variance,
    wording_means,
)
from scoring.statistics.levels import ALL, PAIR, columns_of, hidden_levels, is_missing, level_codes, levels_of
from scoring.statistics.multiplicity import adjusted, family
from scoring.statistics.pairs import Part, Scores, clustered, is_invalid, parts
from scoring.statistics.unread import AS_WRONG, BOUNDS, Unread
from scoring.statistics.weights import Weights

MEASURES = {"value": "likeliest letter", "expected": "letter probabilities"}
THESE_ITEMS, ITEMS_TOO = "these items", "items like these too"
NO_GAP: dict[str, float | str] = {
    **dict.fromkeys(("gap", "gap_error", "gap_low", "gap_high", "gap_p", "gap_holm", "gap_q"), math.nan),
    "gap_resolvable": math.nan,
    "gap_scope": "",
    **dict.fromkeys(("gap_items", *BOUNDS), math.nan),
}


@dataclass(frozen=True)
class Slicing:
    """How the table is made: attributes, pairs of attributes, persona weights, the least level to test, the seed."""

    by: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    weights: Weights = "none"
    population: Mapping[str, float] | None = None
    min_n: int = 20
    seed: int = 0

    @property
    def attributes(self) -> tuple[str, ...]:
        """Every attribute, a pair being "one × other"."""
        return (*self.by, *(PAIR.join(pair) for pair in self.pairs))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the scores that are needed."""
        return columns_of(self.attributes)

    def parts(self, scores: pd.DataFrame) -> Sequence[Part]:
        """Every model and benchmark, with these columns and weights.

        Raises InputError for an attribute that the scores do not have.
        """
        for name in self.columns:
            if name not in scores:
                known = set(scores) - {"value", "expected", "weight"}
                raise InputError(f"[report] by: no attribute {name!r} in these scores; {nearest(name, known)}")
        return parts(scores, self.columns, self.weights, self.population)


@dataclass(frozen=True)
class Tables:
    """`effects`: a row per model, benchmark, measure, attribute and level. `families`: a row per attribute of each."""

    effects: pd.DataFrame
    families: pd.DataFrame


def effects(
    scores: pd.DataFrame,
    by: Sequence[str] = (),
    pairs: Sequence[tuple[str, str]] = (),
    weights: Weights = "none",
    population: Mapping[str, float] | None = None,
    min_n: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Δ of every model and benchmark, overall and by level of these attributes, as one tidy table.

    The columns are those of `effect_tables(...).effects`. Raises InputError for an attribute that the scores lack.
    """
    return effect_tables(scores, Slicing(tuple(by), tuple(pairs), weights, population, min_n, seed)).effects


def effect_tables(scores: Scores, slicing: Slicing) -> Tables:
    """Δ overall and by level, gaps with adjusted p, and the omnibus test and disparity of every family.

    The measure is "value", or "expected" where letter probabilities were asked for. The attribute is "all" for
    everybody. A level with fewer than five people has its numbers withheld (`hidden`), and so has a second one where it
    could be worked out from the total; one under `min_n` is not tested, nor are those whose answer is missing.
    `effect_as_wrong` is Δ with every unread answer (unparsed, refused) as 0, with its interval for items like these
    too; `gap_least` and `gap_most` are what the gap could be if unread answers were all 0 on one side and 1 on the
    other. Raises InputError for an attribute that the scores do not have.
    """
    effects: list[dict[str, object]] = []
    families: list[dict[str, object]] = []
    for part in slicing.parts(scores) if isinstance(scores, pd.DataFrame) else scores:
        for measure in part.measures:
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            everyone, unread = effect_of(part, measure, slicing.seed), Unread(part, measure)
            as_wrong = unread.as_wrong(ALL, ALL, everyone.effect, slicing.seed)
            own = {"attribute": ALL, "level": ALL, **asdict(everyone), **as_wrong, **NO_GAP}
            effects.append({**head, **own, "hidden": False})
            for attribute in slicing.attributes:
                rows, whole = _attribute(part, measure, attribute, unread, slicing)
                effects += [{**head, "attribute": attribute, **row} for row in rows]
                families.append({**head, "attribute": attribute, **whole})
    table = pd.DataFrame(effects)
    if len(table):
        table["resolvable"] = POWER_FACTOR * table["items_error"]
    return Tables(table, pd.DataFrame(families))


def _invalid_by_level(part: Part, measure: str, attribute: str) -> dict[str, float]:
    """The weighted share of invalid answers, by level."""
    answers = part.clean.scores[~part.clean.alone]
    weight = pd.Series(part.weights_of(answers["persona_id"]), index=answers.index)
    table = pd.DataFrame({"invalid": weight * is_invalid(answers, measure), "all": weight})
    sums = table.groupby(level_codes(answers, attribute), observed=True).sum()
    return {str(level): float(rate) for level, rate in (sums["invalid"] / sums["all"]).items()}


def _attribute(
    part: Part, measure: str, attribute: str, unread: Unread, slicing: Slicing
) -> tuple[list[dict[str, object]], dict[str, object]]:
    of = contributions(part, measure)
    people, rates = of.cells.people, _invalid_by_level(part, measure, attribute)
    alone = invalid_rates(part, measure)[0]
    levels = levels_of(people, attribute)
    sizes = levels.value_counts().sort_index()
    hidden = hidden_levels(sizes)
    enough = (name for name, size in sizes.items() if size >= slicing.min_n)
    tested = [name for name in enough if name not in hidden and not is_missing(name)]
    common = _on_common_items(of, [(levels == name).to_numpy() for name in tested])
    rows = []
    for name in sizes.index:
        if name in hidden:
            nothing = dict.fromkeys((*asdict(NOTHING), *AS_WRONG), math.nan)
            rows.append({"level": name, **nothing, **NO_GAP, "hidden": True})
            continue
        inside = (levels == name).to_numpy()
        found = estimate(of, inside, (alone, rates.get(name, math.nan)), slicing.seed)
        as_wrong = unread.as_wrong(attribute, name, found.effect, slicing.seed)
        own = gap(common, inside) if name in tested and not inside.all() else NO_GAP
        bounds = {} if own is NO_GAP else unread.bounds(attribute, name, float(own["gap"]))
        rows.append({"level": name, **asdict(found), **as_wrong, **own, **bounds, "hidden": False})
    p_values = np.array([row["gap_p"] for row in rows], dtype=float)
    for row, holm, q in zip(rows, *adjusted(p_values), strict=True):
        row |= {"gap_holm": float(holm), "gap_q": float(q)}
    return rows, {"levels": len(sizes), "tested": len(tested), **_family(of, levels, tested, slicing.seed)}


def _family(of: Contributions, levels: pd.Series, tested: Sequence[str], seed: int) -> dict[str, float]:
    """The omnibus test and disparity of the tested levels, on the items that all of them have."""
    people = of.cells.people
    codes = levels.map({name: place for place, name in enumerate(tested)}).fillna(-1).to_numpy(dtype=np.int64)
    survey = pd.factorize(people["survey"])[0] if "survey" in people else np.zeros(len(people), dtype=np.int64)
    of = _on_common_items(of, [codes == place for place in range(len(tested))])
    means = of.cells.by_persona(of.cells.d)
    whole = family(means, of.weight, codes, of.cells.cluster, survey, seed)
    return {**whole._asdict(), "family_items": float(len(np.unique(of.cells.item[codes[of.cells.person] >= 0])))}


def _on_common_items(of: Contributions, sides: Sequence[NDArray[np.bool_]]) -> Contributions:
    """The same on the items that every side has; as it is where those are all of them, or none."""
    have = np.array([of.cells.items_of(side) for side in sides])
    if not len(have) or (have == have[0]).all() or not have.all(axis=0).any():
        return of
    return Contributions.of(of.cells.on_items(np.logical_and.reduce(have)), of.weight)


def gap(of: Contributions, inside: NDArray[np.bool_]) -> dict[str, float | str]:
    """Δ of some personas minus Δ of all others, two-way clustered; p from t with min(clusters of a side, groups) − 1.

    Both sides are taken on the `gap_items` items that both have (in a table: that every tested level has), so that a
    side that was asked easier ones is not ahead by them. Where that is not all, the gap is not the difference of the
    two printed Δ.
    With fewer than ten item groups the item side cannot be judged: then it is clustered on persona and `gap_scope` is
    "these items". Formats, frames, placements and trait orders are a random effect, as in Δ: the gap under each of K
    wordings tells what they add, with K − 1 degrees of freedom. `gap_resolvable` is 2.8 standard errors.
    """
    of = _on_common_items(of, (inside, ~inside))
    items = {"gap_items": float(len(np.unique(of.cells.item)))}
    effect, other = of.delta(inside), of.delta(~inside)
    if math.isnan(effect - other):
        return {**NO_GAP, **items}
    total, share = of.total, of.share
    scores = np.where(
        inside[:, None],
        (total - effect * share) / share[inside].sum(),
        -(total - other * share) / share[~inside].sum(),
    )
    cluster = of.cells.cluster
    found = variances(clustered(scores, cluster), clustered(of.cells.present.astype(float), cluster) > 0)
    there = of.cells.answered > 0
    sides = min(len(np.unique(cluster[side & there])) for side in (inside, ~inside))
    few = found.n_groups < FEW_CLUSTERS
    # what the sides share of the items cancels, so V_groups − V_both is mostly noise: it may widen, never narrow
    variance = found.people if few else max(found.people, found.two_way)
    freedom = sides - 1 if few else min(sides, found.n_groups) - 1
    # a side of n clusters estimates its mean with n − 1: G/(G − 1) of the whole does not know how small a side is
    error = math.sqrt(variance * sides / (sides - 1)) if variance >= 0 and sides > 1 else math.nan
    difference = effect - other
    own = t_interval(difference, error**2, freedom)
    if math.isnan(own.error):
        return {**NO_GAP, **items, "gap": difference}
    sides_of = [wording_means(of.cells.wording[side], of.weight[side]) for side in (inside, ~inside)]
    whole = widened(own, difference, *mean_variance(sides_of[0] - sides_of[1]))
    # no variance, no test
    p = two_sided_p(difference / whole.error, whole.freedom) if whole.error > 0 else math.nan
    found_gap = {"gap": difference, "gap_error": whole.error, "gap_low": whole.low, "gap_high": whole.high, "gap_p": p}
    scope = THESE_ITEMS if few else ITEMS_TOO
    return {**NO_GAP, **items, **found_gap, "gap_resolvable": POWER_FACTOR * whole.error, "gap_scope": scope}
