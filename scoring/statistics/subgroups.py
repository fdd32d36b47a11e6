"""The effect overall and for every level of an attribute, with the gap to everybody else, as one table."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from personas.errors import InputError, nearest
from scoring.answers.metrics import ANSWER, LETTER, PROBABILITIES
from scoring.statistics.clustered_errors import detectable
from scoring.statistics.effect import NOTHING, Contributions, estimate, invalid_rates
from scoring.statistics.gaps import NO_GAP, gap
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.omnibus import family
from scoring.statistics.pairs import Cells, Part, Weights, cells, parts, persona_weights

HIDDEN_UNDER = 5
MEASURES = {"value": LETTER, "expected": PROBABILITIES}
ALL = "all"
PAIR = " × "


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
        names = (*self.by, *(name for pair in self.pairs for name in pair))
        return tuple(dict.fromkeys((*names, *(("country",) if self.weights != "none" else ()))))


@dataclass(frozen=True)
class Tables:
    """`effects`: a row per model, benchmark, measure, attribute and level. `families`: a row per attribute of each."""

    effects: pd.DataFrame
    families: pd.DataFrame


def effect_tables(scores: pd.DataFrame, slicing: Slicing) -> Tables:
    """Δ overall and by level, gaps with adjusted p, and the omnibus test and disparity of every family.

    The measure is "value", or "expected" where letter probabilities were asked for. The attribute is "all" for
    everybody. A level with fewer than five people has its numbers withheld (`hidden`), one under `min_n` is not tested.
    Raises InputError for an attribute that the scores do not have.
    """
    for name in slicing.columns:
        if name not in scores:
            known = set(scores) - {"value", "expected", "weight"}
            raise InputError(f"[report] by: no attribute {name!r} in these scores; {nearest(name, known)}")
    effects: list[dict[str, object]] = []
    families: list[dict[str, object]] = []
    for part in parts(scores):
        for measure in measures_of(part):
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            of, rates = _contributions(part.without_control(), measure, slicing)
            everyone = estimate(of, np.ones(len(of.cells.people), dtype=bool), rates[""], slicing.seed)
            values = {**asdict(everyone), "resolvable": everyone.resolvable}
            effects.append({**head, "attribute": ALL, "level": ALL, **values, **NO_GAP, "hidden": False})
            for attribute in slicing.attributes:
                rows, whole = _attribute(of, attribute, rates, slicing)
                effects += [{**head, "attribute": attribute, **row} for row in rows]
                families.append({**head, "attribute": attribute, **whole})
    return Tables(pd.DataFrame(effects), pd.DataFrame(families))


def effect_table(scores: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """`effect_tables(...).effects` for these attributes, unweighted."""
    return effect_tables(scores, Slicing(tuple(by))).effects


def measures_of(part: Part) -> list[str]:
    """The measures that a part has scores by; at least "value"."""
    return [name for name in MEASURES if name in part.scores and part.scores[name].notna().any()] or ["value"]


def metric_of(part: Part, measure: str) -> str:
    """How the answers of a part became the numbers of a measure, in words."""
    if measure != "value" or "metric" not in part.scores:
        return MEASURES[measure] if "expected" in measures_of(part) else ANSWER
    return " or ".join(sorted(str(name) for name in part.scores["metric"].unique()))


def levels_of(people: pd.DataFrame, attribute: str) -> pd.Series:
    """Each row's level of an attribute or pair of attributes, as text."""
    names = attribute.split(PAIR)
    levels = people[names[0]].astype(str)
    for name in names[1:]:
        levels = levels + PAIR + people[name].astype(str)
    return levels


def _contributions(part: Part, measure: str, slicing: Slicing) -> tuple[Contributions, dict[str, tuple[float, float]]]:
    """The part's contributions, and the invalid rates overall ("") and by "attribute\0level"."""
    found = cells(part, measure, slicing.columns)
    weight = persona_weights(found.people, slicing.weights, slicing.population)
    alone, rated = invalid_rates(part, measure)
    rates = {"": (alone, rated)}
    answers = part.scores.loc[~part.alone]
    invalid = answers[measure].isna()
    for attribute in slicing.attributes:
        for level, rate in invalid.groupby(_level_codes(answers, attribute), observed=True).mean().items():
            rates[f"{attribute}\0{level}"] = (alone, float(rate))
    return Contributions.of(found, weight), rates


def _level_codes(rows: pd.DataFrame, attribute: str) -> pd.Series:
    """`levels_of` for many rows: text only where there is no categorical to take."""
    if PAIR in attribute or not isinstance(rows[attribute].dtype, pd.CategoricalDtype):
        return levels_of(rows, attribute)
    return rows[attribute]


def _attribute(
    of: Contributions, attribute: str, rates: Mapping[str, tuple[float, float]], slicing: Slicing
) -> tuple[list[dict[str, object]], dict[str, object]]:
    people = of.cells.people
    levels = levels_of(people, attribute)
    names = sorted(levels.unique())
    tested = [name for name in names if (levels == name).sum() >= slicing.min_n]
    rows = []
    for name in names:
        inside = (levels == name).to_numpy()
        hidden = bool(inside.sum() < HIDDEN_UNDER)
        invalid = rates.get(f"{attribute}\0{name}", (math.nan, math.nan))
        found = NOTHING if hidden else estimate(of, inside, invalid, slicing.seed)
        measured = {**asdict(found), "resolvable": found.resolvable}
        measured = measured if not hidden else dict.fromkeys(measured, math.nan)
        comparable = name in tested and not inside.all()
        rows.append({"level": name, **measured, **(gap(of, inside) if comparable else NO_GAP), "hidden": hidden})
    p_values = np.array([row["gap_p"] for row in rows], dtype=float)
    tests = max(1, int((~np.isnan(p_values)).sum()))
    for row, holm, q in zip(rows, *adjusted(p_values), strict=True):
        row |= {"gap_holm": float(holm), "gap_q": float(q)}
        row["gap_resolvable"] = detectable(row["gap_error"], row["gap_freedom"], tests)
    codes = levels.map({name: place for place, name in enumerate(tested)}).fillna(-1).to_numpy(dtype=np.int64)
    survey = pd.factorize(people["survey"])[0] if "survey" in people else np.zeros(len(people), dtype=np.int64)
    whole = family(of, codes, survey, slicing.seed)
    return rows, {"levels": len(names), "tested": len(tested), **whole._asdict()}


def cells_of(part: Part, measure: str, by: Sequence[str]) -> Cells:
    """The pairs of a part with these subgroup columns, without the neutral control."""
    return cells(part.without_control(), measure, tuple(by))
