"""Sets of traits compared: Δ with a few demographics shown, beside Δ with values too.

What is shown is a choice of the study and no random wording, so that it does not widen Δ's interval as formats do.
"""

import pandas as pd

from scoring.statistics.effect import effect_of
from scoring.statistics.pairs import Part, Scores, parts
from scoring.tables.two_runs import difference_table

EFFECT = ("personas", "clusters", "items", "groups", "without", "with_persona", "effect")
BOUNDS = ("people_low", "people_high", "items_low", "items_high")


def set_sizes(scores: pd.DataFrame) -> list[str]:
    """The sets of traits that personas were shown with, the smallest first."""
    if "traits" not in scores:
        return []
    names = map(str, scores.loc[scores["persona_id"] != "", "traits"].unique())
    return sorted(names, key=lambda name: (int(name.partition("(")[2].partition(")")[0] or 0), name))


def of_smallest_set(scores: pd.DataFrame) -> pd.DataFrame:
    """The baseline and what was answered with the fewest traits shown."""
    sets = set_sizes(scores)
    return _with_set(scores, sets[0]) if len(sets) > 1 else scores


def conditioning_table(scores: Scores) -> pd.DataFrame:
    """A row a model, benchmark, measure and set of traits, where there are several: Δ with both intervals.

    `difference` is Δ minus that of the smallest set, on the trials that both have, with its two-way interval: the
    baseline is the same, so it is the difference of the scores.
    """
    rows: list[dict[str, object]] = []
    for part in parts(scores):
        sets = set_sizes(part.scores)
        if len(sets) < 2:
            continue
        for measure in part.measures:
            for name in sets:
                found = effect_of(part.of(_with_set(part.scores, name)), measure)
                head = {"model": part.model, "benchmark": part.benchmark, "measure": measure, "traits": name}
                numbers = {each: getattr(found, each) for each in (*EFFECT, *BOUNDS)}
                rows.append({**head, **numbers, **_difference(part, sets[0], name, measure)})
    return pd.DataFrame(rows)


def _with_set(scores: pd.DataFrame, name: str) -> pd.DataFrame:
    return scores[(scores["persona_id"] == "") | (scores["traits"] == name)]


def _difference(part: Part, first: str, second: str, measure: str) -> dict[str, float]:
    nothing = dict.fromkeys(("difference", "difference_low", "difference_high"), float("nan"))
    if first == second:
        return nothing
    sides = [[part.of(_with_set(part.scores, name).drop(columns="traits"))] for name in (first, second)]
    table = difference_table(sides[0], sides[1])
    found = table[(table["measure"] == measure) & (table["compared"] == "with persona")] if len(table) else table
    for _, row in found.iterrows():
        return dict(zip(nothing, (row["effect"], row["items_low"], row["items_high"]), strict=True))
    return nothing
