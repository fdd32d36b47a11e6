"""Counterfactual twins: the same person but for one trait."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from personas.errors import InputError, nearest
from personas.people.pseudonyms import TWIN
from personas.people.respondents import Respondents
from personas.stable_order import rank


def twins(respondents: Respondents, traits: Sequence[str]) -> Respondents:
    """For each respondent and each of these traits, a twin who differs in that trait alone (the twins only).

    The twin's value is another one that occurs among the respondents, drawn by sha256 of persona id and trait: with
    two values the other one. The id says what was changed: `wvs7:2017-2022:42~gender=male`. Who has no answer, or
    nobody to differ from, has no twin.

    Raises InputError for a trait that the respondents do not have.
    """
    known = ["country", *respondents.columns()]
    parts = []
    for trait in traits:
        if trait not in known:
            raise InputError(f"[personas] swap: unknown trait {trait!r}; {nearest(trait, known)}")
        parts.append(_swapped(respondents, trait))
    frame = pd.concat(parts, ignore_index=True) if parts else respondents.frame.iloc[:0]
    return replace(respondents, frame=frame)


def _swapped(respondents: Respondents, trait: str) -> pd.DataFrame:
    """The twins in one trait, in the respondents' order."""
    column = respondents.frame[trait]
    values = sorted(value for value in column.unique() if trait == "country" or value >= 0)
    rows, changed, ids = [], [], []
    for row, (persona_id, value) in enumerate(zip(respondents.frame["persona_id"], column, strict=True)):
        others = [each for each in values if each != value]
        if value not in values or not others:
            continue
        drawn = int.from_bytes(rank(persona_id, trait)[:8], "big")
        other = others[drawn % len(others)]
        rows.append(row)
        changed.append(other)
        name = other if trait == "country" else respondents.traits[trait].label(int(other))
        ids.append(f"{persona_id}{TWIN}{trait}={name}")
    frame = respondents.frame.iloc[rows].reset_index(drop=True)
    return frame.assign(**{trait: pd.Series(changed, dtype=column.dtype), "persona_id": ids})
