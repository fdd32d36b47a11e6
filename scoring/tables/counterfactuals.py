"""Is it the country, or who lives there? One trait changed in the same respondent."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from personas.people.pseudonyms import TWIN
from scoring.statistics.clustered_errors import two_sided_p
from scoring.statistics.effect import persona_effect
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.pairs import WORDING, is_twin, parts
from scoring.statistics.subgroups import measures_of
from scoring.tables.two_runs import as_effect

_FIELDS = ("personas", "items", "effect", "people_low", "people_high", "items_low", "items_high")


def counterfactual_table(scores: pd.DataFrame) -> pd.DataFrame:
    """The average marginal component effect (Hainmueller, Hopkins & Yamamoto 2014) of each swapped trait and value.

    Twin minus respondent on the same items, orders and wordings, clustered as the persona effect is; the row with the
    value "any" is over all values of the trait. `shift` is the mean absolute difference of a respondent and its twin,
    the test of relevance, p(y | t) ≠ p(y); `p` is of the effect (t on people), `holm` over a part's traits and values.
    """
    if not is_twin(scores["persona_id"]).any():
        return pd.DataFrame()
    rows: list[dict[str, object]] = []
    for part in parts(scores):
        for measure in measures_of(part):
            matched = _matched(part.scores, measure)
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            found = [{**head, **row} for row in _rows(matched)]
            p_values = np.array([row["p"] for row in found], dtype=float)
            rows += [{**row, "holm": float(holm)} for row, holm in zip(found, adjusted(p_values)[0], strict=True)]
    return pd.DataFrame(rows)


def _matched(scores: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Twins beside their respondents: `one` the respondent's score, `two` the twin's, `trait` and `to` what changed."""
    twin = is_twin(scores["persona_id"])
    keys = ["persona_id", "item_id", "rotation", "replicate", *(name for name in WORDING if name in scores)]
    twins = scores[twin].assign(persona_id=scores.loc[twin, "persona_id"].astype(str))
    parts_of = twins["persona_id"].str.partition(TWIN)
    changed = parts_of[2].str.partition("=")
    twins = twins.assign(persona_id=parts_of[0], cluster=parts_of[0], trait=changed[0], to=changed[2])
    own = scores[~twin & (scores["persona_id"] != "")][[*keys, measure]].rename(columns={measure: "one"})
    own["persona_id"] = own["persona_id"].astype(str)
    both = twins.rename(columns={measure: "two"}).merge(own, on=keys)
    return both[both["one"].notna() & both["two"].notna()]


def _rows(matched: pd.DataFrame) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for trait, of_trait in matched.groupby("trait"):
        slices = [("any", of_trait), *of_trait.groupby("to")]
        for value, rows in slices if len(slices) > 2 else slices[1:]:
            estimate = persona_effect(as_effect(rows, rows["one"], rows["two"]))
            error, freedom = estimate.people_error, estimate.people_freedom
            p = two_sided_p(estimate.effect / error, freedom) if error > 0 else float("nan")
            shift = float((rows["two"] - rows["one"]).abs().mean())
            kept = {name: each for name, each in asdict(estimate).items() if name in _FIELDS}
            kept["items"] = int(rows["item_id"].nunique())
            found.append({"trait": str(trait), "to": str(value), **kept, "shift": shift, "p": p})
    return found
