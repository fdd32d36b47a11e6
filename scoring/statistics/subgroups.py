"""The effect overall and for every level of an attribute, with the gap to everybody else, as one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import pandas as pd

from personas.errors import InputError, nearest
from scoring.answers.metrics import ANSWER, LETTER, PROBABILITIES
from scoring.statistics.clustered_errors import detectable, unbiased_error
from scoring.statistics.codes import first_rows
from scoring.statistics.designs.inclusion import row_weights
from scoring.statistics.effect import NOTHING, Contributions, contributions, effect_of, estimate, invalid_rates
from scoring.statistics.gaps import NO_GAP, gap, on_common_items
from scoring.statistics.levels import ALL, PAIR, columns_of, hidden_levels, is_missing, levels_of
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.net_of_control import NO_NET, Neutral
from scoring.statistics.omnibus import family
from scoring.statistics.pairs import Part, Scores, factorized, is_invalid, parts
from scoring.statistics.unread import AS_WRONG, Unread
from scoring.statistics.weights import Floats, Weights

MEASURES = {"value": LETTER, "expected": PROBABILITIES}


Adjust = Literal["family", "all"]


@dataclass(frozen=True)
class Slicing:
    """How the table is made: attributes, pairs of attributes, persona weights, the least level to test, the seed.

    `adjust` says over what p-values are adjusted: each "family" (model × benchmark × attribute), or "all" gaps. Levels
    of `contrasts` are compared pair by pair too; `margin` is within what Δ and gaps count as none; `interactions` are
    pairs of traits that are told at random.
    """

    by: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    weights: Weights = "none"
    population: Mapping[str, float] | None = None
    min_n: int = 20
    seed: int = 0
    adjust: Adjust = "family"
    contrasts: tuple[str, ...] = ()
    margin: float | None = None
    interactions: tuple[tuple[str, str], ...] = ()

    @property
    def attributes(self) -> tuple[str, ...]:
        """Every attribute, a pair being "one × other"."""
        return (*self.by, *(PAIR.join(pair) for pair in self.pairs))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the scores that are needed."""
        return columns_of((*self.attributes, *self.contrasts))

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

    Parameters
    ----------
    scores : DataFrame
        Rows of `load_scores`.
    by : sequence of str
        The attributes: columns of the scores such as "country", "gender" or "age_band".
    pairs : sequence of (str, str)
        Pairs of attributes, whose levels are crossed.
    weights, population, seed
        As for `persona_effect`.
    min_n : int
        The fewest people of a level that is tested; one under five people has its numbers withheld.

    Returns
    -------
    DataFrame
        A row a model, benchmark, measure and level; the columns are those of the table `effects` in the data
        dictionary.

    Raises
    ------
    InputError
        The scores lack an attribute.
    """
    return effect_tables(scores, Slicing(tuple(by), tuple(pairs), weights, population, min_n, seed)).effects


def effect_tables(scores: Scores, slicing: Slicing) -> Tables:
    """Δ overall and by level, gaps with adjusted p, and the omnibus test and disparity of every family.

    The measure is "value", or "expected" where letter probabilities were asked for. The attribute is "all" for
    everybody. A level with fewer than five people has its numbers withheld (`hidden`), and so has a second one where it
    could be worked out from the total; one under `min_n` is not tested, nor are those whose answer is missing.
    `effect_as_wrong` is Δ with every unread answer (unparsed, refused) as 0, with its interval for items like these
    too; `net` is Δ net of the neutral control, paired, and `neutral` what the control does alone on the same items, NaN
    without a control; `gap_least` and `gap_most` are what the gap could be if unread answers were all 0 on one side and
    1 on the other. Raises InputError for an attribute that the scores do not have.
    """
    effects: list[dict[str, object]] = []
    families: list[dict[str, object]] = []
    for part in (each.whole for each in (slicing.parts(scores) if isinstance(scores, pd.DataFrame) else scores)):
        for measure in part.measures:
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            everyone, unread = effect_of(part, measure, slicing.seed), Unread(part, measure)
            neutral = Neutral(part, measure)
            as_wrong = unread.as_wrong(ALL, ALL, everyone.effect, slicing.seed)
            values = {**asdict(everyone), "resolvable": everyone.resolvable}
            net = neutral.of(ALL, ALL, slicing.seed)
            own = {"attribute": ALL, "level": ALL, **values, **as_wrong, **net, **NO_GAP}
            effects.append({**head, **own, "hidden": False})
            for attribute in slicing.attributes:
                rows, whole = _attribute(part, measure, attribute, (unread, neutral), slicing)
                effects += [{**head, "attribute": attribute, **row} for row in rows]
                families.append({**head, "attribute": attribute, **whole})
    table = pd.DataFrame(effects)
    return Tables(_over_all(table) if slicing.adjust == "all" else table, pd.DataFrame(families))


def _over_all(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every gap in it adjusted for all of them, whatever their family."""
    if table.empty:
        return table
    holm, q = adjusted(table["gap_p"].to_numpy(dtype=float))
    tests = max(1, int(table["gap_p"].notna().sum()))
    least = [
        detectable(unbiased_error(error, freedom), freedom, tests)
        for error, freedom in zip(table["gap_error"], table["gap_freedom"], strict=True)
    ]
    return table.assign(gap_holm=holm, gap_q=q, gap_resolvable=least)


def metric_of(part: Part, measure: str) -> str:
    """How the answers of a part became the numbers of a measure, in words."""
    if measure != "value" or "metric" not in part.scores:
        return MEASURES[measure] if "expected" in part.measures else ANSWER
    return " or ".join(sorted(str(name) for name in part.scores["metric"].unique()))


def _invalid_by_level(part: Part, measure: str, attribute: str) -> dict[str, float]:
    """The weighted share of invalid answers, by level."""
    people, invalid, whole = part.once("invalid by person", measure, lambda: _invalid_by_person(part.clean, measure))
    sums = pd.DataFrame({"invalid": invalid, "all": whole}).groupby(levels_of(people, attribute).to_numpy()).sum()
    return {str(level): float(rate) for level, rate in (sums["invalid"] / sums["all"]).items()}


def _invalid_by_person(clean: Part, measure: str) -> tuple[pd.DataFrame, Floats, Floats]:
    """The people with their attributes, and the weights of each one's invalid answers and of all."""
    rows = np.flatnonzero(~clean.alone)
    person = factorized(clean.scores["persona_id"].iloc[rows])
    weight = (clean.weights_of(clean.scores["persona_id"]) * row_weights(clean.scores))[rows]
    invalid = is_invalid(clean.scores, measure).to_numpy()[rows]
    sums = (np.bincount(person, weights=each).astype(np.float64, copy=False) for each in (weight * invalid, weight))
    return clean.scores[list(clean.columns)].iloc[rows[first_rows(person)]], *sums


def _attribute(
    part: Part, measure: str, attribute: str, beside: tuple[Unread, Neutral], slicing: Slicing
) -> tuple[list[dict[str, object]], dict[str, object]]:
    unread, neutral = beside
    of = contributions(part, measure)
    people, rates = of.cells.people, _invalid_by_level(part, measure, attribute)
    alone = invalid_rates(part, measure)[0]
    levels = levels_of(people, attribute)
    sizes = levels.value_counts().sort_index()
    hidden = hidden_levels(sizes)
    enough = (name for name, size in sizes.items() if size >= slicing.min_n)
    tested = [name for name in enough if name not in hidden and not is_missing(name)]
    common = on_common_items(of, [(levels == name).to_numpy() for name in tested])
    rows = []
    for name in sizes.index:
        if name in hidden:
            nothing = dict.fromkeys((*asdict(NOTHING), "resolvable", *AS_WRONG), math.nan)
            rows.append({"level": name, **nothing, **NO_NET, **NO_GAP, "hidden": True})
            continue
        inside = (levels == name).to_numpy()
        found = estimate(of, inside, (alone, rates.get(name, math.nan)), slicing.seed)
        as_wrong = unread.as_wrong(attribute, name, found.effect, slicing.seed)
        own = gap(common, inside) if name in tested and not inside.all() else NO_GAP
        bounds = {} if own is NO_GAP else unread.bounds(attribute, name, float(own["gap"]))
        values = {**asdict(found), "resolvable": found.resolvable}
        net = neutral.of(attribute, name, slicing.seed)
        rows.append({"level": name, **values, **as_wrong, **net, **own, **bounds, "hidden": False})
    p_values = np.array([row["gap_p"] for row in rows], dtype=float)
    tests = max(1, int((~np.isnan(p_values)).sum()))
    for row, holm, q in zip(rows, *adjusted(p_values), strict=True):
        row |= {"gap_holm": float(holm), "gap_q": float(q)}
        error = unbiased_error(row["gap_error"], row["gap_freedom"])
        row["gap_resolvable"] = detectable(error, row["gap_freedom"], tests)
    return rows, {"levels": len(sizes), "tested": len(tested), **_family(of, levels, tested, slicing.seed)}


def _family(of: Contributions, levels: pd.Series, tested: Sequence[str], seed: int) -> dict[str, object]:
    """The omnibus test and disparity of the tested levels, on the items that all of them have."""
    people = of.cells.people
    codes = levels.map({name: place for place, name in enumerate(tested)}).fillna(-1).to_numpy(dtype=np.int64)
    survey = pd.factorize(people["survey"])[0] if "survey" in people else np.zeros(len(people), dtype=np.int64)
    of = on_common_items(of, [codes == place for place in range(len(tested))])
    whole = family(of, codes, survey, seed)
    return {**whole._asdict(), "family_items": float(of.cells.items_of(codes >= 0).sum())}
