"""What a model says a country's people answer, asked once without a persona, beside what respondents answered."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from personas.people.respondents import Respondents
from personas.traits import Trait
from scoring.benchmarks.trait_inference import read_shares, share_similarity
from scoring.statistics.levels import HIDDEN_UNDER


def stated_share_table(answers: pd.DataFrame, everyone: Respondents) -> pd.DataFrame:
    """A row a model, trait and country: the shares stated and how near they are to the respondents' own.

    `answers` has a row an answer: model, trait, country and text. `read` of the `answers` could be read; `stated` is
    their mean, in words, and `similarity` 1 − its distance to the weighted shares of the `people` of that country who
    answered; NaN under five of them.
    """
    rows = []
    for (model, name, country), own in answers.groupby(["model", "trait", "country"], observed=True):
        trait = everyone.traits.get(str(name))
        if trait is None:
            continue
        read = [shares for text in own["text"] if (shares := read_shares(str(text), len(trait.labels)))]
        stated = np.mean(read, axis=0) if read else None
        counts, people = _counts(everyone, trait, str(country))
        enough = stated is not None and people >= HIDDEN_UNDER
        found = {
            "answers": len(own),
            "read": len(read),
            "stated": "" if stated is None else _in_words(trait, stated),
            "people": float(people) if people >= HIDDEN_UNDER else np.nan,
            "similarity": share_similarity(trait, list(stated), counts) if stated is not None and enough else np.nan,
        }
        rows.append({"model": str(model), "trait": str(name), "country": str(country), **found})
    return pd.DataFrame(rows)


def _counts(everyone: Respondents, trait: Trait, country: str) -> tuple[Mapping[int, float], int]:
    """The weighted number of a country's respondents by code of a trait, and how many they are."""
    if trait.name not in everyone.frame:
        return {}, 0
    here = (everyone.frame["country"].astype(str) == country) & (everyone.frame[trait.name] >= 0)
    answered = everyone.frame[here]
    return answered.groupby(trait.name)["weight"].sum().to_dict(), len(answered)


def _in_words(trait: Trait, shares: np.ndarray) -> str:
    return "; ".join(f"{label} {share:.0%}" for label, share in zip(trait.labels.values(), shares, strict=True))
