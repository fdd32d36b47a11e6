"""Is it the country, or who lives there? One trait changed in the same respondent."""

from dataclasses import asdict

import numpy as np
import pandas as pd

from scoring.statistics.clustered_errors import two_sided_p
from scoring.statistics.codes import linked
from scoring.statistics.effect import effect_of
from scoring.statistics.multiplicity import adjusted
from scoring.statistics.pairs import Part, Scores, factorized, parts
from scoring.statistics.twin_pairs import matched_twins
from scoring.statistics.weights import weighted_mean
from scoring.tables.two_runs import as_effect

_FIELDS = ("personas", "clusters", "items", "effect", "people_low", "people_high", "items_low", "items_high")


def counterfactual_table(scores: Scores) -> pd.DataFrame:
    """The average marginal component effect (Hainmueller, Hopkins & Yamamoto 2014) of each swapped trait and value.

    Twin minus respondent on the same items, orders and wordings, weighted and clustered as the persona effect is; the
    row with the value "any" is over all values of the trait. Respondents who read the same, or whose twins do, are one
    cluster. `shift` is the mean absolute difference of a respondent and its twin, the test of relevance, p(y | t) ≠
    p(y); `p` is of the effect (t on people), `holm` over a part's traits and values.
    """
    rows: list[dict[str, object]] = []
    for part in parts(scores):
        if not part.twins.any():
            continue
        for measure in part.measures:
            matched = matched_twins(part, measure)
            head = {"model": part.model, "benchmark": part.benchmark, "measure": measure}
            found = [{**head, **row} for row in _rows(part, matched)]
            p_values = np.array([row["p"] for row in found], dtype=float)
            rows += [{**row, "holm": float(holm)} for row, holm in zip(found, adjusted(p_values)[0], strict=True)]
    return pd.DataFrame(rows)


def _rows(part: Part, matched: pd.DataFrame) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for trait, of_trait in matched.groupby("trait"):
        of_trait = of_trait.assign(cluster=_same_text(of_trait))
        slices = [("any", of_trait), *of_trait.groupby("to")]
        for value, rows in slices if len(slices) > 2 else slices[1:]:
            estimate = effect_of(part.of(as_effect(rows, rows["one"], rows["two"])))
            error, freedom = estimate.people_error, estimate.people_freedom
            p = two_sided_p(estimate.effect / error, freedom) if error > 0 else float("nan")
            weight = part.weights_of(rows["persona_id"])
            shift = weighted_mean((rows["two"] - rows["one"]).abs().to_numpy(), weight)
            kept = {name: each for name, each in asdict(estimate).items() if name in _FIELDS}
            kept["items"] = int(rows["item_id"].nunique())
            found.append({"trait": str(trait), "to": str(value), **kept, "shift": shift, "p": p})
    return found


def _same_text(rows: pd.DataFrame) -> pd.Series:
    """Persona clusters of respondents and twins together: linked wherever either side read the same."""
    own, twin = factorized(rows["cluster"]), factorized(rows["twin_cluster"])
    return pd.Series(linked(own, twin), index=rows.index).astype(str)
