"""Counterfactual twins beside the respondents that they are of."""

import pandas as pd

from personas.people.pseudonyms import TWIN
from scoring.statistics.pairs import WORDING, Part


def matched_twins(part: Part, measure: str) -> pd.DataFrame:
    """Twins beside their respondents: `one` the respondent's score, `two` the twin's, `trait` and `to` what changed.

    `cluster` is the respondent's, `twin_cluster` the twin's.
    """
    scores = part.scores
    keys = ["persona_id", "item_id", "rotation", "replicate", *(name for name in WORDING if name in scores)]
    twins = scores[part.twins].assign(persona_id=scores.loc[part.twins, "persona_id"].astype(str))
    parts_of = twins["persona_id"].str.partition(TWIN)
    changed = parts_of[2].str.partition("=")
    twins = twins.assign(persona_id=parts_of[0], trait=changed[0], to=changed[2], two=twins[measure])
    own = part.clean.scores[~part.clean.alone]
    columns = ["persona_id", "item_id", "group", "rotation", *(name for name in WORDING if name in scores)]
    kept = own.rename(columns={measure: "one"})[[*dict.fromkeys([*columns, *keys]), "cluster", "one"]]
    kept = kept.assign(persona_id=kept["persona_id"].astype(str))
    right = twins.rename(columns={"cluster": "twin_cluster"})[[*keys, "twin_cluster", "trait", "to", "two"]]
    both = kept.merge(right, on=keys)
    return both[both["one"].notna() & both["two"].notna()]
